# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module cell_record: each phase by its arguments, and its failures."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import database_rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.baseline import Baselines, DataSet, LocalStore, StartState
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.database_rows import count_rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import measured_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.verdict import evaluate_rules
from ansible_collections.perfscale.mlflow.plugins.modules.cell_record import with_connections, with_rows, with_work
from fakes.record_parts import record_parts
from fakes.tracking_databases import FakeTrackingDatabase

ROOT = Path(__file__).resolve().parents[4]
SMOKE = yaml.safe_load((ROOT / "files" / "matrices" / "smoke.yml").read_text(encoding="utf-8"))
PLAN, OTHER = expand(SMOKE), expand({**SMOKE, "duration": "7s"})


@pytest.fixture(name="record")
def fixture_record(run_module, tmp_path):
    """Call the module on one run."""

    def call(phase, check=False, **arguments):
        common = {"phase": phase, "run_directory": str(tmp_path / "run-1"), "schema_directory": str(ROOT / "files" / "schemas")}
        if phase == "begin":
            common["scripts_directory"] = str(ROOT / "files" / "k6")
        return run_module("cell_record", {**common, **arguments}, check)

    return call


def test_a_run_from_begin_to_finish(record, tmp_path):
    assert record("begin", plan=PLAN)["record"]["todo"] == [cell["id"] for cell in PLAN["cells"]]
    failed = record("failed", cell=PLAN["cells"][0], cell_begun=1.0, reason="MLflow http://u:pass-w0rd@host did not answer.")
    assert failed["record"]["verdict"]["status"] == "failed"
    assert "MLflow http://***@host did not answer." in str(failed["record"]["verdict"])
    assert failed["record"]["retry"] is False
    finished = record("finish", reason="stopped by http://u:pass-w0rd@host")
    assert not [path for path in tmp_path.rglob("*.json") if "pass-w0rd" in path.read_text(encoding="utf-8")]
    assert finished["record"]["counts"]["missing"] == 3
    fingerprint = json.loads((tmp_path / "run-1" / "run.json").read_text(encoding="utf-8"))["fingerprint"]
    assert len(fingerprint["script_digest"]) == 12
    assert fingerprint["packages"]["pandas"].startswith("3.")


def test_a_cell_is_retried_once_if_its_generator_was_lost(record, tmp_path):
    record("begin", plan=PLAN)
    cell = PLAN["cells"][0]
    directory = tmp_path / "run-1" / "cells" / cell["id"]
    lost = {"cell": cell, "cell_begun": time.time(), "reason": "Wait for k6: lost its pod", "is_retryable": True}
    first, second = (record("failed", attempt={"n": n, "started": 5.0, "directory": str(directory / "attempts" / str(n))}, **lost) for n in (1, 2))
    assert (first["record"]["retry"], first["record"]["is_started"]) == (True, True)
    assert (second["record"]["retry"], second["record"]["is_started"]) == (False, True)
    attempts = json.loads((directory / "cell.json").read_text(encoding="utf-8"))["attempts"]
    assert [(entry["n"], entry["outcome"], entry["started"]) for entry in attempts] == [(1, "failed", 5.0), (2, "failed", 5.0)]


def test_another_job_can_ask_how_the_run_ended(record, tmp_path):
    record("begin", plan=PLAN)
    finished = record("finish", reason="stopped")
    before = (tmp_path / "run-1" / "run.json").read_bytes()
    asked = record("outcome")
    assert (asked["record"], asked["changed"]) == (finished["record"], False)
    assert (tmp_path / "run-1" / "run.json").read_bytes() == before


def test_check_mode_writes_nothing(record, tmp_path):
    assert record("begin", check=True, plan=PLAN)["changed"]
    assert not (tmp_path / "run-1").exists()


@pytest.mark.parametrize("check", [False, True])
def test_another_plan_fails_before_anything_is_written(record, tmp_path, check):
    assert record("compare", check, plan=PLAN)["changed"] is False
    record("begin", plan=PLAN)
    before = (tmp_path / "run-1" / "run.json").read_bytes()
    assert record("compare", check, plan=PLAN)["changed"] is False
    result = record("compare", check, plan=OTHER)
    assert result["failed"]
    assert "was planned differently (duration_s: 35.0 -> 7.0)" in result["msg"]
    assert (tmp_path / "run-1" / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    ("phase", "arguments", "sentence"),
    [
        pytest.param("begin", {}, "plan", id="begin-without-plan"),
        pytest.param("begin", {"plan": {"cells": []}}, "Document plan", id="not-a-plan"),
        pytest.param("finish", {}, "cannot be read", id="finish-before-begin"),
        pytest.param("failed", {"cell": PLAN["cells"][0]}, "reason", id="failed-without-reason"),
        pytest.param("measured", {"cell": PLAN["cells"][0]}, "attempt", id="measured-without-attempt"),
    ],
)
def test_failures(record, phase, arguments, sentence):
    answer = record(phase, **arguments)
    assert answer["failed"]
    assert sentence in answer["msg"]


