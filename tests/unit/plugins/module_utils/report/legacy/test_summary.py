# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Summaries of the legacy suite in both k6 shapes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.legacy.summary import LegacySummaryError, read_legacy_summary

NAME = "summary_tenants-3_concurrency_2.json"
CAPTURED = Path(__file__).resolve().parents[4] / "fixtures" / "k6"
LATENCIES = ("avg_ms", "min_ms", "med_ms", "p90_ms", "p95_ms", "max_ms")


@pytest.fixture(params=["1.1.0", "1.8.1", "1.8.1-machine_readable"])
def attempt_directory(request):
    """The captured attempt of each version and shape."""
    return CAPTURED / request.param


def test_every_version_results_in_the_same_record(attempt_directory):
    record = read_legacy_summary(attempt_directory / "legacy" / NAME)
    assert (record["tenants"], record["concurrency"]) == (3, 2)
    assert record["timestamp"].startswith("20")
    operations = record["operations"]
    assert {name: (entry["passed"], entry["failed"]) for name, entry in operations.items()} == {
        "create_run": (12, 0),
        "get_run": (10, 2),
        "log_artifact": (0, 12),
    }
    assert operations["create_run"]["min_ms"] <= operations["create_run"]["p95_ms"] <= operations["create_run"]["max_ms"]
    assert operations["create_run"]["rps"] == pytest.approx(12 / record["duration_s"], rel=0.1)
    assert record["http"]["reqs_total"] == 36
    assert record["http"]["failed_count"] == 14
    assert 0 < record["http"]["latency_ms"]["med_ms"] <= record["http"]["latency_ms"]["p95_ms"] <= record["http"]["latency_ms"]["max_ms"]
    assert record["http"]["failed_rate"] == pytest.approx(14 / 36)
    assert record["http"]["reqs_rate"] == pytest.approx(36 / record["duration_s"], rel=0.1)


def test_operation_that_never_passed_has_no_latency_and_zero_rate():
    entry = read_legacy_summary(CAPTURED / "1.1.0" / "legacy" / NAME)["operations"]["log_artifact"]
    assert {entry[name] for name in LATENCIES} == {None}
    assert entry["rps"] == 0


def test_axes_come_from_the_name_when_the_file_lacks_them(tmp_path):
    data = json.loads((CAPTURED / "1.1.0" / "legacy" / NAME).read_text())["data"]
    (tmp_path / "summary_tenants-500_concurrency_50.json").write_text(json.dumps(data))
    record = read_legacy_summary(tmp_path / "summary_tenants-500_concurrency_50.json")
    assert (record["tenants"], record["concurrency"], record["timestamp"]) == (500, 50, None)


def test_rate_is_unknown_without_a_duration(tmp_path):
    path = tmp_path / "summary_tenants-1_concurrency_5.json"
    path.write_text(json.dumps({"metrics": {"get_run_passed": {"values": {"count": 3}}}}))
    record = read_legacy_summary(path)
    assert record["operations"]["get_run"]["rps"] is None
    assert record["http"] == {"latency_ms": None, "reqs_total": 0, "reqs_rate": None, "failed_rate": None, "failed_count": None}


def test_summary_of_another_script_fails():
    with pytest.raises(LegacySummaryError, match="no <operation>_response_time"):
        read_legacy_summary(CAPTURED / "1.1.0" / NAME)


def test_unknown_axes_fail(tmp_path):
    document = json.loads((CAPTURED / "1.1.0" / "legacy" / NAME).read_text())
    document["tenants"] = "many"
    (tmp_path / "copy.json").write_text(json.dumps(document))
    with pytest.raises(LegacySummaryError, match=r"no tenants \('many'\)"):
        read_legacy_summary(tmp_path / "copy.json")
    shutil.copy(CAPTURED / "1.1.0" / "legacy" / NAME, tmp_path / "any name.json")
    assert read_legacy_summary(tmp_path / "any name.json")["tenants"] == 3
