# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories of generated runs; the change points are those of a fake, tests/local/test_history.py has the real Otava."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest
from junitparser import JUnitXml

from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.history import RUNS_NEEDED, history_of, known_changes
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.outputs import history_csv, history_junit, history_markdown
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.page import history_figures, history_html, write_history
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.sides import ComparisonError
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import read_record

FAKE_OTAVA = str(Path(__file__).resolve().parents[4] / "fakes" / "fake_otava.py")


def no_otava():
    raise AssertionError("Otava is not needed")


@pytest.fixture(name="history")
def fixture_history(tmp_path, write, schemas, settings):
    """Write runs, one for each factor by which its requests are slower, and return the history of all."""

    def create(steps, known=(), get_python=lambda: FAKE_OTAVA, **given):
        for day, slower in enumerate(steps, 1):
            write(f"day-{day:02}", slower=slower, started=86400.0 * day, repeats=3, **given)
        return history_of([str(tmp_path)], tmp_path, schemas, settings(), known, get_python)

    return create


def series(document, metric="p95_ms", family="total"):
    return next(one for one in document["series"] if (one["family"], one["metric"]) == (family, metric))


STEP = [1.0] * 7 + [1.5] * 5


def test_a_flat_history_passes(history):
    found = history([1.0] * RUNS_NEEDED)
    assert found["status"] == "passed"
    assert found["sentence"] == f"No change for the worse in {RUNS_NEEDED} runs that is not acknowledged or recovered."


def test_a_step_for_the_worse_fails_and_names_its_first_run(history):
    found = history(STEP)
    [change] = series(found)["changes"]
    assert (change["run_id"], change["state"], change["decides"]) == ("day-08", "regression", True)
    assert change["after"] / change["before"] == pytest.approx(1.5, rel=0.1)
    assert found["status"] == "failed"
    assert "first seen in day-08." in found["sentence"]


def test_a_step_for_the_better_passes(history):
    found = history([1.5] * 7 + [1.0] * 5)
    assert [change["state"] for change in series(found)["changes"]] == ["improvement"]
    assert found["status"] == "passed"


@pytest.mark.parametrize("run_id", ["day-07", "day-08", "day-09"])
def test_an_acknowledged_change_passes(history, run_id):
    found = history(STEP, known=[{"run_id": run_id, "reason": "larger data set"}])
    assert [(change["state"], change["reason"]) for change in series(found)["changes"]] == [("acknowledged", "larger data set")]
    assert found["status"] == "passed"


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"run_id": "day-03"}, id="another run"),
        pytest.param({"run_id": "day-08", "metric": "memory_bytes"}, id="another number"),
        pytest.param({"run_id": "day-08", "point": "t10-c5"}, id="another point"),
        pytest.param({"run_id": "day-08", "of": "training"}, id="something else"),
    ],
)
def test_an_entry_about_something_else_acknowledges_nothing(history, entry):
    found = history(STEP, known=[{**entry, "reason": "because"}])
    assert found["status"] == "failed"
    assert any(text.startswith(f"Acknowledged change at run {entry['run_id']} (because): no such change was found.") for text in found["warnings"])


def test_acknowledged_changes_follow_their_schema(schemas):
    with pytest.raises(ValueError, match="'reason' is a required property"):
        known_changes({"schema_version": 1, "changes": [{"run_id": "day-08"}]}, schemas)


def test_a_broken_run_is_named_and_the_others_are_used(tmp_path, history, write):
    (tmp_path / write("broken") / "run.json").write_text("{", encoding="utf-8")
    found = history([1.0] * RUNS_NEEDED)
    assert len(found["runs"]) == RUNS_NEEDED
    assert any("broken" in text for text in found["warnings"])


def test_a_run_without_a_valid_cell_is_named(history, write):
    write("invalid", repeats=1, verdicts={"t1-c5-r1": "failed"})
    assert "Run invalid: has no valid cell. It is left out." in history([1.0] * RUNS_NEEDED)["warnings"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param({"factors": {"workers": 2}}, "differs in workers from", id="another deployment"),
        pytest.param({"concurrency": (50,)}, "has no cell in common with", id="other cells"),
    ],
)
def test_runs_of_another_deployment_are_not_in_the_history(history, write, given, why):
    write("other", started=1.0, **given)
    found = history([1.0] * RUNS_NEEDED)
    assert f"Run other: {why} the newest run day-10. It is left out of the history." in found["warnings"]
    assert "other" not in found["runs"]


