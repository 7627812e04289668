# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import NOT_JUDGED, ReportError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.legacy.folder import LegacyMetricsError, read_legacy_metrics
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.tables import all_tables
from fakes.legacy_folder import METRICS, write_legacy_folder, write_legacy_summary
from fakes.mutated_responses import mutations
from fakes.report_sources import read_sources

SEED_RESULTS = Path(__file__).resolve().parents[7] / "shared" / "seed-results"


def test_cells_have_the_shape_of_cell_json(tmp_path):
    inputs = read_sources([write_legacy_folder(tmp_path / "old")])
    record = inputs.cells[0].record
    assert record["id"] == "t1-c5-r1"
    assert record["verdict"]["status"] == NOT_JUDGED
    assert record["spec"]["factors"] == {"db_backend": "sqlite"}
    operation = record["operations"]["get_run"]
    assert (operation["n"], operation["failed"], operation["goodput_per_s"], operation["latency_ok_ms"]["p95"]) == (200, 0, 5.0, 101.0)
    assert record["total"]["n"] == 3200
    assert record["total"]["goodput_per_s"] == 80.0
    assert "results of the legacy suite" in inputs.warnings[0].lower()


def test_an_operation_that_always_failed_has_a_count_and_no_latency(tmp_path):
    write_legacy_summary(tmp_path / "summary_tenants-1_concurrency_5.json", 1, 5, failed={"log_artifact": 200})
    record = read_sources([tmp_path]).cells[0].record
    operation = record["operations"]["log_artifact"]
    assert (operation["n"], operation["ok"], operation["failed"], operation["latency_ok_ms"]["p95"]) == (200, 0, 200, None)
    assert "no request passed" in operation["suppressed"]["ok_p95"]
    assert "counted 200 failed requests (log_artifact most), k6 0" in record["verdict"]["warnings"][0]


def test_few_samples_are_marked(tmp_path):
    write_legacy_summary(tmp_path / "summary_tenants-1_concurrency_5.json", 1, 5, passed=50)
    assert read_sources([tmp_path]).cells[0].record["operations"]["get_run"]["low_n"] == ["ok_p90", "ok_p95"]


def test_a_second_summary_of_a_cell_is_a_repeat(tmp_path):
    for name in ("summary_tenants-1_concurrency_5.json", "summary_tenants-1_concurrency_5_again.json"):
        write_legacy_summary(tmp_path / name, 1, 5)
    assert [cell.record["id"] for cell in read_sources([tmp_path]).cells] == ["t1-c5-r1", "t1-c5-r2"]


EXPORTED = {
    "metrics": {
        "http_reqs": {"count": 200, "rate": 20.0},
        "http_req_failed": {"passes": 4, "fails": 196, "value": 0.02},
        "get_run_passed": {"count": 196, "rate": 19.6},
        "get_run_response_time": {"avg": 12.5, "min": 2.1, "med": 9.9, "max": 80.0, "p(90)": 20.0, "p(95)": 31.0},
    }
}


def test_summaries_of_summary_export_are_cells(tmp_path):
    (tmp_path / "summary_tenants-1_concurrency_5.json").write_text(json.dumps(EXPORTED))
    inputs = read_sources([tmp_path])
    record = inputs.cells[0].record
    assert record["operations"]["get_run"]["latency_ok_ms"]["p95"] == 31.0
    assert (record["total"]["n"], record["total"]["failed"], record["total"]["failed_ratio"]) == (200, 4, 0.02)
    assert all_tables(build_model(inputs))["report_summary.csv"].loc[0, "get_run_p95_ms"] == 31.0


# The same code many times over: counting its lines would take as long again.
@pytest.mark.no_cover
def test_no_summary_ends_in_a_raw_exception(tmp_path):
    file = tmp_path / "summary_tenants-1_concurrency_5.json"
    for number, body in enumerate(mutations({"data": EXPORTED, "tenants": 1, "concurrency": 5})):
        file.write_bytes(body)
        with suppress(ReportError):
            inputs = read_sources([tmp_path])
            if number % 12 == 0:  # tables cost a tenth of a second
                all_tables(build_model(inputs))


def test_metrics_files_are_read_as_editors_save_them(tmp_path):
    file = tmp_path / "metrics_1_concurrency_5.csv"
    text = METRICS.replace("mlflow,", "mlf\x1b[1mlow,").replace("\n", "\r\n")
    file.write_bytes(text.encode("utf-16"))
    found = read_legacy_metrics(file)
    assert "mlf\\x1b[1mlow" in found["resources"]
    file.write_bytes(METRICS.encode() + b"\0,\0\n")
    with pytest.raises(LegacyMetricsError):
        read_legacy_metrics(file)


def test_damaged_and_single_files_are_named_and_the_rest_is_read(tmp_path):
    write_legacy_folder(tmp_path)
    (tmp_path / "summary_tenants-1_concurrency_5.json").write_text('{"concurrency": 5')
    (tmp_path / "summary_other.json").write_text("{}")
    (tmp_path / "metrics_10_concurrency_5.csv").write_text("mlflow,cpu")
    inputs = read_sources([tmp_path])
    assert [cell.record["id"] for cell in inputs.cells] == ["t1-c10-r1", "t10-c5-r1", "t10-c10-r1"]
    for name in ("summary_tenants-1_concurrency_5.json", "summary_other.json", "metrics_10_concurrency_5.csv", "metrics_1_concurrency_5.csv"):
        assert any(name in warning for warning in inputs.warnings), name
    assert inputs.cells[1].record["resources"] == {}


def test_metrics_without_a_value_are_missing_never_zero(tmp_path):
    path = tmp_path / "metrics_1_concurrency_5.csv"
    path.write_text(METRICS.format(backend="postgres"))
    found = read_legacy_metrics(path)
    assert found["backend"] == "postgres"
    assert found["resources"]["router"] == {"cpu_cores_mean": None, "cpu_cores_peak": None, "memory_bytes_mean": None, "status": "missing"}
    assert found["resources"]["cluster"] == {"cpu_utilization_mean": pytest.approx(0.415), "cpu_utilization_peak": pytest.approx(0.77), "status": "ok"}
    assert found["resources"]["mlflow"]["memory_bytes_peak"] == 633032704


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"component,metric,aggregation,unit,value\nmlflow,cpu,avg\n", b"\xff\xfe"])
def test_another_or_truncated_metrics_file_fails(tmp_path, content):
    path = tmp_path / "metrics_1_concurrency_5.csv"
    path.write_bytes(content)
    with pytest.raises(LegacyMetricsError, match="metrics_1_concurrency_5"):
        read_legacy_metrics(path)


@pytest.mark.parametrize(("name", "cells"), [("local", 6), ("kubernetes", 4)])
def test_real_results_of_the_legacy_suite(name, cells):
    folder = SEED_RESULTS / name
    if not folder.is_dir():
        pytest.skip("the real results of the legacy suite are not beside this checkout")
    model = build_model(read_sources([folder]))
    summary = all_tables(model)["report_summary.csv"]
    assert len(summary) == cells
    assert (summary["create_run_failed"] == 0).all()
    assert summary["get_run_p95_ms"].notna().all()
    assert summary["log_artifact_avg_ms"].isna().all() == (name == "local")
