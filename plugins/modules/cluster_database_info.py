#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count the rows of a database that this collection deployed in a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_database_info
short_description: Count the rows of a database in a cluster
author:
  - perfscale.mlflow contributors (@perfscale)
version_added: 0.2.0
description:
  - Counts the rows of all tables, and reads the size. PostgreSQL is read by a Job with psql; the file of SQLite by one command in MLflow's pod, which alone
    can open it.
  - Nothing is changed. The user needs the permission to create Jobs in the namespace of PostgreSQL, or to run commands in the pod of MLflow.
requirements:
  - kubernetes
attributes:
  check_mode:
    description: Only reads.
    support: full
extends_documentation_fragment:
  - perfscale.mlflow.cluster_connection
options:
  kind:
    description: Kind of the database.
    type: str
    choices: [sqlite, postgres]
    required: true
  job:
    description: How a Job reads it, as C(database.job) of C(target.json) has it. Required for O(kind=postgres).
    type: dict
  run_id:
    description: The run, with which the Job is labelled.
    type: str
    default: ""
  pod:
    description: Where a command can read the database. Required for O(kind=sqlite).
    type: dict
    suboptions:
      namespace:
        description: Namespace of the pod.
        type: str
        required: true
      pod:
        description: Regular expression that matches the whole name of the pod.
        type: str
        required: true
      container:
        description: Its container.
        type: str
        required: true
      path:
        description: The file of SQLite in it.
        type: str
"""

EXAMPLES = r"""
- name: Count the rows of MLflow's SQLite file
  perfscale.mlflow.cluster_database_info:
    kind: sqlite
    pod:
      namespace: opendatahub
      pod: "mlflow-[a-z0-9]+-[a-z0-9]{5}"
      container: mlflow
      path: /mlflow/mlflow.db
  register: database
"""

RETURN = r"""
database:
  description: What the database holds.
  returned: success
  type: dict
  contains:
    rows:
      description: Number of rows by table.
      type: dict
    bytes:
      description: Its size in bytes.
      type: int
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import LIBRARIES, MISSING, cluster_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.database import read_database
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec


def argument_spec():
    """Return the module's options."""
    place = {name: {"type": "str", "required": True} for name in ("namespace", "pod", "container")}
    return {
        **connection_spec(),
        "kind": {"type": "str", "choices": ["sqlite", "postgres"], "required": True},
        "job": {"type": "dict"},
        "run_id": {"type": "str", "default": ""},
        "pod": {"type": "dict", "options": {**place, "path": {"type": "str"}}},
    }


def main(create_module=AnsibleModule):
    """Run the module."""
    required = [("kind", "postgres", ["job"]), ("kind", "sqlite", ["pod"])]
    module = create_module(argument_spec=argument_spec(), required_if=required, supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(LIBRARIES), exception=MISSING)
    try:
        cluster = cluster_from(module.params)
        module.exit_json(changed=False, database=read_database(cluster, module.params, module.params["run_id"]))
    except ClusterError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