def test_versions_may_differ_in_a_history(history, write):
    write("older", started=1.0, factors={"mlflow_version": "3.14.0"})
    assert history([1.0] * RUNS_NEEDED, factors={"mlflow_version": "3.17.2"})["runs"][0] == "older"


def test_a_short_history_is_compared_with_the_last_good_run(history):
    found = history([1.0, 1.0, 1.5], get_python=no_otava)
    assert found["fallback"]["baseline"]["runs"] == ["day-02"]
    assert found["status"] == "failed"
    assert found["sentence"].startswith("Not enough history (3 runs); compared with the last good run: day-02 to day-03: slower in ")
    assert f"Not enough history: only 3 runs can be compared, change points need {RUNS_NEEDED}." in found["warnings"]


def test_a_run_that_did_not_pass_is_not_the_last_good_one(history, write):
    write("bad", started=86400.0 * 2.5, repeats=3, errors=1.0)
    assert history([1.0, 1.0, 1.0], get_python=no_otava)["fallback"]["baseline"]["runs"] == ["day-02"]


def test_a_single_run_is_compared_with_none(history):
    found = history([1.0], get_python=no_otava)
    assert (found["status"], found["fallback"]) == ("passed", None)
    assert found["sentence"] == "Not enough history (1 runs), and no earlier good run to compare with."


def test_a_history_without_runs_is_a_sentence(tmp_path, schemas, settings):
    with pytest.raises(ComparisonError, match="no run with a valid cell"):
        history_of([str(tmp_path), "absent"], tmp_path, schemas, settings(), [], no_otava)


def test_a_copy_of_a_run_is_the_same_run(tmp_path, write, schemas, settings):
    shutil.copytree(tmp_path / write("one"), tmp_path / "sink" / "one")
    (tmp_path / write("two")).rename(tmp_path / "sink" / "two")
    found = history_of([str(tmp_path), str(tmp_path / "sink"), "one"], tmp_path, schemas, settings(), [], no_otava)
    assert sorted(found["runs"]) == ["one", "two"]


def test_an_environment_without_otava_is_a_sentence(history, monkeypatch):
    monkeypatch.setenv("FAKE_OTAVA_BREAKS", "1")
    with pytest.raises(ToolError, match=r"Apache Otava: .* ended with exit code 1 \(ModuleNotFoundError: No module named 'otava'\). Remove its environment"):
        history([1.0] * RUNS_NEEDED)


def test_the_files_of_a_history_agree(tmp_path, history, schemas, templates):
    found = history(STEP)
    files = write_history(tmp_path / "out", found, schemas, templates)
    assert sorted(files) == sorted(path.name for path in (tmp_path / "out").iterdir())
    assert read_record(tmp_path / "out" / "history.json", "history", schemas)["sentence"] == found["sentence"]


def test_the_tables_have_every_value_and_every_change(history):
    found = history(STEP)
    rows = list(csv.DictReader(io.StringIO(history_csv(found))))
    assert len(rows) == sum(len(one["values"]) for one in found["series"])
    assert "| day-08 | t1-c5 | P95 |" in history_markdown(found)


def test_each_series_is_a_test_case(history):
    [suite] = list(JUnitXml.fromstring(history_junit(history(STEP)).encode()))
    kinds = {case.name: [type(result).__name__ for result in case.result] for case in suite if case.classname == "t1-c5"}
    assert kinds["P95: p95_ms"] == ["Failure"]
    assert kinds["P50 of get_run: p50_ms"] == []


def test_the_cases_of_a_short_history_are_those_of_the_comparison(history):
    suites = {suite.name: list(suite) for suite in JUnitXml.fromstring(history_junit(history([1.0, 1.5], get_python=no_otava)).encode())}
    assert {type(result).__name__ for case in suites["history"] for result in case.result} == {"Skipped"}
    assert any(type(result).__name__ == "Failure" for case in suites["comparison with the last good run"] for result in case.result)


def test_a_series_is_drawn_with_its_changes(history, templates):
    found = history(STEP)
    page = history_html(found, ["history.csv"], templates)
    assert f"<h1>{found['sentence']}</h1>" in page
    assert history_figures(found)[0].charts[0].count('class="span warmup"') == 1
