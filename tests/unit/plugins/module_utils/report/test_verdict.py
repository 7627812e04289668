# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.findings import NOISE, key_findings
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.verdict import overall_verdict
from fakes.legacy_folder import write_legacy_folder
from fakes.report_sources import read_sources
from fakes.run_factory import edit_record, write_run


def verdict_of(*sources):
    return overall_verdict(build_model(read_sources(sources)))


CASES = [
    pytest.param({}, "passed", "Passed: 4 of 4 cells are valid, 8 of 8 objectives are met.", id="passed"),
    pytest.param({"verdicts": {"t1-c5-r1": "invalid"}}, "failed", "Failed: 3 of 4 cells are valid, 6 of 6 objectives are met.", id="invalid"),
    pytest.param({"verdicts": {"t1-c5-r1": "failed"}}, "failed", "Failed: 3 of 4 cells are valid, 6 of 6 objectives are met.", id="failed"),
    pytest.param({"verdicts": {"t1-c5-r1": "missing"}}, "incomplete", "Incomplete: 3 of 4 cells are valid, 6 of 6 objectives are met.", id="missing"),
    pytest.param({"errors": 0.6}, "failed", "Failed: 4 of 4 cells are valid, 4 of 8 objectives are met.", id="objective missed"),
]


@pytest.mark.parametrize(("options", "status", "summary"), CASES)
def test_status_and_summary(tmp_path, options, status, summary):
    verdict = verdict_of(write_run(tmp_path / "run", **options))
    assert (verdict.status, verdict.summary) == (status, summary)
    assert bool(verdict.reasons) == (status != "passed")
    assert set(verdict.document()["cells"]) >= {"valid", "invalid", "failed"}


def test_an_aborted_run_is_incomplete(tmp_path):
    run = write_run(tmp_path / "run")
    edit_record(run / "run.json", abort_reason="the disk is full")
    verdict = verdict_of(run)
    assert verdict.status == "incomplete"
    assert verdict.reasons == ["Run run: ended early: the disk is full"]


def test_the_legacy_suite_is_not_judged(tmp_path):
    verdict = verdict_of(write_legacy_folder(tmp_path / "old"))
    assert verdict.status == "not_judged"
    assert verdict.summary == "Not judged: 4 cells of the legacy suite, which has no verdicts."
    assert verdict.document()["cells"] == {"valid": 0, "invalid": 0, "failed": 0, "not_judged": 4}


def test_objectives_are_summed_up_with_their_worst_cell(tmp_path):
    verdict = verdict_of(write_run(tmp_path / "run"))
    verdict.objectives += [
        {"name": "goodput", "cell": cell, "metric": "total.goodput_per_s", "value": value, "limit": ">= 10", "status": status, "severity": "error"}
        for cell, value, status in (("a", 12.0, "met"), ("b", 11.0, "met"), ("c", None, "unknown"))
    ]
    rows = {row["name"]: row for row in verdict.objective_summary()}
    assert (rows["goodput"]["status"], rows["goodput"]["met"], rows["goodput"]["count"]) == ("unknown", 2, 3)
    assert (rows["goodput"]["cell"], rows["goodput"]["value"]) == ("b", 11.0)
    assert rows["requests answer within two seconds"]["cell"].startswith("t10-c10")


def test_an_objective_without_any_value_has_no_worst_cell(tmp_path):
    verdict = verdict_of(write_run(tmp_path / "run"))
    verdict.objectives = [{"name": "x", "cell": "a", "metric": "m", "value": None, "limit": "<= 1", "status": "unknown", "severity": "error"}]
    assert verdict.objective_summary()[0]["value"] is None


def findings_of(*sources):
    return key_findings(build_model(read_sources(sources)))


def test_findings_name_the_most_saturation_and_the_slowest(tmp_path):
    found = findings_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10, 20, 50)))
    assert any(text.startswith("Highest throughput: ") and "t1-c50-r1" in text for text in found)
    assert any("Saturated with 1 tenant from 20 users on: 50 users changed throughput by +8%" in text for text in found)
    assert any(text.startswith("Slowest operation: search_") for text in found)
    assert any("cores on average" in text for text in found)
    assert found[-1] == NOISE


def test_a_disturbed_cell_has_no_highest_throughput(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 50))
    for cell, highest in (("t1-c50-r1", ["t1-c5-r1"]), ("t1-c5-r1", [])):
        edit_record(directory / "cells" / cell / "cell.json", notes={"disturbances": ["Node n1 not ready until then"]})
        found = [text for text in findings_of(directory) if text.startswith("Highest throughput: ")]
        assert len(found) == len(highest)
        assert all(f"in cell {name}" in text for name, text in zip(highest, found, strict=True))


def test_findings_of_two_groups_name_them_and_repeats_need_no_caution(tmp_path):
    sources = [write_run(tmp_path / name, backend=name, repeats=2) for name in ("sqlite", "postgres")]
    found = findings_of(*sources)
    assert sum(text.startswith("Highest throughput (") for text in found) == 2
    assert NOISE not in found


def test_findings_name_failures(tmp_path):
    assert any(text.startswith("Failures: ") and "http_503" in text for text in findings_of(write_run(tmp_path / "run", errors=0.5)))


def test_no_findings_without_a_valid_cell(tmp_path):
    run = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), verdicts={"t1-c5-r1": "failed"})
    assert findings_of(run) == []
    assert not any("CPU" in text for text in findings_of(write_run(tmp_path / "other", metrics="missing")))
