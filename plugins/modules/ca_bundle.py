#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the CA certificates that clients trust to one file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ca_bundle
version_added: 0.2.0
short_description: Write the CA certificates for a cluster's servers to one file
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Extracts the certificates, and nothing else, from keys of Secrets and ConfigMaps and from files.
  - Without any certificate no file is written, and an existing one is deleted. Clients then use the CAs of their system.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Can run in check mode and returns whether the file would change.
    support: full
options:
  dest:
    description: The file.
    type: path
    required: true
  sources:
    description: Sources of CA certificates; one that does not exist is skipped and listed in the result.
    type: list
    elements: dict
    required: true
    suboptions:
      kind:
        description: Kind of the source.
        type: str
        choices: [Secret, ConfigMap, File]
        required: true
      name:
        description: Name of the object, or path of the file.
        type: str
        required: true
      namespace:
        description: Namespace of the object.
        type: str
      key:
        description: Key in the object.
        type: str
        default: ca.crt
requirements:
  - kubernetes
"""

EXAMPLES = r"""
- name: Write the CA certificate of MLflow
  perfscale.mlflow.ca_bundle:
    dest: /results/run-1/mlflow_ca.crt
    sources:
      - kind: Secret
        namespace: opendatahub
        name: mlflow-tls
"""

RETURN = r"""
bundle:
  description: The result.
  returned: success
  type: dict
  contains:
    path:
      description: The file, or null without any certificate.
      type: str
    certificates:
      description: Number of certificates.
      type: int
    missing:
      description: Sources without certificates.
      type: list
      elements: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, explain, write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.certificates import CA_SOURCES, collect_ca_certificates
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec


def argument_spec():
    """Return the module's options."""
    source = {
        "kind": {"type": "str", "choices": list(CA_SOURCES), "required": True},
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str"},
        "key": {"type": "str", "default": "ca.crt", "no_log": False},
    }
    return {
        **connection_spec(),
        "dest": {"type": "path", "required": True},
        "sources": {"type": "list", "elements": "dict", "required": True, "options": source},
    }


def run(options, cluster, check_mode):
    """Return the module's result for its options. Raises ClusterError, and FileWriteError when the file cannot be written."""
    certificates, missing = collect_ca_certificates(cluster, options["sources"])
    path, text = Path(options["dest"]), "".join(f"{certificate}\n" for certificate in certificates)
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if text != before and not check_mode:
            if text:
                write_text(path, text)
            else:
                path.unlink()
    except OSError as error:
        raise FileWriteError(explain(path, error)) from error
    found = {"path": str(path) if certificates else None, "certificates": len(certificates), "missing": missing}
    return {"changed": text != before, "bundle": found}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARIES), exception=MISSING)
    try:
        result = run(module.params, cluster_from(module.params), module.check_mode)
    except (ClusterError, FileWriteError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
