# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""comparison.json and what is written of it."""

from __future__ import annotations

import csv
import io

import pytest
from junitparser import JUnitXml

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.document import change_text, compare
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.outputs import COLUMNS, comparison_csv, comparison_junit, comparison_markdown
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.page import comparison_figures, comparison_html, write_comparison
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import read_record


@pytest.fixture(name="slower")
def fixture_slower(tmp_path, write, schemas, settings):
    """A candidate whose requests take 1.4 times as long, of another version."""
    baseline, candidate = write("one", factors={"mlflow_version": "3.14.0"}), write("two", slower=1.4, factors={"mlflow_version": "3.17.2"})
    return compare([baseline], [candidate], tmp_path, schemas, settings())


@pytest.fixture(name="alike")
def fixture_alike(tmp_path, write, schemas, settings):
    """Two runs that differ by chance alone, with values 0.5 % apart."""
    return compare([write("one")], [write("two")], tmp_path, schemas, settings(tolerance=0.2))


def find(document, metric, family="total"):
    return next(row for row in document["rows"] if (row["family"], row["metric"]) == (family, metric))


def test_a_slower_candidate_fails_and_is_named(slower):
    assert slower["status"] == "failed"
    assert slower["sentence"].startswith("mlflow_version 3.14.0 to 3.17.2: slower in ")
    assert find(slower, "p95_ms")["verdict"] == "slower"
    assert find(slower, "p95_ms")["is_regression"]


def test_what_did_not_change_is_not_slower(slower):
    assert find(slower, "goodput_per_s")["verdict"] != "slower"


def test_equal_runs_pass(alike):
    assert alike["status"] == "passed"
    assert {row["verdict"] for row in alike["rows"] if row["family"] == "total"} == {"same"}
    assert alike["sentence"] == "one to two: no regression of severity error; numbers of all requests: 4 same."
    assert alike["settings"]["paired"]


@pytest.mark.parametrize(("severity", "status"), [pytest.param("error", "passed", id="error"), pytest.param("warning", "failed", id="warning")])
def test_the_declared_severity_decides(tmp_path, write, schemas, settings, severity, status):
    chosen = settings(severity=severity)
    operations = [metric for metric in chosen.metrics if metric.family == "operations"]
    found = compare([write("one")], [write("two", slower=1.4)], tmp_path, schemas, chosen._replace(metrics=operations))
    assert found["counts"]["operations"]["slower"] > 0
    assert found["status"] == status


def test_every_family_is_compared(slower):
    assert list(slower["counts"]) == ["total", "journeys", "operations", "resources"]
    assert {row["of"] for row in slower["rows"] if row["family"] == "resources"} == {"mlflow"}


def test_the_power_is_printed(slower):
    assert {row["family"] for row in slower["power"]} >= {"total", "operations"}
    assert "- Over all points: goodput " in comparison_markdown(slower)
    assert "- Power: if all numbers changed by 10 %, this comparison would find " in comparison_markdown(slower)


def test_a_candidate_that_was_measured_after_the_baseline_is_a_warning(tmp_path, write, schemas, settings):
    found = compare([write("one", started=1.0)], [write("two", started=2.0)], tmp_path, schemas, settings())
    assert any(text.startswith("One side was measured after the other") for text in found["warnings"])


def test_alternating_runs_have_no_such_warning(tmp_path, write, schemas, settings):
    runs = [write(name, started=float(at)) for at, name in enumerate(("a-1", "b-1", "b-2", "a-2"))]
    found = compare([runs[0], runs[3]], runs[1:3], tmp_path, schemas, settings())
    assert not any("measured after the other" in text for text in found["warnings"])


def test_the_document_follows_its_schema_and_is_written_with_a_checksum(tmp_path, slower, schemas, templates):
    files = write_comparison(tmp_path / "out", slower, schemas, templates)
    assert sorted(files) == sorted(path.name for path in (tmp_path / "out").iterdir())
    assert read_record(tmp_path / "out" / "comparison.json", "comparison", schemas)["sentence"] == slower["sentence"]


