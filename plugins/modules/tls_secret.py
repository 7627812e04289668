#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create or renew the TLS Secret of a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_secret
version_added: 0.2.0
short_description: Create or renew the TLS Secret of a server
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Creates a CA, signs one certificate with it, and stores certificate and key in a Secret of type C(kubernetes.io/tls). The key is stored nowhere else.
  - A Secret of ours is renewed two weeks before it expires, or when it lacks a name. An unmanaged Secret is only read.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Can run in check mode and returns whether a certificate would be created.
    support: full
options:
  name:
    description: Name of the Secret.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    required: true
  dns_names:
    description: DNS names of the server.
    type: list
    elements: str
    required: true
  days:
    description: How long a new certificate is valid.
    type: int
    default: 365
  labels:
    description: Further labels of a new Secret.
    type: dict
    default: {}
  run_id:
    description: The run that creates it.
    type: str
    required: true
requirements:
  - cryptography
  - kubernetes
"""

EXAMPLES = r"""
- name: Create the certificate of MLflow
  perfscale.mlflow.tls_secret:
    name: mlflow-tls
    namespace: opendatahub
    dns_names: [mlflow.opendatahub.svc]
    run_id: run-1
  register: tls
"""

RETURN = r"""
tls:
  description: The Secret.
  returned: success
  type: dict
  contains:
    owned:
      description: Whether the Secret is ours.
      type: bool
    fingerprint:
      description: Changes with the certificate, so that a server which reads it once can be restarted.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import certificates
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec


def argument_spec():
    """Return the module's options."""
    return {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "dns_names": {"type": "list", "elements": "str", "required": True},
        "days": {"type": "int", "default": 365},
        "labels": {"type": "dict", "default": {}},
        "run_id": {"type": "str", "required": True},
    }


def run(options, cluster, check_mode):
    """Return the module's result for its options. Raises ClusterError."""
    objects = Objects(cluster, options["run_id"])
    found = certificates.ensure_secret(objects, options["namespace"], options["name"], options["dns_names"], options["days"], options["labels"], check_mode)
    return {"changed": found.pop("changed"), "tls": found}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    for library, error in ((LIBRARIES, MISSING), ("cryptography", certificates.CRYPTOGRAPHY_ERROR)):
        if error:
            module.fail_json(msg=missing_required_lib(library), exception=error)
    try:
        result = run(module.params, cluster_from(module.params), module.check_mode)
    except ClusterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
