#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: save the state of a managed MLflow in a cluster after prefill, and restore it before a cell."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_baseline
version_added: 0.2.0
short_description: Save the state of a managed MLflow in a cluster after prefill, and restore it before cells
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - As M(perfscale.mlflow.baseline), for an MLflow with the PostgreSQL that role C(postgresql) made in a cluster.
  - A Job with PostgreSQL's image connects over the network as the database's owner. Baselines are template databases of the same server, each with its
    description as its comment, and go with it. The database is restored all or nothing while MLflow keeps running.
  - A second container of the Job, with the image and on the node of MLflow, mounts its volume and removes the directories of runs that no baseline knows.
    Where artifacts are not in such a volume they stay, which C(start_state.reason) says.
  - That MLflow works with the restored database is for M(perfscale.mlflow.data_set_info) to see, through the API.
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
  - perfscale.mlflow.baseline
options:
  mlflow_pods:
    description: The pods of MLflow, as C(components.mlflow) of C(target.json) has them.
    type: dict
    required: true
  generator:
    description: The generator of C(target.json), which may still have the load of an earlier execution.
    type: dict
    required: true
  run_id:
    description: The run, with which Jobs are labelled.
    type: str
    required: true
attributes:
  check_mode:
    description: Changes nothing in check mode.
    support: full
requirements:
  - kubernetes
"""

EXAMPLES = r"""
- name: Restore the state of five tenants before a cell
  perfscale.mlflow.cluster_baseline:
    state: restored
    database: "{{ target.database }}"
    mlflow_pods: "{{ target.components.mlflow }}"
    generator: "{{ target.generator }}"
    run_id: run-1
    mlflow_version: "{{ target.mlflow.version }}"
    data_set_digest: 5f6a59d7ec68
    prefix: tenant-
    tenants: 5
    cell_directory: /results/run-1/cells/t5-c10-r1
"""

RETURN = r"""
start_state:
  description:
    - What the cell starts from, as M(perfscale.mlflow.baseline) returns it.
    - Empty with O(state=initialized) and in check mode.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import ERRORS
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.k6_operator import cluster_backend
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.baseline_store import ClusterStore
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.baseline import OPTIONS, REQUIRED, Baselines, DataSet, carry_out
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError


def argument_spec():
    """Return the module's options."""
    own = {"mlflow_pods": {"type": "dict", "required": True}, "generator": {"type": "dict", "required": True}, "run_id": {"type": "str", "required": True}}
    return {**connection_spec(), **OPTIONS, **own}


def run(params):
    """Return (changed, start state) for the module's options. Raises MlflowError and ERRORS."""
    cluster = cluster_from(params)
    try:
        store = ClusterStore(cluster, params["database"], params["mlflow_pods"], params["run_id"])
        baselines = Baselines(store, params["mlflow_version"], DataSet(params["data_set_digest"], params["prefix"]))
        backend = cluster_backend(params["generator"]["kind"], lambda: cluster)
        return carry_out(baselines, params, lambda directory: backend.goes_on(directory, params["generator"], params["plan_digest"]))
    finally:
        cluster.close()


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec=argument_spec(), required_if=REQUIRED, supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARIES), exception=MISSING)
    if module.check_mode:
        module.exit_json(changed=True, start_state={})
    try:
        changed, start_state = run(module.params)
    except (MlflowError, *ERRORS) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, start_state=start_state)


if __name__ == "__main__":
    main()
