# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer in one sentence, and the states of the points that it rests on."""

from __future__ import annotations

import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.answer import answer_text, answers, latency_limits, miss_text, point_states
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.report import create_report
from fakes.legacy_folder import write_legacy_folder
from fakes.report_sources import SCHEMAS, read_sources
from fakes.run_factory import edit_record, write_run

CAUSE = "likely limit: MLflow's worker is at"
UNKNOWN = "the limiting resource is not determined: no resource of the server was measured."


def model_of(*sources):
    return build_model(read_sources(sources))


def text_of(model):
    return answer_text(model, answers(model, point_states(model)))


def write_judged(directory, missed, drop=(), **options):
    """Write a run whose cells in `missed` have a P95 of 939 ms and a limit of 500, and those in `drop` no result of an objective."""
    run = write_run(directory, metrics="not_requested", **options)
    rows = []
    for row in read_sealed(run / "run.json")["objectives"]:
        if row["cell"] not in drop:
            is_missed = row["metric"] == "total.p95_ms" and row["cell"] in missed
            rows.append({**row, "value": 939.0, "limit": "<= 500", "status": "missed", "severity": "error"} if is_missed else row)
    edit_record(run / "run.json", objectives=rows)
    return run


LOADS = {"concurrency": (5, 10, 20)}
CASES = [
    pytest.param({}, (), (), "Keeps its objectives for 1 to 10 tenants up to 20 users, the highest load tested; no limit was found.", id="no limit"),
    pytest.param(
        {}, ("t1-c20-r1", "t10-c20-r1"), (),
        f"Keeps its objectives for 1 to 10 tenants up to 10 users; breaks at 20 users: P95 939 ms > 500 ms with 1 tenant; {UNKNOWN}", id="one limit",
    ),
    pytest.param(
        {}, ("t10-c10-r1", "t10-c20-r1"), (),
        "Keeps its objectives for 1 tenant up to 20 users, the highest load tested and for 10 tenants up to 5 users; "
        f"breaks at 10 users: P95 939 ms > 500 ms with 10 tenants; {UNKNOWN}", id="by tenants",
    ),
    pytest.param(
        {"tenants": (1,)}, ("t1-c5-r1", "t1-c10-r1", "t1-c20-r1"), (),
        f"The limit for 1 tenant is at or below 5 users, the lowest load tested; P95 939 ms > 500 ms; {UNKNOWN}", id="lowest level fails",
    ),
    pytest.param(
        {"tenants": (1,)}, ("t1-c10-r1",), (),
        "Keeps its objectives for 1 tenant up to 5 users; breaks at 10 users: P95 939 ms > 500 ms; "
        f"not monotonic: kept again at 20 users with 1 tenant; {UNKNOWN}", id="not monotonic",
    ),
    pytest.param(
        {"tenants": (1,), "verdicts": {"t1-c10-r1": "invalid"}}, ("t1-c20-r1",), (),
        "Keeps its objectives for 1 tenant up to 5 users (1 point is invalid, not run or not judged); breaks at 20 users: P95 939 ms > 500 ms; "
        f"{UNKNOWN}", id="a gap",
    ),
    pytest.param(
        {"tenants": (1,), "verdicts": dict.fromkeys(("t1-c5-r1", "t1-c10-r1", "t1-c20-r1"), "invalid")}, (), (),
        "Not determined: no point of the matrix is valid and judged by objectives (3 invalid).", id="nothing valid",
    ),
    pytest.param(
        {"tenants": (1,)}, (), ("t1-c5-r1", "t1-c10-r1", "t1-c20-r1"),
        "Not judged: none of the 3 points of the matrix has an objective that was evaluated.", id="no objectives",
    ),
    pytest.param(
        {"tenants": (1,), "concurrency": (5, 10), "repeats": 3}, ("t1-c10-r2",), (),
        f"Keeps its objectives for 1 tenant up to 5 users; breaks at 10 users: P95 939 ms > 500 ms in 1 of 3 repeats; {UNKNOWN}", id="one repeat",
    ),
    pytest.param(
        {"tenants": (1,), "concurrency": (), "rates": (1, 2)}, ("t1-q2-r1",), (),
        f"Keeps its objectives for 1 tenant up to 1 journeys/s; breaks at 2 journeys/s: P95 939 ms > 500 ms; {UNKNOWN}", id="open load",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("options", "missed", "drop", "expected"), CASES)
def test_the_answer_is_one_sentence(tmp_path, options, missed, drop, expected):
    assert text_of(model_of(write_judged(tmp_path / "run", missed, drop, **{**LOADS, **options}))) == expected


def test_many_different_limits_become_a_range(tmp_path):
    missed = ("t1-c20-r1", "t10-c10-r1", "t10-c20-r1")
    model = model_of(write_judged(tmp_path / "run", missed, tenants=(1, 10, 100), **LOADS))
    assert text_of(model).startswith("Keeps its objectives up to 5 to 20 users, depending on the tenants; breaks at 10 users: ")


def test_the_cause_is_that_of_a_search(tmp_path):
    run = write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 50))
    rows = [{**row, "status": "missed"} if row["cell"] == "t1-c50-r1" else row for row in read_sealed(run / "run.json")["objectives"]]
    edit_record(run / "run.json", objectives=rows)
    assert CAUSE in text_of(model_of(run))


