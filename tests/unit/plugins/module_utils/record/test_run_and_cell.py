# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run.json and cell.json: begin, record, resume, refuse, finish."""

from __future__ import annotations

import json
import subprocess
import sys

import psutil
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.atomic import read_json, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import assess_failure, generator_of, write_failed, write_measured
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.lock import LOCK_NAME, Locked
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import RunRefused

OBJECTIVES = [{"name": "requests succeed", "select": "total", "metric": "error_ratio", "max": 0.01, "severity": "error"}]


@pytest.fixture(name="measure")
def fixture_measure(run, plan, parts, rules, attempt):
    """Records the cell at an index as measured."""

    def measure(index, n=1, **changed):
        cell = plan["cells"][index]
        return write_measured(run, cell, {"db_backend": "sqlite"}, {**parts, **changed}, attempt(run, cell, n, f"samples {n}"), rules)

    return measure


def test_begin_creates_the_run_and_points_latest_to_it(run, plan):
    begun = run.begin(plan, {"preset": "smoke"}, {})
    assert begun == {"resumed": False, "todo": [cell["id"] for cell in plan["cells"]], "done": []}
    assert (run.directory.parent / "latest").resolve() == run.directory
    assert run.load()["status"] == "incomplete"


def test_begin_leaves_a_foreign_directory_called_latest_alone(run, plan):
    foreign = run.directory.parent / "latest"
    foreign.mkdir(parents=True)
    run.begin(plan, {}, {})
    assert foreign.is_dir() and not foreign.is_symlink()


def test_a_measured_cell_moves_up_and_lists_its_files(run, plan, measure):
    run.begin(plan, {}, {})
    record = measure(0)
    directory = run.cell_directory(record["id"])
    assert record["verdict"] == {"status": "valid", "reasons": [], "warnings": []}
    assert (directory / "samples.csv.gz").exists() and not (directory / "attempts").exists()
    assert set(record["files"]) == {"samples.csv.gz"}
    assert read_json(directory / "cell.json") == json.loads(json.dumps(record))
    assert [cell["id"] for cell in run.load()["cells"]] == [record["id"]]


def test_the_factors_are_in_the_spec(run, plan, measure):
    run.begin(plan, {}, {})
    assert measure(0)["spec"]["factors"] == {"db_backend": "sqlite", "profile": "closed"}


def test_resume_keeps_valid_cells_and_repeats_the_others(run, plan, measure):
    run.begin(plan, {}, {})
    measure(0)
    write_failed(run, plan["cells"][1], {}, "MLflow did not answer.", {"n": 1}, {})
    assert run.begin(plan, {}, {}) == {"resumed": True, "todo": [cell["id"] for cell in plan["cells"][1:]], "done": [plan["cells"][0]["id"]]}


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "record"])
def test_resume_repeats_a_cell_whose_files_are_damaged(run, plan, measure, damage):
    run.begin(plan, {}, {})
    directory = run.cell_directory(measure(0)["id"])
    samples = directory / "samples.csv.gz"
    if damage == "flip":
        samples.write_text("sampleS 1", encoding="utf-8")
    elif damage == "truncate":
        samples.write_text("sam", encoding="utf-8")
    elif damage == "remove":
        samples.unlink()
    else:
        (directory / "cell.json").write_text("{", encoding="utf-8")
    assert plan["cells"][0]["id"] in run.begin(plan, {}, {})["todo"]


def test_another_plan_under_the_same_run_id_is_refused_with_the_differences(run, plan):
    run.begin(plan, {}, {})
    other = expand({"schema_version": 1, "name": "smoke", "axes": {"tenants": [1], "concurrency": [5]}, "duration": "35s", "warmup": "5s"})
    with pytest.raises(RunRefused, match=r"was planned differently \(concurrency: \[5, 10\] -> \[5\]; tenants: \[1, 5\] -> \[1\]\)"):
        run.begin(other, {}, {})


def test_a_second_playbook_on_the_same_run_is_refused(run, plan):
    run.begin(plan, {}, {})
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        holder = {"pid": other.pid, "start_time": psutil.Process(other.pid).create_time()}
        (run.directory / LOCK_NAME).write_text(json.dumps(holder), encoding="utf-8")
        with pytest.raises(Locked, match=f"pid {other.pid} works on it"):
            run.begin(plan, {}, {})
        other.communicate(b"\n")
    assert run.begin(plan, {}, {})["resumed"]


def test_an_earlier_attempt_goes_back_to_its_place(run, plan, measure, parts):
    run.begin(plan, {}, {})
    measure(0, exit={**parts["exit"], "exit_code": 107})
    record = measure(0, n=2)
    directory = run.cell_directory(record["id"])
    assert [(entry["n"], entry["outcome"]) for entry in record["attempts"]] == [(1, "invalid"), (2, "valid")]
    assert (directory / "samples.csv.gz").read_text(encoding="utf-8") == "samples 2"
    assert (directory / "attempts" / "1" / "samples.csv.gz").read_text(encoding="utf-8") == "samples 1"


