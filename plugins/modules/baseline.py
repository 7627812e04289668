#!/usr/bin/python
# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: save the state of a managed MLflow after prefill, and restore it before a cell."""

from __future__ import annotations

DOCUMENTATION = r"""
module: baseline
version_added: 0.2.0
short_description: Save the state of a managed MLflow after prefill, and restore it before cells
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - A baseline is the state of database and artifacts with the data set in a number of tenants. It is saved before any load, and restored before
    cells, so that all of them start from the same data.
  - The database is restored all or nothing while MLflow keeps running, from a template database of PostgreSQL or through the backup API of SQLite.
    Sessions of PostgreSQL are ended; MLflow connects again.
  - Of the artifacts only the directories of runs that no baseline knows are removed.
  - Everything else that was in the database since is lost, so only databases of this collection are restored.
extends_documentation_fragment:
  - perfscale.mlflow.mlflow_connection
options:
  state:
    description:
      - V(initialized) saves the current state as the initial baseline, of no tenants, unless there are baselines. It fails if there are any of another
        MLflow version, schema revision or kind of database.
      - V(restored) restores the baseline of O(tenants), or the one with the next smaller number, on which the level is then built.
      - V(saved) saves the current state as the baseline of O(tenants) and restores it, so that the first cell of a level starts as the others do.
    type: str
    choices: [initialized, restored, saved]
    required: true
  database:
    description: The database of C(target.json), with C(baselines_dir) and C(artifacts_dir).
    type: dict
    required: true
  mlflow_version:
    description: Version of the server.
    type: str
    required: true
  data_set_digest:
    description: Digest of the data set.
    type: str
    required: true
  prefix:
    description: Prefix of the tenants' names.
    type: str
    required: true
  tenants:
    description: Number of tenants of the level, required unless O(state=initialized).
    type: int
  state_reset:
    description: With V(level) a level that the same run restored last is not restored again.
    type: str
    choices: [cell, level]
    default: cell
  cell_directory:
    description: >-
      Directory of the cell in the results of its run, required unless O(state=initialized). While the load of an earlier execution runs there, or its
      samples are still to be recorded, nothing is restored.
    type: path
  plan_digest:
    description: Digest of the plan to which such a load has to belong.
    type: str
    default: ""
attributes:
  check_mode:
    description: Changes nothing in check mode.
    support: full
requirements:
  - psycopg (for PostgreSQL)
"""

EXAMPLES = r"""
- name: Restore the state of five tenants before a cell
  perfscale.mlflow.baseline:
    state: restored
    url: "{{ target.mlflow.url }}"
    mlflow_version: "{{ target.mlflow.version }}"
    database: "{{ target.database }}"
    data_set_digest: 5f6a59d7ec68
    prefix: tenant-
    tenants: 5
    cell_directory: /results/run-1/cells/t5-c10-r1
"""

RETURN = r"""
start_state:
  description:
    - What the cell starts from, with the keys status (restored, continued or attached), reason, cell, tenants (with the data set), seconds,
      removed_runs, baseline (name, tenants, data_set_digest, prefix, mlflow_version, schema_revision, database_kind, rows) and rows (counted by table).
    - Empty with O(state=initialized) and in check mode.
  returned: success
  type: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import is_whole, unrecorded_attempt
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.process import is_running, stop_orphans
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import ProcessError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import database_rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.baseline import Baselines, DataSet, LocalStore, StartState, check_health
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import client_from, connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError


def argument_spec():
    """Return the module's options."""
    return {
        **connection_spec(),
        "state": {"type": "str", "choices": ["initialized", "restored", "saved"], "required": True},
        "database": {"type": "dict", "required": True},
        "mlflow_version": {"type": "str", "required": True},
        "data_set_digest": {"type": "str", "required": True},
        "prefix": {"type": "str", "required": True},
        "tenants": {"type": "int"},
        "state_reset": {"type": "str", "choices": ["cell", "level"], "default": "cell"},
        "cell_directory": {"type": "path"},
        "plan_digest": {"type": "str", "default": ""},
    }


def is_attached(directory, plan_digest):
    """Return whether the load of the cell goes on, or ended without a record, so that the cell is about what it found."""
    attempt = unrecorded_attempt(directory, plan_digest)
    return attempt is not None and (is_running(attempt["handle"]) or is_whole(Path(attempt["directory"])))


def run(params):
    """Return (changed, start state) for the module's options. Raises MlflowError, FileWriteError and ProcessError."""
    data_set = DataSet(params["data_set_digest"], params["prefix"])
    baselines = Baselines(LocalStore(params["database"]), params["mlflow_version"], data_set)
    if params["state"] == "initialized":
        baselines.check()
        return baselines.save_initial(), {}
    state, directory, tenants = StartState(baselines), Path(params["cell_directory"]), params["tenants"]
    cell = f"{directory.parents[1].name}/{directory.name}"
    if is_attached(directory, params["plan_digest"]):
        return False, state.attached(cell, tenants)
    # A load that is of no use any more may not write into what is restored.
    stop_orphans(directory)
    found = state.saved(cell, tenants) if params["state"] == "saved" else state.restored(cell, tenants, params["state_reset"])
    client = client_from(params)
    try:
        check_health(client, data_set, found["tenants"])
    finally:
        client.close()
    return found["status"] == "restored", found


def main(create_module=AnsibleModule):
    """Run the module."""
    levels = ["tenants", "cell_directory"]
    module = create_module(argument_spec=argument_spec(), required_if=[("state", "restored", levels), ("state", "saved", levels)], supports_check_mode=True)
    if module.params["database"].get("dsn_file") and database_rows.psycopg is None:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=database_rows.PSYCOPG_ERROR)
    if module.check_mode:
        module.exit_json(changed=True, start_state={})
    try:
        changed, start_state = run(module.params)
    except (MlflowError, FileWriteError, ProcessError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, start_state=start_state)


if __name__ == "__main__":
    main()
