# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.findings import key_findings
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


def test_without_repeats_nothing_is_ranked(tmp_path):
    found = findings_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10, 20, 50)))
    assert any(text.startswith("Throughput: ") and text.endswith("the differences are not tested.") for text in found)
    assert "Saturation with 1 tenant: not determined; differences are not tested." in found
    assert any(text.startswith("Operations with the highest P95: search_") for text in found)
    assert any("cores on average" in text for text in found)


def test_with_repeats_saturation_is_found_beyond_noise(tmp_path):
    found = findings_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10, 20, 50), repeats=3))
    assert any("Saturated with 1 tenant from 20 users on: 50 users changed throughput by +9 %, P95 by +" in text for text in found)
    assert any(text.startswith("Highest throughput: ") and "t1-c50" in text for text in found)


def test_two_levels_do_not_show_saturation(tmp_path):
    found = findings_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(20, 50), repeats=3))
    assert "Saturation with 1 tenant: not determined; 2 levels of load, at least 3 are needed." in found


def test_a_server_without_a_limit_is_not_saturated(tmp_path):
    found = findings_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(1, 2, 3), repeats=3))
    assert "Saturation with 1 tenant: not reached up to 3 users." in found


def edit_totals(directory, cell, goodput, p95):
    path = directory / "cells" / cell / "cell.json"
    total = read_sealed(path)["total"]
    edit_record(path, total={**total, "goodput_per_s": goodput, "latency_ms": {**total["latency_ms"], "p95": p95}})


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        pytest.param([(40, 50), (20, 90), (80, 55)], "and 20 users reached more again.", id="one slow cell"),
        pytest.param([(40, 50), (41, 50), (42, 50)], "and P95 did not grow beyond noise.", id="P95 does not grow"),
    ],
)
def test_saturation_is_not_determined(tmp_path, levels, reason):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10, 20), repeats=3)
    for users, (goodput, p95) in zip((5, 10, 20), levels, strict=True):
        for repeat in (1, 2, 3):
            edit_totals(directory, f"t1-c{users}-r{repeat}", goodput * (1 + repeat / 100), p95 * (1 + repeat / 100))
    [found] = [text for text in findings_of(directory) if text.startswith("Saturation")]
    assert found.startswith("Saturation with 1 tenant: not determined; 10 users changed throughput by ")
    assert found.endswith(reason)


def test_drops_leave_saturation_open(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10, 20, 50), repeats=3)
    path = directory / "cells" / "t1-c50-r1" / "cell.json"
    edit_record(path, generator={**read_sealed(path)["generator"], "dropped": 4})
    assert any(text.endswith("and arrivals were dropped.") for text in findings_of(directory))


def test_points_within_noise_share_the_highest_throughput(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10), repeats=3)
    for users, goodputs in ((5, (40, 44, 42)), (10, (41, 45, 43))):
        for repeat, goodput in enumerate(goodputs, start=1):
            edit_totals(directory, f"t1-c{users}-r{repeat}", goodput, 50)
    assert "Highest throughput: not distinguishable between t1-c10 (43.0), t1-c5 (42.0) successful requests per second." in findings_of(directory)


def test_a_disturbed_cell_has_no_throughput(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 50))
    for cell, count in (("t1-c50-r1", 1), ("t1-c5-r1", 0)):
        edit_record(directory / "cells" / cell / "cell.json", notes={"disturbances": ["Node n1 not ready until then"]})
        found = [text for text in findings_of(directory) if text.startswith("Throughput: ")]
        assert len(found) == count
        assert all("t1-c5" in text and "t1-c50" not in text for text in found)


def test_findings_of_two_groups_name_them(tmp_path):
    sources = [write_run(tmp_path / name, backend=name, repeats=3) for name in ("sqlite", "postgres")]
    assert sum(text.startswith("Highest throughput (") for text in findings_of(*sources)) == 2


def test_failures_of_invalid_cells_do_not_count(tmp_path):
    found = findings_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10), verdicts={"t1-c5-r1": "invalid"}, errors=0.5))
    [failures] = [text for text in found if text.startswith("Failures in valid cells: ")]
    alone = findings_of(write_run(tmp_path / "alone", tenants=(1,), concurrency=(5, 10), errors=0.5))
    assert failures not in alone


def test_findings_name_failures(tmp_path):
    assert any(text.startswith("Failures in valid cells: ") and "http_503" in text for text in findings_of(write_run(tmp_path / "run", errors=0.5)))


def test_no_findings_without_a_valid_cell(tmp_path):
    run = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), verdicts={"t1-c5-r1": "failed"})
    assert findings_of(run) == []
    assert not any("CPU" in text for text in findings_of(write_run(tmp_path / "other", metrics="missing")))
