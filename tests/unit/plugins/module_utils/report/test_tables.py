# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io

import pandas as pd
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.tables import IDENTITY, all_tables, csv_text
from fakes.legacy_folder import write_legacy_folder, write_legacy_summary
from fakes.report_sources import read_sources
from fakes.run_factory import edit_record, write_run


def tables_of(*sources):
    return all_tables(build_model(read_sources(sources)))


def test_summary_has_the_legacy_columns_first_and_ours_last(tmp_path):
    table = tables_of(write_run(tmp_path / "run"))["report_summary.csv"]
    names = list(table.columns)
    assert names[:2] == ["tenants", "concurrency"]
    assert [name for name in names if name.startswith("get_run_")] == [
        f"get_run_{suffix}" for suffix in ("avg_ms", "p90_ms", "p95_ms", "max_ms", "passed", "failed", "rps")
    ]
    assert names[2 + 16 * 7:] == ["http_reqs_total", "http_reqs_rate", "http_req_failed_rate", "http_req_failed_count", *IDENTITY]
    assert list(zip(table["tenants"], table["concurrency"], strict=True)) == [(1, 5), (1, 10), (10, 5), (10, 10)]


def test_p95_and_rps_tables_hold_these_columns_only(tmp_path):
    tables = tables_of(write_run(tmp_path / "run"))
    for name, suffix, more in (("report_p95_latencies.csv", "_p95_ms", []), ("report_rps.csv", "_rps", ["http_reqs_rate"])):
        names = list(tables[name].columns)
        figures = names[2:-len(IDENTITY)]
        assert figures == sorted(figures)
        assert len(figures) == 16 + len(more)
        assert all(figure.endswith(suffix) or figure in more for figure in figures)


def test_no_failure_is_zero_and_no_value_is_empty(tmp_path):
    text = csv_text(tables_of(write_run(tmp_path / "run", verdicts={"t1-c5-r1": "failed"}))["report_summary.csv"])
    rows = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    assert rows.loc[0, "verdict"] == "failed"
    assert set(rows.loc[0, [name for name in rows if name.endswith(("_ms", "_passed", "_failed", "_rps"))]]) == {""}
    assert set(rows.loc[1:, "get_run_failed"]) == {"0"}
    assert rows.loc[1, "get_run_passed"].isdigit()


def test_latency_columns_take_successful_requests(tmp_path):
    run = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,))
    model = build_model(read_sources([run]))
    model.operations["ok_p95"] = 7.0
    assert set(all_tables(model)["report_p95_latencies.csv"]["get_run_p95_ms"]) == {7.0}


def test_analysis_by_tenants_has_the_legacy_names_and_a_named_baseline(tmp_path):
    table = tables_of(write_run(tmp_path / "run", tenants=(1, 10, 100)))["report_latency_analysis_by_tenants.csv"]
    assert list(table.columns)[:8] == [
        "operation", "category", "concurrency", "1_tenant_p95_ms", "10_tenants_p95_ms", "100_tenants_p95_ms", "change_1_to_10_pct", "change_1_to_100_pct",
    ]
    assert len(table) == 16 * 2


def test_changes_without_repeats_are_not_tested_and_stand_apart(tmp_path):
    table = tables_of(write_run(tmp_path / "run", tenants=(1, 10, 100)))["report_latency_analysis_by_tenants.csv"]
    row = table.iloc[0]
    change = round((row["100_tenants_p95_ms"] / row["1_tenant_p95_ms"] - 1) * 100, 1)
    assert table[["change_1_to_10_pct", "change_1_to_100_pct"]].isna().all(axis=None)
    assert f"100: {change:+g} % not tested" in row["not_distinguishable"]


