# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cell.json: what is recorded of a measured cell, its files and attempts."""

from __future__ import annotations

import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_sealed, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import assess_failure, disturbances_of, generator_of


def test_a_measured_cell_moves_up_and_lists_its_files(run, plan, measure):
    run.begin(plan, {}, {})
    record = measure(0)
    directory = run.cell_directory(record["id"])
    assert record["verdict"] == {"status": "valid", "reasons": [], "warnings": []}
    assert (directory / "samples.csv.gz").exists()
    assert not (directory / "attempts").exists()
    assert set(record["files"]) == {"samples.csv.gz"}
    stored = read_sealed(directory / "cell.json")
    assert stored == {**json.loads(json.dumps(record)), "schema_version": 2, "checksum": stored["checksum"]}
    assert [cell["id"] for cell in run.load()["cells"]] == [record["id"]]


def test_the_factors_are_in_the_spec(run, plan, measure):
    run.begin(plan, {}, {})
    assert measure(0)["spec"]["factors"] == {"db_backend": "sqlite", "profile": "closed"}


def test_an_earlier_attempt_moves_back_to_attempts(run, plan, measure, parts):
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


def test_generator_numbers_fall_back_to_the_accounting_of_the_process(parts):
    block = generator_of(parts["result"]["generator"], parts["exit"], {"status": "not_requested"}, 2, None)
    assert block["cpu_cores_mean"] == pytest.approx(1 / 32)
    assert block["cpu_share"] == pytest.approx(1 / 64)
    assert block["memory_bytes_max"] == 7e7


@pytest.mark.parametrize(
    ("coverage", "exited", "cores"),
    [
        pytest.param(0.33, {}, 1 / 32, id="gaps: the accounting of the process"),
        pytest.param(0.33, {"cpu_seconds": None}, 0.02, id="gaps, and no accounting: the metrics"),
        pytest.param(0.9, {}, 0.02, id="covered: the metrics"),
        pytest.param(None, {}, 0.02, id="unknown: the metrics"),
    ],
)
def test_gaps_in_the_samples_of_the_generator(parts, coverage, exited, cores):
    resource = {**parts["resources"]["k6_benchmark"], "coverage": coverage}
    block = generator_of(parts["result"]["generator"], {**parts["exit"], **exited}, resource, 2, None)
    assert block["cpu_cores_mean"] == pytest.approx(cores)
    assert block["memory_bytes_max"] == 6e7


ATTEMPT = {"n": 1, "started": 900.0, "ended": 980.0, "outcome": "failed", "reason": "k6 lost its pod."}
LOST = "lease of the cluster not held until the end of the load, so another run may have loaded the same MLflow"


@pytest.mark.parametrize(
    ("parts", "earlier", "expected"),
    [
        pytest.param({}, [], [], id="nothing"),
        pytest.param({"unreachable_s": 0.0, "lease": {"was_held": True}, "disturbances": []}, [], [], id="quiet"),
        pytest.param({}, [ATTEMPT], ["attempt 1 failed shortly before (k6 lost its pod)"], id="retry"),
        pytest.param({}, [{**ATTEMPT, "ended": 20.0}, {**ATTEMPT, "ended": None}], [], id="attempts of another execution"),
        pytest.param({}, [{**ATTEMPT, "outcome": "invalid"}], [], id="an attempt that was measured"),
        pytest.param({"unreachable_s": 62.7}, [], ["load generator not reachable for 63 s of the load"], id="API server away"),
        pytest.param({"lease": {"was_held": False}}, [], [LOST], id="lease interrupted"),
        pytest.param({"lease": {"msg": "Lease a/b: held by run r2."}}, [], ["lease of the cluster lost (Lease a/b: held by run r2)"], id="lease lost"),
        pytest.param({"disturbances": ["Node n1 not ready until 12:00"]}, [], ["Node n1 not ready until 12:00"], id="cluster"),
    ],
)
def test_what_happened_around_the_window(parts, earlier, expected):
    assert disturbances_of(parts, earlier, 1000.0) == expected


def test_disturbances_are_warnings_of_the_record(run, plan, measure):
    run.begin(plan, {}, {})
    record = measure(0, disturbances=["Node n1 not ready until 12:00"], unreachable_s=61.0)
    assert record["notes"]["disturbances"] == ["load generator not reachable for 61 s of the load", "Node n1 not ready until 12:00"]
    [warning] = record["verdict"]["warnings"]
    assert warning.startswith("disturbances: load generator not reachable for 61 s of the load, Node n1 not ready until 12:00. ")
    assert record["verdict"]["status"] == "valid"


def test_the_time_of_the_load_is_that_of_the_generator(run, plan, measure):
    run.begin(plan, {}, {})
    timings = {"prepare_s": 5.0, "load_s": 0.4, "wall_s": 50.0}
    assert measure(0, timings=timings)["timings"] == {**timings, "load_s": 32.0}
    assert measure(1, timings=timings, exit={"exit_code": 0})["timings"] == timings


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
    """Write a cell.json of the first cell that has only attempts, given as pairs of number and end."""
    if recorded:
        write_json(run.cell_directory(plan["cells"][0]["id"]) / "cell.json", {"attempts": [{"n": n, "ended": ended} for n, ended in recorded]})
