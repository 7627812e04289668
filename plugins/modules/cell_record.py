# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write cell.json and run.json; nothing else does."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cell_record
version_added: 0.1.0
short_description: Write the records of a run and its cells
author:
  - perfscale.mlflow contributors (@perfscale)
description:
  - The only writer of C(run.json) and C(cell.json). Every document is validated against its JSON Schema and written atomically with a checksum of itself.
  - What it reads is verified against checksum and schema, and so is every file that the record of a cell names. Damage is named by file and field.
  - Acquires the lock of the run at O(phase=begin) and releases it at O(phase=finish).
attributes:
  check_mode:
    description: Can run in check mode without changing anything.
    support: full
options:
  phase:
    description:
      - V(compare) fails for a plan that differs from the one of an existing run, V(begin) creates the run or resumes it.
      - V(measured) records a measured cell with its verdict, V(failed) records a cell without measurement.
      - V(finish) evaluates the objectives and closes the run, V(outcome) only returns how a closed run ended. Both open every record and file of it.
    type: str
    choices: [compare, begin, measured, failed, finish, outcome]
    required: true
  run_directory:
    description: The directory of the run, its name is the run_id.
    type: path
    required: true
  schema_directory:
    description: The directory of the JSON Schemas.
    type: path
    required: true
  plan:
    description: The plan of the run, required with O(phase=compare) and O(phase=begin).
    type: dict
  config:
    description: The settings of the run without secrets, for C(run.json).
    type: dict
    default: {}
  fingerprint:
    description: What is measured (versions, digests, settings), for C(run.json).
    type: dict
    default: {}
  scripts_directory:
    description: The directory of the load scripts, whose digest becomes part of the fingerprint, required with O(phase=begin).
    type: path
  cell:
    description: The planned cell, required with O(phase=measured) and O(phase=failed).
    type: dict
  factors:
    description: The complete factors of the cell.
    type: dict
    default: {}
  attempt:
    description:
      - The attempt of the load as the module that started it returned it, with its number C(n) and its start C(started) in epoch seconds.
      - With O(phase=failed) it may be empty, or one of an earlier cell or attempt, when the cell failed before its load was started. It needs
        C(directory) to be distinguished from those.
      - Required with O(phase=measured).
    type: dict
  cell_begun:
    description: When this execution began the cell, in epoch seconds, required with O(phase=failed).
    type: float
  is_retryable:
    description: Whether the cell failed with O(phase=failed) because its load generator was lost, and not because of what is measured.
    type: bool
    default: false
  parts:
    description: What the stages measured (result, resources, exit, generator, controller, rows_before, bytes_before, work_before, notes,
        timings, state_reset, start_state, unreachable_s, lease, disturbances, cluster_database).
    type: dict
    default: {}
  database:
    description:
      - The tracking database where it may be read directly, as in C(target.json). With O(phase=measured) its rows are counted, and of a PostgreSQL its
        processes that are no connections and its statistics, read-only.
    type: dict
    default: {}
  rules:
    description: The validity rules.
    type: list
    elements: dict
    default: []
  objectives:
    description: The objectives, which O(phase=finish) evaluates; with O(phase=measured) they tell of which operations few samples matter.
    type: list
    elements: dict
    default: []
  reason:
    description: Why the cell failed, or why the run ended early.
    type: str
"""

EXAMPLES = r"""
- name: Begin or resume a run
  perfscale.mlflow.cell_record:
    phase: begin
    run_directory: /results/run-1
    schema_directory: /collection/files/schemas
    plan: "{{ plan }}"
    scripts_directory: /collection/files/k6

- name: Record a cell without measurement
  perfscale.mlflow.cell_record:
    phase: failed
    run_directory: /results/run-1
    schema_directory: /collection/files/schemas
    cell: "{{ plan.cells[0] }}"
    cell_begun: 1764412345.6
    reason: MLflow did not answer.
"""

RETURN = r"""
record:
  description:
    - With O(phase=compare) nothing.
    - With O(phase=begin) the keys resumed, todo, done, remaining_s, the seconds of load that come after each cell to run, by its id, and warnings.
    - With O(phase=measured) and O(phase=failed) the keys id, verdict, n (samples of the window) and retry, whether to measure the cell once more.
    - With O(phase=failed) also is_started, whether the load of the cell was started and may still be running.
    - With O(phase=finish) and O(phase=outcome) the keys ok, intact, reasons, counts (planned, valid, invalid, failed, missing, damaged) and warnings.
  returned: success
  type: dict
"""

import traceback
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import redact_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import database_rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import (
    assess_failure,
    begin_run,
    start_state_of,
    write_failed,
    write_measured,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import PlanMismatchError, Run, RunLockedError, controller_fingerprint, outcome_of

try:
    import jsonschema  # noqa: F401 # pylint: disable=unused-import
    import psutil  # noqa: F401 # pylint: disable=unused-import
except ImportError:
    MISSING = traceback.format_exc()
else:
    MISSING = None


def summary_of(record: dict[str, Any]) -> dict[str, Any]:
    """Return the few keys of a cell's record that a playbook reads."""
    return {"id": record["id"], "verdict": record["verdict"], "n": record.get("total", {}).get("n", 0), "retry": False}


