# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of a k6 summary, and files that are none."""

from __future__ import annotations

import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.summary import SummaryError, parse_summary, read_summary

NAME = "summary_tenants-3_concurrency_2.json"
# What k6 1.1.0 wrote with --summary-export.
EXPORTED = {
    "root_group": {"groups": {}, "checks": {}, "name": "", "path": "", "id": "d41d8cd98f00b204e9800998ecf8427e"},
    "metrics": {
        "get_run_passed": {"count": 3, "rate": 32.54025500713174},
        "gauge": {"value": 3, "min": 3, "max": 3},
        "http_reqs": {"count": 3, "rate": 32.54025500713174},
        "http_req_failed": {"passes": 0, "fails": 3, "value": 0},
        "get_run_response_time": {
            "max": 46.52722, "p(90)": 45.7723492, "p(95)": 46.1497846, "avg": 30.037473333333335, "min": 0.832334, "med": 42.752866,
            "thresholds": {"p(95)<500": False},
        },
    },
}  # fmt: skip


def test_every_version_results_in_the_same_structure(attempt_directory):
    summary = read_summary(attempt_directory / NAME)
    assert summary.metrics["http_reqs"]["count"] > 50
    assert {"avg", "min", "med", "max", "p90", "p95"} <= set(summary.metrics["http_req_duration"])
    failures = summary.metrics["http_req_failed"]
    assert failures["passes"] + failures["fails"] == summary.metrics["http_reqs"]["count"]
    assert 1.5 < summary.duration_s < 5
    assert summary.envelope["tenants"] == 3


def test_setup_data_is_returned_where_the_shape_has_it(captured):
    assert read_summary(captured / "1.1.0" / NAME).setup_data["perfscale"] == "window"
    assert read_summary(captured / "1.8.1-machine_readable" / NAME).setup_data == {}


def test_data_without_an_envelope_is_a_summary(captured):
    data = json.loads((captured / "1.1.0" / NAME).read_text())["data"]
    assert parse_summary(data).metrics.keys() == read_summary(captured / "1.1.0" / NAME).metrics.keys()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_exported_summary_is_one(tmp_path, encoding):
    path = tmp_path / NAME
    path.write_bytes(json.dumps(EXPORTED, indent=2).replace("\n", "\r\n").encode(encoding))
    summary = read_summary(path)
    assert summary.metrics["http_req_failed"] == {"passes": 0, "fails": 3, "rate": 0}
    assert summary.metrics["gauge"] == {"value": 3, "min": 3, "max": 3}
    assert summary.metrics["get_run_response_time"]["p95"] == 46.1497846
    assert (summary.duration_s, summary.setup_data, summary.envelope) == (None, {}, {})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param('{"type":"Metric","data":{"name":"http_reqs"},"metric":"http_reqs"}\n{"type":"Point"}\n', "with --out json, not a summary", id="json"),
        pytest.param("metric_name,timestamp,metric_value,check\nhttp_reqs,1,1,\n", "with --out csv, not a summary", id="csv"),
        pytest.param("  █ TOTAL RESULTS \n    HTTP\n    http_req_duration.....: avg=30.03ms\n", "the text that k6 prints at its end", id="text"),
    ],
)
def test_other_outputs_of_k6_are_named(tmp_path, text, what):
    (tmp_path / NAME).write_text(text, encoding="utf-8")
    with pytest.raises(SummaryError, match=what):
        read_summary(tmp_path / NAME)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param([], id="a list"),
        pytest.param({"metrics": []}, id="metrics is a list"),
        pytest.param({"results": {"metrics": {}}}, id="results with a mapping"),
        pytest.param({"data": {"x": 1}}, id="an envelope around nothing"),
    ],
)
def test_other_documents_are_no_summary(document):
    assert parse_summary(document) is None


def test_odd_values_are_left_out():
    summary = parse_summary({"metrics": {"a": {"values": {"count": "many", "rate": True, "max": float("nan"), "p(99.9)": 3}}, "b": {"values": 1}, "c": 2}})
    assert summary.metrics == {"a": {"p99.9": 3}}
    assert summary.duration_s is None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "is empty. k6 was probably stopped", id="empty"),
        pytest.param(b'{"data": {"metr', "is not complete JSON", id="half-written"),
        pytest.param(b"\xff\xf0\x00", "is not text", id="binary"),
        pytest.param(b'{"a": 1}', "is without k6 metrics", id="no metrics"),
    ],
)
def test_unusable_files_are_named(tmp_path, content, sentence):
    path = tmp_path / NAME
    path.write_bytes(content)
    with pytest.raises(SummaryError, match=sentence) as caught:
        read_summary(path)
    assert str(path) in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(SummaryError, match="cannot be read"):
        read_summary(tmp_path / "absent.json")