@pytest.mark.parametrize(
    ("answers", "rows", "size", "warnings"),
    [
        pytest.param(
            {"before": {"database": {"rows": {"runs": 1}, "bytes": 8}}, "after": {"database": {"rows": {"runs": 3}, "bytes": 9}}},
            {"before": {"runs": 1}, "after": {"runs": 3}}, {"before": 8, "after": 9}, [], id="both",
        ),
        pytest.param(
            {"before": {"database": {"rows": {"runs": 1}, "bytes": 8}}, "after": {"failed": True, "msg": "Database: forbidden."}},
            {"before": {"runs": 1}, "after": None}, None, ["Database: forbidden."], id="one",
        ),
        pytest.param({"before": {"skipped": True}, "after": {"skipped": True}}, {"before": None, "after": None}, None, [], id="not-ours"),
    ],
)
def test_rows_of_a_database_in_a_cluster(answers, rows, size, warnings):
    parts = with_rows({"rows_before": None, "cluster_database": answers, "notes": {}}, {"kind": "postgres"})
    assert (parts["rows"], parts["database_bytes"], parts["notes"].get("warnings", [])) == (rows, size, warnings)


def test_a_database_that_cannot_be_read_costs_its_rows_and_no_more(tmp_path):
    parts = with_rows({"rows_before": {"runs": 1}, "notes": {"warnings": ["first"]}}, {"kind": "sqlite", "path": str(tmp_path / "absent.db")})
    assert parts["rows"] == {"before": {"runs": 1}, "after": None}
    assert parts["notes"]["warnings"][0] == "first"
    assert "rows cannot be counted" in parts["notes"]["warnings"][1]


BEFORE = {"commits": 10, "rollbacks": 1}


@pytest.mark.parametrize(
    ("parts", "after", "work"),
    [
        pytest.param({"work_before": BEFORE}, {"commits": 25, "rollbacks": 1}, {"commits": 15, "rollbacks": 0}, id="counted"),
        pytest.param({"work_before": BEFORE}, {"commits": 5, "rollbacks": 3}, None, id="reset meanwhile"),
        pytest.param({"work_before": BEFORE, "start_state": {"status": "attached"}}, {"commits": 25, "rollbacks": 1}, None, id="of an earlier load"),
        pytest.param({"work_before": None}, {"commits": 25, "rollbacks": 1}, None, id="not before"),
        pytest.param({"work_before": BEFORE}, None, None, id="not after"),
    ],
)
def test_the_work_of_our_postgresql_is_a_difference(monkeypatch, parts, after, work):
    monkeypatch.setattr(database_rows, "count_work", lambda _database: after)
    assert with_work(parts, {"kind": "postgres"})["database_work"] == work


def test_work_that_cannot_be_read_is_unknown():
    assert with_work({"work_before": BEFORE}, {"kind": "postgres", "dsn_file": "/absent"})["database_work"] is None


@pytest.mark.parametrize("database", [{"kind": "sqlite", "path": "/absent"}, {"kind": "postgres"}, {"kind": "postgres", "dsn_file": "/absent"}])
def test_without_a_postgresql_to_read_no_connections_are_counted(database):
    parts = {"resources": {"postgresql": {"instance_count_max": 12.0, "limits": {}}}}
    assert with_connections(parts, database) == parts


@pytest.mark.parametrize(
    ("database", "cause"),
    [
        pytest.param({"kind": "unknown"}, "this database cannot be restored", id="not-ours"),
        pytest.param({"kind": "unknown", "baselines_dir": "/b"}, "state_reset is never", id="not-wanted"),
        pytest.param({"kind": "postgres", "job": {"claim": "postgresql"}}, "state_reset is never", id="not-wanted-in-a-cluster"),
    ],
)
def test_a_cell_before_which_nothing_was_restored_has_the_reason(database, cause):
    start = with_rows({"state_reset": "never", "start_state": {}}, database)["start_state"]
    assert (start["status"], start["baseline"]) == ("never", None)
    assert cause in start["reason"]


@pytest.mark.parametrize(("status", "runs"), [("restored", 7), ("continued", 7), ("attached", 1)])
def test_rows_before_are_those_of_verification_unless_the_load_had_begun(status, runs):
    start = {"status": status, "reason": None, "rows": {"runs": 1}, "baseline": {"name": "t1", "rows": {"runs": 1, "spans": 0}}}
    parts = with_rows({"rows_before": {"runs": 7}, "state_reset": "cell", "start_state": start}, {"kind": "unknown"})
    assert parts["rows"]["before"] == {"runs": runs}
    assert parts["start_state"]["baseline"] == {"name": "t1", "rows": {"runs": 1}}


@pytest.mark.parametrize(
    ("written", "reasons"), [pytest.param([], [], id="nothing"), pytest.param([2, 3], ["start_differs: runs 3 instead of 1 rows."], id="two-runs")]
)
def test_what_is_written_between_restoration_and_load_makes_the_cell_invalid(tmp_path, written, reasons):
    database = FakeTrackingDatabase(tmp_path)
    database.add_run(1)
    baselines = Baselines(LocalStore(database.target), "3.17.2", DataSet("5f6a59d7ec68", "tenant-"))
    baselines.save_initial()
    start = StartState(baselines).saved("run-1/t1-c5-r1", 1)
    for number in written:
        database.add_run(number)
    given = {**record_parts(), "rows_before": count_rows(database.target), "state_reset": "cell", "start_state": start}
    cell = measured_record(PLAN["cells"][0], {}, with_rows(given, database.target))
    found = evaluate_rules(cell, yaml.safe_load((ROOT / "files" / "validity" / "default.yml").read_text(encoding="utf-8"))["rules"])["reasons"]
    assert [reason.partition(" The data")[0] for reason in found] == reasons


def test_a_file_in_place_of_the_results_directory_is_one_sentence(record, tmp_path):
    (tmp_path / "run-1").write_text("", encoding="utf-8")
    answer = record("begin", plan=PLAN)
    assert answer["failed"]
    assert "run-1" in answer["msg"]
    assert "Traceback" not in answer["msg"]