def test_an_attempt_without_record_is_listed_as_failed(run, plan, measure):
    run.begin(plan, {}, {})
    assert [entry["outcome"] for entry in measure(0, n=2)["attempts"]] == ["failed", "valid"]


@pytest.mark.parametrize(
    ("recorded", "latest", "attempt", "is_started"),
    [
        pytest.param([], None, {"n": 1, "started": 100.0}, False, id="nothing-started"),
        pytest.param([], (0, 1), {"n": 1, "started": 105.0}, True, id="started"),
        pytest.param([], (1, 1), {"n": 1, "started": 100.0}, False, id="started-for-an-earlier-cell"),
        pytest.param([(1, 110.0)], (0, 1), {"n": 2, "started": 100.0}, False, id="started-for-the-attempt-before"),
        pytest.param([(1, 110.0)], (0, 2), {"n": 2, "started": 105.0}, True, id="second-attempt-started"),
        pytest.param([(1, 50.0), (2, 60.0)], None, {"n": 3, "started": 100.0}, False, id="attempts-of-an-earlier-execution-keep-their-numbers"),
    ],
)
def test_the_attempt_that_failed(run, plan, recorded, latest, attempt, is_started):
    record_attempts(run, plan, recorded)
    directories = [run.cell_directory(cell["id"]) for cell in plan["cells"]]
    started = {"n": latest[1], "directory": str(directories[latest[0]] / "attempts" / "1"), "started": 105.0, "handle": {}} if latest else {}
    failure = assess_failure(directories[0], started, 100.0, is_retryable=False)
    assert failure.attempt == attempt
    assert failure.is_started is is_started


@pytest.mark.parametrize(
    ("recorded", "is_retryable", "retry"),
    [
        pytest.param([], False, False, id="a-failure-of-what-is-measured"),
        pytest.param([], True, True, id="a-lost-generator"),
        pytest.param([(1, 110.0)], True, False, id="lost-a-second-time"),
        pytest.param([(1, 50.0), (2, 60.0)], True, True, id="lost-twice-in-an-earlier-execution"),
        pytest.param([(1, None)], True, True, id="an-earlier-attempt-without-record"),
    ],
)
def test_only_a_lost_generator_is_retried_and_only_once(run, plan, recorded, is_retryable, retry):
    record_attempts(run, plan, recorded)
    assert assess_failure(run.cell_directory(plan["cells"][0]["id"]), {}, 100.0, is_retryable).retry is retry


def record_attempts(run, plan, recorded):
    """Write a cell.json of the first cell that knows only attempts, given as pairs of number and end."""
    if recorded:
        write_json(run.cell_directory(plan["cells"][0]["id"]) / "cell.json", {"attempts": [{"n": n, "ended": ended} for n, ended in recorded]})


def test_finish_says_what_is_missing_and_gives_the_lock_back(run, plan, measure):
    run.begin(plan, {}, {})
    measure(0)
    write_failed(run, plan["cells"][1], {}, "MLflow did not answer.", {"n": 1}, {})
    outcome = run.finish(OBJECTIVES, "Do a thing: it broke")
    assert outcome["counts"] == {"valid": 1, "invalid": 0, "failed": 1, "planned": 4, "missing": 2}
    assert [reason.split(":")[0] for reason in outcome["reasons"]] == ["Cell t1-c10-r1", "Run run-1", "Run run-1"]
    assert not outcome["ok"]
    assert run.load()["status"] == "incomplete"
    assert not (run.directory / LOCK_NAME).exists()


def test_finish_is_well_only_if_every_cell_is_valid_and_every_objective_holds(run, plan, measure, parts):
    run.begin(plan, {}, {})
    for index in range(3):
        measure(index)
    total = {**parts["result"]["total"], "ok": 19, "failed": 1}
    measure(3, result={**parts["result"], "total": total})
    outcome = run.finish(OBJECTIVES)
    assert outcome["reasons"] == ["Objective requests succeed: missed in cell t5-c10-r1 (total.error_ratio 0.05, limit <= 0.01)."]
    assert run.finish([])["ok"]
    assert run.load()["status"] == "complete"


def test_generator_numbers_fall_back_to_the_accounting_of_the_process(parts):
    block = generator_of(parts["result"]["generator"], parts["exit"], {"status": "not_requested"}, 2, None)
    assert block["cpu_cores_mean"] == pytest.approx(1 / 32)
    assert block["cpu_share"] == pytest.approx(1 / 64)
    assert block["memory_bytes_max"] == 7e7