def test_a_change_beyond_noise_is_reported_and_a_smaller_one_is_not(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1, 10, 100), concurrency=(5,), repeats=3)
    for tenants, p95 in ((1, 50.0), (10, 52.0), (100, 200.0)):
        for repeat in (1, 2, 3):
            path = directory / "cells" / f"t{tenants}-c5-r{repeat}" / "cell.json"
            operations = read_sealed(path)["operations"]
            operations["get_run"]["latency_ok_ms"]["p95"] = p95 * (1 + 0.04 * repeat)
            edit_record(path, operations=operations)
    table = tables_of(directory)["report_latency_analysis_by_tenants.csv"]
    row = table[(table["operation"] == "get_run") & (table["repeat"] == 1)].iloc[0]
    assert row["change_1_to_100_pct"] == 300
    assert pd.isna(row["change_1_to_10_pct"])
    assert row["not_distinguishable"].startswith("10: +4 % within ")


def test_levels_of_few_samples_are_named(tmp_path):
    table = tables_of(write_run(tmp_path / "run", tenants=(1, 10), concurrency=(5,)))["report_latency_analysis_by_tenants.csv"].set_index("operation")
    assert table.loc["create_prompt", "low_n"] == "1 10"


def test_a_negative_number_is_no_formula():
    assert csv_text(pd.DataFrame({"change_1_to_10_pct": [-1.5]})) == "change_1_to_10_pct\n-1.5\n"


def test_points_have_intervals_between_three_repeats(tmp_path):
    tables = tables_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10), repeats=3))
    points = tables["report_points.csv"]
    row = points[(points["operation"] == "total") & (points["number"] == "p95")].iloc[0]
    values = tables["report_operations.csv"].query("operation == 'total' and concurrency == 5")["p95_ms"]
    assert row["value"] == values.iloc[0]
    assert row["low"] < row["value"] < row["high"]
    assert set(points["repeats"]) == {3}


def test_a_point_whose_cells_changed_has_no_pooled_percentile(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), repeats=3)
    edit_record(directory / "cells" / "t1-c5-r2" / "cell.json", notes={"note": "measured again"})
    points = tables_of(directory)["report_points.csv"]
    row = points[(points["operation"] == "total") & (points["number"] == "p95")].iloc[0]
    assert pd.isna(row["value"])
    assert row["low"] < row["high"]


def test_journeys_have_their_outcomes_durations_and_intervals(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), repeats=3)
    path = directory / "cells" / "t1-c5-r1" / "cell.json"
    journeys = read_sealed(path)["journeys"]
    journeys["training"]["ci95"] = {"method": "batches_within_window", "mean": [2500.0, 2700.0], "p50": None, "p95": None, "suppressed": {}}
    edit_record(path, journeys=journeys)
    tables = tables_of(directory)
    row = tables["report_journeys.csv"].query("journey == 'training' and repeat == 1").iloc[0]
    assert (row["completed"], row["mean_ms"], row["mean_low_ms"], row["mean_high_ms"]) == (58, 2600, 2500, 2700)
    points = tables["report_points.csv"]
    assert set(points[points["operation"] == "journey training"]["number"]) == {"mean", "p50", "p95"}


def test_points_of_two_repeats_have_none(tmp_path):
    tables = tables_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), repeats=2))
    assert tables["report_points.csv"][["low", "high"]].isna().all(axis=None)
    assert tables["report_noise.csv"].empty


def test_the_noise_table_has_every_number(tmp_path):
    noise = tables_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5, 10), repeats=3))["report_noise.csv"]
    total = noise[noise["operation"] == "total"].set_index("number")
    assert list(total.index) == ["goodput_per_s", "mean", "p50", "p95"]
    assert (total["degrees_of_freedom"] == 4).all()
    assert (noise["smallest_change_pct"] > 0).all()


def test_a_missing_baseline_remains_the_baseline(tmp_path):
    """The legacy suite compared with the smallest level that happened to be there."""
    run = write_run(tmp_path / "run", tenants=(1, 10, 100), verdicts={"t1-c5-r1": "missing", "t1-c10-r1": "failed"})
    table = tables_of(run)["report_latency_analysis_by_tenants.csv"]
    assert "change_1_to_10_pct" in table
    assert table["change_1_to_10_pct"].isna().all()
    assert set(table["not_valid"]) == {"1: missing", "1: failed"}


