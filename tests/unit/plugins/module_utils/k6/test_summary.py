# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both shapes of a k6 summary, and files that are none."""

from __future__ import annotations

import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.summary import SummaryError, parse_summary, read_summary

NAME = "summary_tenants-3_concurrency_2.json"


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
    summary = parse_summary({"metrics": {"a": {"values": {"count": "many", "rate": True, "p(99.9)": 3}}, "b": {"values": 1}, "c": 2}})
    assert summary.metrics == {"a": {"p99.9": 3}}
    assert summary.duration_s is None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "is empty. k6 was probably stopped", id="empty"),
        pytest.param(b'{"data": {"metr', "is not complete JSON", id="half-written"),
        pytest.param(b"\xff\xfe\x00", "is not text", id="binary"),
        pytest.param(b'{"a": 1}', "has no k6 metrics", id="no metrics"),
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