def test_the_schema_names_every_field(slower, schemas):
    with pytest.raises(ValueError, match="is a required property"):
        check({**{key: value for key, value in slower.items() if key != "power"}, "schema_version": 2, "checksum": "0" * 64}, "comparison", schemas)


def test_the_csv_has_every_row(slower):
    rows = list(csv.DictReader(io.StringIO(comparison_csv(slower))))
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == len(slower["rows"])
    assert {row["baseline_repeats"] for row in rows if row["family"] == "total"} == {"5"}


def test_the_markdown_begins_with_the_answer(slower):
    text = comparison_markdown(slower)
    assert text.startswith("# Failed: mlflow\\_version" if "\\_" in text.splitlines()[0] else "# Failed: mlflow_version 3.14.0 to 3.17.2: slower in ")
    assert "| t1-c5 | P95 |" in text
    assert "## Compared" in text


def test_the_markdown_has_the_largest_changes_of_many(slower, monkeypatch):
    monkeypatch.setattr("ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.outputs.CHANGES_MAX", 2)
    text = comparison_markdown(slower)
    assert "The 2 largest of " in text
    assert sum(line.startswith("| t1-c5 |") for line in text.splitlines()) == 4 + 2


def test_the_sentence_names_the_largest_change_first(slower):
    worse = [row for row in slower["rows"] if row["is_regression"]]
    largest = max(worse, key=lambda row: abs(row["change"] - 1))
    assert slower["sentence"].partition("numbers: ")[2].startswith({"p50_ms": "P50", "p95_ms": "P95"}[largest["metric"]])


def test_each_comparison_is_a_test_case(slower):
    suites = {suite.name: list(suite) for suite in JUnitXml.fromstring(comparison_junit(slower).encode())}
    kinds = {case.name: [type(result).__name__ for result in case.result] for case in suites["total"]}
    assert kinds["P95: p95_ms"] == ["Failure"]
    assert sum(map(len, suites.values())) == len(slower["rows"])


def test_a_slower_number_that_does_not_decide_is_skipped(slower):
    suites = {suite.name: list(suite) for suite in JUnitXml.fromstring(comparison_junit(slower).encode())}
    [texts] = [[result.text for result in case.result] for case in suites["operations"] if case.name == "P50 of get_run: p50_ms"]
    assert texts[0].endswith("Its severity is warning, so it does not decide.")


def test_the_page_begins_with_the_answer_and_draws_each_number_of_the_total(slower, templates):
    page = comparison_html(slower, ["comparison.csv"], templates)
    assert f"<h1>{slower['sentence']}</h1>" in page
    assert [figure.name for figure in comparison_figures(slower)] == ["change-goodput_per_s", "change-p50_ms", "change-p95_ms"]
    assert page.count('<svg class="chart"') == 3


def test_texts_of_others_are_shown_and_not_rendered(tmp_path, write, schemas, settings, templates):
    hostile = "<script>alert(1)</script>|x"
    found = compare([write("one")], [write("two", factors={"workers": hostile})], tmp_path, schemas, settings())
    assert "<script>alert" not in comparison_html(found, [], templates)
    assert "<script>" not in comparison_markdown(found)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        pytest.param({"change": 1.123, "low": 1.05, "high": 1.2, "scale": "ratio"}, "+12.3 % (+5.0 to +20.0)", id="ratio"),
        pytest.param({"change": 0.012, "low": -0.001, "high": 0.02, "scale": "difference"}, "+1.2 points (-0.1 to +2.0)", id="difference"),
        pytest.param({"change": 0.9, "low": None, "high": None, "scale": "ratio"}, "-10.0 %", id="not tested"),
        pytest.param({"change": None, "low": None, "high": None, "scale": "ratio"}, "–", id="unknown"),
    ],
)
def test_a_change_is_shown_with_its_interval(row, text):
    assert change_text(row) == text
