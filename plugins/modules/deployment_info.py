#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return the state of a Deployment, at once or when it is rolled out."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_info
version_added: 0.2.0
short_description: Get the state of a Deployment, at once or when it is rolled out
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Reads a Deployment, its pods and their PersistentVolumeClaims.
  - Ends early when a container cannot start for O(patience) seconds, such as for an image that cannot be pulled.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Only reads.
    support: full
options:
  name:
    description: Name of the Deployment.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    required: true
  timeout:
    description: Seconds to wait until its newest change is rolled out; 0 checks once.
    type: float
    default: 0.0
  patience:
    description: Seconds for which a container may be unable to start.
    type: float
    default: 60.0
requirements:
  - kubernetes
"""

EXAMPLES = r"""
- name: Wait for the operator
  perfscale.mlflow.deployment_info:
    name: mlflow-operator-controller-manager
    namespace: opendatahub
    timeout: 180
  register: found
"""

RETURN = r"""
deployment:
  description: Its state.
  returned: success
  type: dict
  contains:
    ready:
      description: Whether its newest change is rolled out.
      type: bool
    ended:
      description: Why waiting ended, C(ready), C(problem) or C(time).
      type: str
    seconds:
      description: Duration of the wait.
      type: float
    reasons:
      description: What is missing, or what is wrong.
      type: list
      elements: str
    diagnosis:
      description: Unless it is ready, the newest warnings of the cluster about it.
      type: list
      elements: str
    exists:
      description: Whether there is such a Deployment.
      type: bool
    owned:
      description: Whether it carries our label.
      type: bool
    run_id:
      description: The run that created it if it is ours, else an empty text.
      type: str
    images:
      description: Image of each of its containers.
      type: dict
    versions:
      description:
        - Version that is declared for each of its containers, as C(version) and C(source), where it was found. It is a label, the ClusterServiceVersion of OLM,
          or the tag of the image. Where nothing declares it, C(version) is null, and C(source) says so.
      type: dict
    pods:
      description: Names of its pods.
      type: list
      elements: str
    nodes:
      description: Nodes on which they are.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.deployments import diagnose, facts, outcome_facts, wait_ready
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec


def argument_spec():
    """Return the module's options."""
    return {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "timeout": {"type": "float", "default": 0.0},
        "patience": {"type": "float", "default": 60.0},
    }


def run(options, cluster):
    """Return the module's result for its options. Raises ClusterError."""
    state, outcome = wait_ready(cluster, options["namespace"], options["name"], options["timeout"], options["patience"])
    diagnosis = [] if outcome.readiness.ready else diagnose(cluster, options["namespace"], state)
    return {"changed": False, "deployment": {**outcome_facts(outcome), "diagnosis": diagnosis, **facts(state)}}


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARIES), exception=MISSING)
    try:
        result = run(module.params, cluster_from(module.params))
    except ClusterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
