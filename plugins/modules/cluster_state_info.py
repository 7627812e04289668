#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the state of a cluster that a measurement depends on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_state_info
short_description: Read the state of a cluster that a measurement depends on
author:
  - perfscale.mlflow contributors (@perfscale)
version_added: 0.2.0
description:
  - Reads the version of Kubernetes, the nodes, the default storage class and the images of the measured components.
  - With O(since), reads instead what happened to the pods of the components and to their nodes from then on.
  - What the user may not read is null, or left out.
requirements:
  - kubernetes
attributes:
  check_mode:
    description: Only reads.
    support: full
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
options:
  components:
    description: The components of C(target.json), each with C(namespace) and C(pod), a regular expression that matches the whole name of a pod.
    type: dict
    default: {}
  since:
    description: Start of a load in epoch seconds.
    type: float
"""

EXAMPLES = r"""
- name: Get what happened during a load
  perfscale.mlflow.cluster_state_info:
    components:
      mlflow: {namespace: opendatahub, pod: "mlflow-.*"}
    since: 1795474538.3
  register: state
"""

RETURN = r"""
fingerprint:
  description: The state. Empty with O(since).
  returned: success
  type: dict
  contains:
    kubernetes:
      description: Version of the API server.
      type: str
    nodes:
      description: The nodes with name, cpu_cores, memory_bytes (both allocatable), architecture and kubelet (its version). Null if they may not be listed.
      type: list
      elements: dict
    storage_class:
      description: The default storage class, or null.
      type: str
    images:
      description: For each component the ids of its containers' images, with the digests that were pulled.
      type: dict
disturbances:
  description: What happened since O(since), one phrase each. Empty without it.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster_state import disturbances, fingerprint
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec


def argument_spec():
    """Return the module's options."""
    return {**connection_spec(), "components": {"type": "dict", "default": {}}, "since": {"type": "float"}}


def run(options):
    """Return the module's result for its options. Raises ClusterError."""
    cluster = cluster_from(options)
    try:
        if options["since"] is None:
            return {"changed": False, "fingerprint": fingerprint(cluster, options["components"]), "disturbances": []}
        return {"changed": False, "fingerprint": {}, "disturbances": disturbances(cluster, options["components"], options["since"])}
    finally:
        cluster.close()


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARIES), exception=MISSING)
    try:
        module.exit_json(**run(module.params))
    except ClusterError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
