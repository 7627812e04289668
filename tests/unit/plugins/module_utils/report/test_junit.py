# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from junitparser import JUnitXml

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.junit import junit_xml
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from fakes.legacy_folder import write_legacy_folder
from fakes.report_sources import read_sources
from fakes.run_factory import block_without_requests, edit_record, write_bare_run, write_run

VALID, SUCCEED, IN_TIME = "the measurement is valid", "requests succeed: total.error_ratio <= 0.01", "requests answer within two seconds: total.p95_ms <= 2000"
COMPLETE, ANSWERED = "the run is complete", "the search has an answer"


def cases(*directories):
    """Return the test cases of a report by class and name, read with the library; one that occurs twice is an error."""
    text = junit_xml(build_model(read_sources(directories)))
    found = [case for suite in JUnitXml.fromstring(text.encode()) for case in suite]
    named = {(case.classname, case.name): case for case in found}
    assert len(named) == len(found)
    return named


def outcomes(*directories):
    """Return the same as pairs of kind and type; `passed` where nothing is wrong."""
    return {name: [(type(one).__name__, one.type) for one in case.result] or ["passed"] for name, case in cases(*directories).items()}


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    """A run with a cell of each verdict, one of which misses an objective."""
    verdicts = {"t1-c10-r1": "invalid", "t10-c5-r1": "failed", "t10-c10-r1": "missing"}
    return write_run(tmp_path / "run-1", verdicts=verdicts, errors=1.0)


def objectives(directory, **changes):
    """Change the results of a run's objectives, by their names."""
    document = read_sources([directory]).runs[0].document
    edit_record(directory / "run.json", objectives=[{**row, **changes.get(row["name"].replace(" ", "_"), {})} for row in document["objectives"]])


def test_each_verdict_has_its_outcome(run):
    found = outcomes(run)
    assert {cell: found[cell, VALID] for cell in ("t1-c5-r1", "t1-c10-r1", "t10-c5-r1", "t10-c10-r1")} == {
        "t1-c5-r1": ["passed"],
        "t1-c10-r1": [("Failure", "invalid")],
        "t10-c5-r1": [("Error", "failed")],
        "t10-c10-r1": [("Skipped", "not run")],
    }
    assert found["run", COMPLETE] == [("Error", "incomplete")]


def test_every_cell_has_a_case_for_every_objective(run):
    found = outcomes(run)
    assert found["t1-c5-r1", SUCCEED] == [("Failure", "missed")]
    assert found["t1-c5-r1", IN_TIME] == ["passed"]
    assert {found[cell, name][0] for cell in ("t1-c10-r1", "t10-c5-r1", "t10-c10-r1") for name in (SUCCEED, IN_TIME)} == {("Skipped", "not judged")}


@pytest.mark.parametrize(
    ("name", "status", "outcome"),
    [
        pytest.param(SUCCEED, "missed", ("Failure", "missed"), id="missed"),
        pytest.param(SUCCEED, "unknown", ("Error", "unknown"), id="unknown"),
        pytest.param(IN_TIME, "missed", ("Skipped", "missed"), id="missed-warning"),
        pytest.param(IN_TIME, "unknown", ("Skipped", "unknown"), id="unknown-warning"),
    ],
)
def test_only_what_decides_the_exit_code_is_red(tmp_path, name, status, outcome):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,))
    changes = {"status": status, "value": None if status == "unknown" else 1e6}
    objectives(directory, **{name.partition(":")[0].replace(" ", "_"): changes})
    assert outcomes(directory)["t1-c5-r1", name] == [outcome]


def test_messages_are_the_reasons_as_attribute_and_as_text(run):
    named = cases(run)
    [failure] = named["t1-c10-r1", VALID].result
    assert failure.message == "generator_cpu_share: 0.97, allowed is at most 0.8. Use more cores for k6."
    assert failure.text == failure.message
    assert "total.error_ratio 0.0" in named["t1-c5-r1", SUCCEED].result[0].message
    assert "limit <= 0.01" in named["t1-c5-r1", SUCCEED].result[0].message


def test_times_are_those_of_the_cells_and_add_up(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10))
    edit_record(directory / "cells" / "t1-c5-r1" / "cell.json", timings={"prepare_s": 3.0, "load_s": 70.0, "wall_s": 81.25})
    named = cases(directory)
    # The other one has the duration of its attempt.
    assert [named[cell, VALID].time for cell in ("t1-c5-r1", "t1-c10-r1")] == [81.25, 75.0]
    [suite] = JUnitXml.fromstring(junit_xml(build_model(read_sources([directory]))).encode())
    assert (suite.time, suite.tests, suite.timestamp) == (156.25, 7, "2026-11-23T22:46:40")


