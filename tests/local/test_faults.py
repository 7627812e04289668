# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults in the middle of a run: each is reported, finished cells remain valid, and the same run_id resumes the run."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
import yaml

from .conftest import ONE_CELL
from .suite import ROOT

DEFAULT_RULES = ROOT / "files/validity/default.yml"
TWO_CELLS = {**ONE_CELL, "test_matrix_concurrency": "2,3"}


@pytest.fixture(name="stack", scope="module")
def fixture_stack(suite_in):
    """A local stack whose faults the tests below cause, one after the other."""
    suite = suite_in("faults")
    assert suite.play("deploy", {"run_id": "deployed"}).returncode == 0
    return suite


def reasons(record):
    return " ".join(record["verdict"]["reasons"])


def test_a_killed_k6_breaks_its_cell_and_no_other(stack):
    playing = stack.start("full_suite", {**TWO_CELLS, "run_id": "k6-killed"})
    state = stack.wait_for_load("k6-killed", "t1-c3-r1")
    os.kill(state["handle"]["pid"], signal.SIGKILL)
    assert playing.wait(timeout=300) != 0
    assert stack.cell("t1-c2-r1", "k6-killed")["verdict"]["status"] == "valid"
    broken = stack.cell("t1-c3-r1", "k6-killed")
    assert broken["verdict"]["status"] in ("invalid", "failed")
    assert "kill" in reasons(broken) or "137" in reasons(broken)
    assert (stack.results / "k6-killed" / "report" / "index.html").is_file()


def test_the_same_run_id_repeats_only_the_broken_cell(stack):
    before = stack.cell("t1-c2-r1", "k6-killed")
    assert stack.play("full_suite", {**TWO_CELLS, "run_id": "k6-killed"}).returncode == 0
    assert stack.cell("t1-c2-r1", "k6-killed") == before
    repeated = stack.cell("t1-c3-r1", "k6-killed")
    assert [(entry["n"], entry["outcome"] == "valid") for entry in repeated["attempts"]] == [(1, False), (2, True)]


def test_a_killed_controller_loses_no_cell(stack):
    playing = stack.start("full_suite", {**ONE_CELL, "run_id": "controller-killed"})
    state = stack.wait_for_load("controller-killed", "t1-c3-r1")
    os.killpg(playing.pid, signal.SIGKILL)
    playing.wait(timeout=60)
    assert psutil.pid_exists(state["handle"]["pid"])
    assert stack.play("full_suite", {**ONE_CELL, "run_id": "controller-killed"}).returncode == 0
    cell = stack.cell("t1-c3-r1", "controller-killed")
    assert cell["verdict"]["status"] == "valid"
    assert [entry["n"] for entry in cell["attempts"]] == [1]
    assert cell["window"]["start"] < state["started"] + 30


def test_resume_latest_needs_no_run_id(stack):
    resumed = stack.play("full_suite", {**ONE_CELL, "resume": "latest"})
    assert resumed.returncode == 0
    assert "Run controller-killed goes on: 0 of 1 cells to run" in " ".join(resumed.stdout.split())


def test_a_killed_mlflow_invalidates_the_cell_with_the_reason(stack):
    playing = stack.start("full_suite", {**ONE_CELL, "test_matrix_concurrency": "2,3", "run_id": "mlflow-killed"})
    stack.wait_for_load("mlflow-killed", "t1-c2-r1")
    [mlflow] = [process for process in stack.processes() if "mlflow" in " ".join(process.cmdline()) and "--backend-store-uri" in process.cmdline()]
    for process in [*mlflow.children(recursive=True), mlflow]:
        process.kill()
    assert playing.wait(timeout=300) != 0
    broken = stack.cell("t1-c2-r1", "mlflow-killed")
    assert broken["verdict"]["status"] in ("invalid", "failed")
    assert any(word in reasons(broken) for word in ("connection", "unreachable", "ended or restarted"))
    assert stack.cell("t1-c3-r1", "mlflow-killed")["verdict"]["status"] == "failed"
    assert "Traceback" not in (stack.directory / "play.log").read_text(encoding="utf-8")


def test_allow_partial_turns_the_exit_code_and_not_the_verdict(stack):
    objective = {"name": "experiments are created", "select": "create_experiment", "metric": "error_ratio", "max": 0.01, "severity": "warning"}
    objectives = stack.directory / "objectives.yml"
    objectives.write_text(yaml.safe_dump({"schema_version": 1, "objectives": [objective]}), encoding="utf-8")
    files = {"test_matrix_validity_file": str(DEFAULT_RULES), "test_matrix_slo_file": str(objectives)}
    short = {**ONE_CELL, "test_matrix_duration": "6s", **files, "run_id": "partial"}
    allowed = stack.play("full_suite", {**short, "allow_partial": True})
    assert allowed.returncode == 0
    assert "operation_samples: create_experiment" in reasons(stack.cell("t1-c3-r1", "partial"))
    rejected = stack.play("verdict", short)
    assert rejected.returncode != 0
    assert "0 of 1 cells are valid" in rejected.stdout


def test_teardown_leaves_nothing_listening_and_keeps_the_data(stack):
    assert stack.play("teardown").returncode == 0
    assert stack.processes() == []
    assert list(stack.directory.glob(".perfscale/**/*.db"))
