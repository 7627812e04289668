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
  - perfscale.mlflow.baseline
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
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.baseline import (
    OPTIONS,
    REQUIRED,
    Baselines,
    DataSet,
    LocalStore,
    carry_out,
    check_health,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import client_from, connection_spec
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError


def is_attached(directory, plan_digest):
    """Return whether the load of the cell goes on, or ended without a record, so that the cell is about what it found."""
    attempt = unrecorded_attempt(directory, plan_digest)
    return attempt is not None and (is_running(attempt["handle"]) or is_whole(Path(attempt["directory"])))


def run(params):
    """Return (changed, start state) for the module's options. Raises MlflowError, FileWriteError and ProcessError."""
    baselines = Baselines(LocalStore(params["database"]), params["mlflow_version"], DataSet(params["data_set_digest"], params["prefix"]))

    def goes_on(directory):
        if is_attached(directory, params["plan_digest"]):
            return True
        # A load that is of no use any more may not write into what is restored.
        stop_orphans(directory)
        return False

    changed, found = carry_out(baselines, params, goes_on)
    if found and found["status"] != "attached":
        client = client_from(params)
        try:
            check_health(client, DataSet(params["data_set_digest"], params["prefix"]), found["tenants"])
        finally:
            client.close()
    return changed, found


def main(create_module=AnsibleModule):
    """Run the module."""
    module = create_module(argument_spec={**connection_spec(), **OPTIONS}, required_if=REQUIRED, supports_check_mode=True)
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