def test_counts_agree_with_the_cases(run):
    document = JUnitXml.fromstring(junit_xml(build_model(read_sources([run]))).encode())
    kinds = [outcome[0] for found in outcomes(run).values() for outcome in found if outcome != "passed"]
    assert (document.failures, document.errors, document.skipped) == tuple(kinds.count(kind) for kind in ("Failure", "Error", "Skipped"))


def test_a_run_that_ended_early_says_why(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,))
    edit_record(directory / "run.json", abort_reason="MLflow: did not respond.")
    [error] = cases(directory)["run", COMPLETE].result
    assert error.message == "Run run: ended early: MLflow: did not respond."


@pytest.mark.parametrize(
    ("search", "outcome"),
    [
        pytest.param({"answered": True, "sentence": "Carries 20."}, "passed", id="answered"),
        pytest.param({"answered": False, "sentence": "Probes stay invalid."}, ("Failure", "no answer"), id="not-answered"),
        pytest.param(None, ("Failure", "no answer"), id="not-ended"),
    ],
)
def test_probes_beyond_the_limit_of_a_search_are_not_red(tmp_path, search, outcome):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10), verdicts={"t1-c10-r1": "invalid"}, errors=1.0)
    plan = read_sources([directory]).runs[0].document["plan"]
    plan["settings"]["context"] = {"capacity": {"probes_max": 5}}
    edit_record(directory / "run.json", plan=plan, **({"search": search} if search else {}))
    found = outcomes(directory)
    assert found["run", ANSWERED] == [outcome]
    assert {found["t1-c5-r1", SUCCEED][0][0], found["t1-c10-r1", VALID][0][0]} == {"Skipped"}


def test_results_of_the_legacy_suite_are_skipped(tmp_path):
    found = outcomes(write_legacy_folder(tmp_path / "old"))
    assert {tuple(outcome) for outcome in found.values()} == {(("Skipped", "not judged"),)}


def test_a_run_that_measured_nothing_has_a_file(tmp_path):
    found = outcomes(write_bare_run(tmp_path / "run"))
    assert found == {("run", COMPLETE): [("Error", "incomplete")], ("t1-c4-r1", VALID): [("Skipped", "not run")]}


def test_a_damaged_record_is_an_error_with_the_reason(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10))
    (directory / "cells" / "t1-c5-r1" / "cell.json").write_text('{"id": "t1-')
    [error] = cases(directory)["t1-c5-r1", VALID].result
    assert "is not valid JSON" in error.message


def test_a_cell_without_requests_has_no_invented_figures(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,))
    record = directory / "cells" / "t1-c5-r1" / "cell.json"
    edit_record(record, total=block_without_requests())
    shown = cases(directory)["t1-c5-r1", VALID].system_out.splitlines()
    assert [line for line in shown if not line.startswith("Warning: ")] == ["requests in the window: 0", "successful/s: 0"]


def test_hostile_texts_are_shown_and_give_well_formed_xml(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), verdicts={"t1-c5-r1": "invalid"})
    hostile = "]]><script>&amp;\"'\x00\x1b[31m\x0b\u202e\ufffe\uffff </failure>"
    edit_record(
        directory / "cells" / "t1-c5-r1" / "cell.json", verdict={"status": "invalid", "reasons": [hostile], "warnings": [hostile]},
    )  # fmt: skip
    row = {"name": hostile, "cell": "t1-c5-r1", "metric": "m", "value": 1.0, "limit": "<= 1", "status": "missed", "severity": "error"}
    edit_record(directory / "run.json", objectives=[row], config={"preset": hostile, "mlflow_url": "", "tls_verify": True}, started=1e18)
    [failure] = cases(directory)["t1-c5-r1", VALID].result
    assert failure.message == "]]><script>&amp;\"'\\x00\\x1b[31m\\x0b\\u202e\\ufffe\\uffff </failure>"


def test_two_runs_are_two_suites(tmp_path):
    directories = [write_run(tmp_path / name, tenants=(1,), concurrency=(5,), backend=name) for name in ("sqlite", "postgres")]
    document = JUnitXml.fromstring(junit_xml(build_model(read_sources(directories))).encode())
    assert [suite.name for suite in document] == ["sqlite", "postgres"]
