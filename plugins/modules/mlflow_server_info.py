#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return the state of the operator's MLflow, at once or when it is ready."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mlflow_server_info
version_added: 0.2.0
short_description: Get the state of an operator's MLflow, at once or when it is ready
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - Reads the resource MLflow C(mlflow), its Deployment, its pods, its PersistentVolumeClaim and the pods of its migrations.
  - Ready means that the Deployment shows the settings of the resource and is rolled out, that the resource is C(Available) and not C(Progressing),
    and that its status names a version.
  - Ends early when the operator gave up a migration, or when a container cannot start for O(patience) seconds.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
attributes:
  check_mode:
    description: Only reads.
    support: full
options:
  namespace:
    description: Namespace of the operator, in which it puts MLflow.
    type: str
    required: true
  timeout:
    description: Seconds to wait for it to be ready; 0 checks once.
    type: float
    default: 0.0
  patience:
    description: Seconds for which a container may be unable to start, such as for an image that cannot be pulled.
    type: float
    default: 60.0
requirements:
  - kubernetes
"""

EXAMPLES = r"""
- name: Wait for MLflow
  perfscale.mlflow.mlflow_server_info:
    namespace: opendatahub
    timeout: 300
  register: found
"""

RETURN = r"""
server:
  description: Its state.
  returned: success
  type: dict
  contains:
    ready:
      description: Whether it serves what its resource specifies.
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
      description: Unless it is ready, warnings of the cluster about it and the end of the migration's log.
      type: list
      elements: str
    exists:
      description: Whether the resource exists.
      type: bool
    owned:
      description: Whether it carries our label.
      type: bool
    generation:
      description: Its generation.
      type: int
    version:
      description: Version of MLflow, as the operator reports it.
      type: str
    internal_url:
      description: URL inside the cluster.
      type: str
    external_url:
      description: URL outside, if the operator knows one.
      type: str
    conditions:
      description: Its conditions.
      type: list
      elements: dict
    replicas:
      description: Requested number of pods.
      type: int
    workers:
      description: Worker processes of each.
      type: int
    image:
      description: Image of the server.
      type: str
    image_id:
      description: Digest of the image that runs.
      type: str
    resources:
      description: Requests and limits of the server's container.
      type: dict
    env:
      description: Variables that the resource sets to plain values.
      type: dict
    database:
      description: C(sqlite), C(postgres) or C(unknown).
      type: str
    nodes:
      description: Nodes on which its pods are.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.deployments import outcome_facts
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.mlflow_server import diagnose, facts, wait_ready


def argument_spec():
    """Return the module's options."""
    return {
        **connection_spec(),
        "namespace": {"type": "str", "required": True},
        "timeout": {"type": "float", "default": 0.0},
        "patience": {"type": "float", "default": 60.0},
    }


def run(options, cluster):
    """Return the module's result for its options. Raises ClusterError."""
    state, outcome = wait_ready(cluster, options["namespace"], options["timeout"], options["patience"])
    diagnosis = [] if outcome.readiness.ready else diagnose(cluster, options["namespace"], state)
    return {"changed": False, "server": {**outcome_facts(outcome), "diagnosis": diagnosis, **facts(state)}}


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