def test_sources_answer_one_by_one(tmp_path):
    model = model_of(write_run(tmp_path / "a"), write_run(tmp_path / "b", backend="postgres"))
    assert text_of(model).startswith("A: Keeps its objectives")
    assert " B: Keeps its objectives" in text_of(model)


def test_a_point_without_a_measurement_says_so(tmp_path):
    verdicts = {"t1-c5-r1": "failed", "t1-c10-r1": "invalid"}
    points = point_states(model_of(write_run(tmp_path / "run", tenants=(1,), verdicts=verdicts)))
    assert [(point.state, point.note) for point in points] == [("invalid", "failed"), ("invalid", "")]


def test_the_legacy_suite_is_not_judged(tmp_path):
    model = model_of(write_legacy_folder(tmp_path / "old"))
    assert text_of(model) == "Not judged: none of the 4 points of the matrix has an objective that was evaluated."
    assert {point.state for point in point_states(model)} == {"unjudged"}


def test_points_have_the_state_of_their_repeats(tmp_path):
    verdicts = {"t1-c5-r1": "invalid", "t1-c5-r2": "failed", "t1-c10-r1": "missing", "t1-c10-r2": "missing", "t10-c5-r1": "invalid"}
    model = model_of(write_judged(tmp_path / "run", ("t10-c10-r2",), repeats=2, verdicts=verdicts))
    found = [(point.tenants, point.load.value, point.state, point.note) for point in point_states(model)]
    assert found == [(1, 5, "invalid", ""), (1, 10, "not_run", ""), (10, 5, "meets", "1 of 2 repeats"), (10, 10, "misses", "1 of 2 repeats")]


@pytest.mark.parametrize(
    ("metric", "value", "limit", "severity", "expected"),
    [
        pytest.param("total.p95_ms", 939.2, "<= 500", "error", "P95 939 ms > 500 ms", id="latency"),
        pytest.param("search_runs.p99_ms", 2100.0, "<= 2000", "warning", "P99 of search_runs 2\u202f100 ms > 2\u202f000 ms (a warning)", id="operation"),
        pytest.param("total.error_ratio", 0.031, "<= 0.01", "error", "errors 3.10 % > 1.00 %", id="errors"),
        pytest.param("total.goodput_per_s", 8.0, ">= 10", "error", "goodput 8.00 /s < 10.0 /s", id="at least"),
        pytest.param("total.stall_s", 3.0, "<= 1", "error", "stall 3.00 s > 1.00 s", id="seconds"),
        pytest.param("mlflow.cpu_cores", 2.5, "<= 2", "error", "cpu cores of mlflow 2.50 cores > 2.00 cores", id="cores"),
        pytest.param("total.p95_ms", None, "<= none", "error", "P95 – > –", id="not numbers"),
    ],
)
def test_a_missed_objective_is_written_as_people_write_it(metric, value, limit, severity, expected):
    assert miss_text({"metric": metric, "value": value, "limit": limit, "severity": severity}) == expected


def test_the_limits_of_the_latency_chart_are_those_of_all_requests(tmp_path):
    assert latency_limits(model_of(write_judged(tmp_path / "run", ("t1-c5-r1",)))) == [500.0, 2000.0]


def test_the_answer_is_in_every_output(tmp_path):
    result = create_report([str(write_run(tmp_path / "run"))], tmp_path / "out", ("markdown",), SCHEMAS)
    assert json.loads((tmp_path / "out" / "verdict.json").read_text())["answer"] == result["answer"]
    assert result["answer"] in (tmp_path / "out" / "summary.md").read_text()
