#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes sure that a server's certificate is in a Secret."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_secret
version_added: 0.2.0
short_description: Make sure that the certificate of a server is in a Secret
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Makes an authority, signs one certificate with it, and keeps certificate and key in a Secret of type C(kubernetes.io/tls). The key is nowhere else.
  - A Secret of ours is renewed two weeks before it expires, or when it lacks a name. A Secret that is not ours is only read.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Can run in check mode and tells whether a certificate would be made.
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
    description: Names of the server.
    type: list
    elements: str
    required: true
  days:
    description: How long a new certificate is valid.
    type: int
    default: 365
  labels:
    description: Further labels of a Secret that is made.
    type: dict
    default: {}
  run_id:
    description: The run that makes it.
    type: str
    required: true
requirements:
  - cryptography
  - kubernetes
"""

EXAMPLES = r"""
- name: Give MLflow a certificate
  perfscale.mlflow.tls_secret:
    name: mlflow-tls
    namespace: opendatahub
    dns_names: [mlflow.opendatahub.svc]
    run_id: run-1
  register: tls
"""

RETURN = r"""
tls:
  description: What clients need.
  returned: success
  type: dict
  contains:
    owned:
      description: Whether the Secret is ours.
      type: bool
    fingerprint:
      description: Changes with the certificate, so that a server which reads it once can be started anew.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import certificates, tls_secret
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, auth_spec, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects


def argument_spec():
    """Returns the module's options."""
    return {
        **auth_spec(),
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "dns_names": {"type": "list", "elements": "str", "required": True},
        "days": {"type": "int", "default": 365},
        "labels": {"type": "dict", "default": {}},
        "run_id": {"type": "str", "required": True},
    }


def run(options, cluster, check_mode):
    """Returns the module's result for its options. Raises ClusterError."""
    objects = Objects(cluster, options["run_id"])
    found = tls_secret.ensure(objects, options["namespace"], options["name"], options["dns_names"], options["days"], options["labels"], check_mode)
    return {"changed": found.pop("changed"), "tls": found}


def main():
    """Runs the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
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