def with_rows(parts: dict[str, Any], database: dict[str, Any]) -> dict[str, Any]:
    """Return the parts with the rows of the tables before and after; a database that cannot be read costs its rows, not the measurement."""
    notes, problems = parts.get("notes", {}), []
    start = parts.get("start_state") or {}
    # What was counted now says nothing about the start of a load that an earlier execution began.
    rows_before = start.get("rows") if start.get("status") == "attached" else parts.get("rows_before")
    found = {"before": {"rows": rows_before, "bytes": parts.get("bytes_before")}, "after": {"rows": None, "bytes": None}}
    try:
        found["after"] = {"rows": database_rows.count_rows(database), "bytes": database_rows.count_bytes(database)}
    except MlflowError as error:
        problems.append(str(error))
    for when, answer in parts.get("cluster_database", {}).items():
        found[when] = answer.get("database") or found[when]
        problems += [answer["msg"]] if answer.get("msg") else []
    if problems:
        notes = {**notes, "warnings": [*notes.get("warnings", []), *dict.fromkeys(problems)]}
    rows, size = ({when: values[key] for when, values in found.items()} for key in ("rows", "bytes"))
    return {**parts, "start_state": start_state_of(parts, database), "rows": rows, "database_bytes": None if None in size.values() else size, "notes": notes}


def with_work(parts: dict[str, Any], database: dict[str, Any]) -> dict[str, Any]:
    """Return the parts with what our PostgreSQL did for the load, None where it is not known from the beginning of the load on."""
    before = parts.get("work_before")
    if (parts.get("start_state") or {}).get("status") == "attached":
        before = None
    try:
        after = database_rows.count_work(database) if before else None
    except MlflowError:
        # with_rows has the same problem, and says it.
        after = None
    work = {name: after[name] - before[name] for name in after} if before and after else None
    # Statistics that were reset meanwhile say nothing.
    return {**parts, "database_work": work if work and min(work.values()) >= 0 else None}


def with_connections(parts: dict[str, Any], database: dict[str, Any]) -> dict[str, Any]:
    """Return the parts with the most connections of the window among the resources of our PostgreSQL, from the number of its processes."""
    server = (parts.get("resources") or {}).get("postgresql") or {}
    processes = server.get("instance_count_max")
    try:
        known = database_rows.server_processes(database) if processes else None
    except MlflowError:
        # with_rows has the same problem, and says it.
        known = None
    if not known:
        return parts
    server = {
        **server,
        "connections_max": max(0, processes - known["background"]),
        "limits": {**server["limits"], "connections": known["max_connections"]},
    }
    return {**parts, "resources": {**parts["resources"], "postgresql": server}}


def write(params: dict[str, Any]) -> dict[str, Any]:
    """Write the record of the phase, if it has one, and return its summary."""
    run = Run(params["run_directory"], params["schema_directory"])
    cell, factors, attempt = params["cell"], params["factors"], params["attempt"]
    if params["phase"] == "compare":
        run.compare(params["plan"])
        return {}
    if params["phase"] == "begin":
        fingerprint = {**params["fingerprint"], **controller_fingerprint(params["scripts_directory"])}
        return begin_run(run, params["plan"], params["config"], fingerprint)
    if params["phase"] == "measured":
        parts = params["parts"]
        for add in (with_rows, with_work, with_connections):
            parts = add(parts, params["database"])
        return summary_of(write_measured(run, cell, factors, parts, attempt, params["rules"], params["objectives"]))
    if params["phase"] == "failed":
        failure = assess_failure(run.cell_directory(cell["id"]), attempt or {}, params["cell_begun"], params["is_retryable"])
        record = write_failed(run, cell, factors, redact_text(params["reason"]), failure.attempt, params["parts"].get("notes", {}))
        return {**summary_of(record), "retry": failure.retry, "is_started": failure.is_started}
    if params["phase"] == "outcome":
        return outcome_of(run.examine())
    return run.finish(params["objectives"], params["reason"] and redact_text(params["reason"]))


def main(create_module: type[AnsibleModule] = AnsibleModule) -> None:
    module = create_module(
        argument_spec={
            "phase": {"type": "str", "required": True, "choices": ["compare", "begin", "measured", "failed", "finish", "outcome"]},
            "run_directory": {"type": "path", "required": True},
            "schema_directory": {"type": "path", "required": True},
            "plan": {"type": "dict"},
            "config": {"type": "dict", "default": {}},
            "fingerprint": {"type": "dict", "default": {}},
            "scripts_directory": {"type": "path"},
            "cell": {"type": "dict"},
            "factors": {"type": "dict", "default": {}},
            "attempt": {"type": "dict"},
            "cell_begun": {"type": "float"},
            "is_retryable": {"type": "bool", "default": False},
            "parts": {"type": "dict", "default": {}},
            "database": {"type": "dict", "default": {}},
            "rules": {"type": "list", "elements": "dict", "default": []},
            "objectives": {"type": "list", "elements": "dict", "default": []},
            "reason": {"type": "str"},
        },
        required_if=[
            ("phase", "compare", ["plan"]),
            ("phase", "begin", ["plan", "scripts_directory"]),
            ("phase", "measured", ["cell", "attempt"]),
            ("phase", "failed", ["cell", "cell_begun", "reason"]),
        ],
        supports_check_mode=True,
    )
    if MISSING:
        module.fail_json(msg=missing_required_lib("jsonschema and psutil"), exception=MISSING)
    if module.params["database"].get("dsn_file") and database_rows.psycopg is None:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=database_rows.PSYCOPG_ERROR)
    changes = module.params["phase"] not in ("compare", "outcome")
    if module.check_mode and changes:
        module.exit_json(changed=True, record={})
    try:
        record = write(module.params)
    except (FileWriteError, K6ResultError, RunLockedError, MlflowError, PlanMismatchError, ValueError) as error:
        module.fail_json(msg=str(error))
    for warning in record.get("warnings", []):
        module.warn(warning)
    module.exit_json(changed=changes, record=record)


if __name__ == "__main__":
    main()