def test_analysis_by_category_uses_pooled_percentiles(tmp_path):
    run = write_run(tmp_path / "run", tenants=(1, 10), concurrency=(5,))
    model = build_model(read_sources([run]))
    table = all_tables(model)["report_latency_analysis_summary.csv"]
    assert list(table.columns)[:5] == ["category", "concurrency", "avg_1_tenant_p95_ms", "avg_10_tenants_p95_ms", "avg_change_1_to_10_pct"]
    pooled = model.categories.set_index(["category", "tenants"])["ok_p95"].round(2)
    for row in table.itertuples():
        assert row.avg_1_tenant_p95_ms == pooled[row.category, 1]
    assert table["avg_10_tenants_p95_ms"].equals(table["10_tenants_p95_ms"].rename("avg_10_tenants_p95_ms"))


def test_legacy_folders_have_no_category_percentile_and_the_reason_is_given(tmp_path):
    tables = tables_of(write_legacy_folder(tmp_path / "old"))
    assert tables["report_latency_analysis_summary.csv"]["avg_1_tenant_p95_ms"].isna().all()
    assert any("cannot be averaged" in reason for reason in tables["report_missing.csv"]["reason"])


def test_a_completely_failed_operation_does_not_make_the_cell_look_faster(tmp_path):
    """The old report's mean of percentiles fell from 433 to 165 when one operation failed."""
    for folder, failed in (("whole", {}), ("broken", {"search_prompts": 200})):
        write_legacy_summary(tmp_path / folder / "summary_tenants-1_concurrency_5.json", 1, 5, failed=failed)
    tables = tables_of(tmp_path / "whole", tmp_path / "broken")
    summary = tables["report_summary.csv"].set_index("run_id")
    assert pd.isna(summary.loc["broken", "search_prompts_p95_ms"])
    assert summary.loc["broken", "search_prompts_failed"] == 200
    assert summary.loc["broken", "get_run_p95_ms"] == summary.loc["whole", "get_run_p95_ms"]


def test_missing_values_come_with_reasons(tmp_path):
    run = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), metrics="not_requested")
    missing = tables_of(run)["report_missing.csv"]
    assert "no metrics were requested" in set(missing["reason"])
    assert any("p99 needs" in reason for reason in missing["reason"])
    failed = tables_of(write_run(tmp_path / "failed", verdicts={"t1-c5-r1": "failed"}))["report_missing.csv"]
    assert failed.iloc[0]["missing"] == "cell"
    assert "exit code 137" in failed.iloc[0]["reason"]


@pytest.mark.parametrize(
    ("options", "concurrency", "rate"),
    [pytest.param({"rates": (2.5,), "concurrency": ()}, "", "2.5", id="open"), pytest.param({"concurrency": (5,)}, "5", "", id="closed")],
)
def test_the_load_stands_in_its_own_column(tmp_path, options, concurrency, rate):
    text = csv_text(tables_of(write_run(tmp_path / "run", tenants=(1,), **options))["report_summary.csv"])
    row = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False).iloc[0]
    assert (row["concurrency"], row["rate"]) == (concurrency, rate)


def test_repeats_and_runs_are_distinguished(tmp_path):
    tables = tables_of(write_run(tmp_path / "a", repeats=2), write_run(tmp_path / "b", backend="postgres", repeats=2))
    assert len(tables["report_summary.csv"]) == 16
    analysis = tables["report_latency_analysis_by_tenants.csv"]
    assert len(analysis) == 16 * 2 * 4
    assert set(analysis["db_backend"]) == {"sqlite", "postgres"}


def test_tidy_tables_hold_operations_categories_totals_and_resources(tmp_path):
    tables = tables_of(write_run(tmp_path / "run", tenants=(1,), concurrency=(5,), errors=0.1))
    assert set(tables["report_operations.csv"]["operation"]) >= {"total", "all read", "get_run"}
    assert "http_503=" in "".join(tables["report_operations.csv"]["failed_by"])
    assert list(tables["report_resources.csv"]["status"]) == ["ok", "ok", "missing"]
