# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole attempt directory: complete, damaged, killed, empty."""

from __future__ import annotations

import csv
import gzip
import json
import statistics

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, file_digest
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6 import result as result_module
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import OPERATIONS
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from fakes.k6_raw_rows import HEADER, value, wrong_answer

NAMES = ("samples.csv.gz", "tenants.csv", "latencies.csv", "timeline.csv")


def build(directory, **known):
    return build_result(Attempt(directory, directory / "kept", **{"exit_code": 0, **known}))


def samples_of(directory):
    with gzip.open(directory / "kept" / "samples.csv.gz", "rt") as stream:
        return list(csv.DictReader(stream))


def cut(directory, share):
    content = (directory / "raw.csv").read_bytes()
    (directory / "raw.csv").write_bytes(content[: int(len(content) * share)])


def test_every_number_follows_from_the_samples(attempt_directory):
    built = build(attempt_directory)
    result, rows = built["result"], samples_of(attempt_directory)
    inside = [row for row in rows if row["phase"] == "window"]
    durations = [float(row["duration_ms"]) for row in inside]
    total = result["total"]
    assert result["samples"]["rows"] == len(rows) > len(inside) == total["n"]
    assert total["latency_ms"]["max"] == max(durations)
    assert total["latency_ms"]["mean"] == pytest.approx(statistics.fmean(durations))
    assert total["latency_ms"]["p95"] == pytest.approx(statistics.quantiles(durations, n=100, method="inclusive")[94])
    assert total["rate_per_s"] == pytest.approx(len(inside) / 1.2, abs=1e-6)
    assert total["failed"] == sum(row["status"] != "200" for row in inside)
    assert set(total["failed_by"]) <= {"http_500", "timeout", "connection"}
    assert sum(block["n"] for block in result["operations"].values()) == sum(block["n"] for block in result["categories"].values()) == total["n"]
    assert tuple(result["operations"]) == OPERATIONS
    assert (result["partial"], result["partial_reason"]) == (False, None)
    assert result["mix"]["training_share_users"] == 0.5
    assert result["window"]["end"] - result["window"]["start"] == pytest.approx(1.2)
    assert all(journey["started"] for journey in result["journeys"].values())
    assert result["undersampled"] == list(OPERATIONS)
    assert built["files"] == {name: file_digest(attempt_directory / "kept" / name) for name in NAMES}
    json.dumps(built, allow_nan=False)


def test_dropped_arrivals_of_an_open_profile(captured, tmp_path):
    result = build_result(Attempt(captured / "1.8.1", tmp_path))["result"]
    assert result["journeys"]["browsing"]["dropped"] == result["generator"]["dropped"] == 4


def test_second_call_changes_nothing(directory):
    first, second = build(directory), build(directory)
    assert (first.pop("changed"), second.pop("changed")) == (True, False)
    assert first == second
    assert (directory / "raw.csv").exists()


def test_raw_file_is_removed_only_on_request_and_the_result_remains(directory):
    first = build(directory, remove_raw=True)
    assert not (directory / "raw.csv").exists()
    again = build(directory, remove_raw=True)
    assert (first.pop("changed"), again.pop("changed")) == (True, False)
    assert first == again


def test_a_stored_result_of_changed_files_is_not_used(directory):
    build(directory, remove_raw=True)
    (directory / "kept" / "tenants.csv").write_text("tenant\n")
    with pytest.raises(K6ResultError, match="the file is missing"):
        build(directory)


@pytest.mark.parametrize("damage", ["samples", "disk"])
def test_raw_file_survives_a_failure(directory, monkeypatch, damage):
    def fail(*_):
        raise FileWriteError("File x: the disk is full.")

    target = (result_module.samples, "write_samples") if damage == "samples" else (result_module, "write_sealed")
    monkeypatch.setattr(*target, fail)
    with pytest.raises(FileWriteError):
        build(directory, remove_raw=True)
    assert (directory / "raw.csv").exists()


def test_raw_file_that_cannot_be_removed_is_named(directory, monkeypatch):
    def fail(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(result_module.Path, "unlink", fail)
    with pytest.raises(FileWriteError, match=r"raw\.csv: permission denied"):
        build(directory, remove_raw=True)


def test_gzip_raw_is_found(directory):
    expected = build(directory)["result"]["total"]
    content = (directory / "raw.csv").read_bytes()
    (directory / "raw.csv").unlink()
    (directory / "raw.csv.gz").write_bytes(gzip.compress(content))
    assert build(directory)["result"]["total"] == expected


@pytest.mark.parametrize(
    ("source", "users"),
    [pytest.param("log", 0.5, id="k6.log"), pytest.param("summary", 0.5, id="setup_data"), pytest.param("explicit", None, id="parameters")],
)
def test_window_from_any_source(directory, source, users):
    expected = build(directory)["result"]["window"]
    if source != "log":
        (directory / "k6.log").unlink()
    if source != "summary":
        next(directory.glob("summary*.json")).unlink()
    window = (expected["start"], expected["end"]) if source == "explicit" else None
    result = build(directory, window=window)["result"]
    assert result["window"] == pytest.approx(expected)
    assert result["mix"]["training_share_users"] == users


def test_no_window_is_one_sentence(directory):
    (directory / "k6.log").unlink()
    next(directory.glob("summary*.json")).unlink()
    with pytest.raises(K6ResultError, match="Set window_start and window_end"):
        build(directory)
    assert (directory / "raw.csv").exists()


def test_samples_of_a_killed_generator_are_used(directory):
    start = build(directory)["result"]["window"]["start"]
    cut(directory, 0.6)
    next(directory.glob("summary*.json")).unlink()
    result = build(directory, window=(start, start + 10), exit_code=137)["result"]
    assert result["partial"]
    assert "exit code 137: k6 was killed" in result["partial_reason"]
    assert "before the end of the window" in result["partial_reason"]
    assert "in the middle of a line" in result["partial_reason"]
    assert result["total"]["n"] == sum(row["phase"] == "window" for row in samples_of(directory)) > 0
    lived = result["window"]["end"] - result["window"]["start"]
    assert 0 < lived < 1.3
    assert result["window"]["planned_end"] == pytest.approx(start + 10)
    assert result["total"]["rate_per_s"] == pytest.approx(result["total"]["n"] / lived, rel=1e-4)
    assert any("Summary of" in warning for warning in result["warnings"])


def test_generator_killed_in_the_warm_up_has_no_rates(directory):
    result = build(directory, window=(1_795_500_000.0, 1_795_500_010.0), exit_code=137)["result"]
    assert result["partial"]
    assert (result["total"]["n"], result["total"]["rate_per_s"]) == (0, None)
    assert result["samples"]["rows"] > 0


@pytest.mark.parametrize(
    ("exit_code", "has_summary", "partial"),
    [
        pytest.param(0, True, None, id="complete"),
        pytest.param(99, True, None, id="a crossed threshold is complete"),
        pytest.param(0, False, None, id="ended well without a summary"),
        pytest.param(None, False, "k6 wrote no summary", id="exit code and summary unknown"),
        pytest.param(108, True, "k6 ended with exit code 108: the script called test.abort()", id="aborted"),
    ],
)
def test_when_samples_are_partial(directory, exit_code, has_summary, partial):
    if not has_summary:
        next(directory.glob("summary*.json")).unlink()
    assert build(directory, exit_code=exit_code)["result"]["partial_reason"] == partial


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(None, r"raw\.csv: the file is missing", id="missing"),
        pytest.param("", r"raw\.csv: empty or without", id="empty"),
        pytest.param(HEADER, "no requests. The load did not reach the server", id="only a header"),
        pytest.param(HEADER + value("vus", 1_795_476_005_363, 1), "no requests", id="only other metrics"),
        pytest.param(HEADER + "http_req_duration,x\n" * 3, "no requests, but 3 unreadable rows", id="only garbage"),
    ],
)
def test_no_requests_are_explained_by_exit_code_and_log(directory, captured, content, sentence):
    (directory / "k6.log").write_bytes((captured / "1.8.1" / "logs" / "exit_107.log").read_bytes())
    (directory / "raw.csv").unlink()
    if content is not None:
        (directory / "raw.csv").write_text(content)
    with pytest.raises(K6ResultError, match=sentence) as caught:
        build(directory, exit_code=107)
    assert str(caught.value).endswith(
        "k6 ended with exit code 107 (the script threw an exception). Its last error: Error: load config: url is missing. Give mlflow.url."
    )


def test_unreadable_rows_are_counted(directory):
    (directory / "raw.csv").write_text((directory / "raw.csv").read_text() + "http_req_duration,1,2\n")
    samples = build(directory)["result"]["samples"]
    assert (samples["rows"], samples["unreadable"]) == (64, 1)


def test_rows_that_were_lost_are_counted(directory):
    rows = (directory / "raw.csv").read_text().splitlines(keepends=True)
    durations = [number for number, row in enumerate(rows) if row.startswith("http_req_duration,")]
    (directory / "raw.csv").write_text("".join(row for number, row in enumerate(rows) if number not in durations[::5]))
    assert build(directory)["result"]["samples"]["lost"] == len(durations[::5])


def test_without_a_summary_the_lost_rows_are_unknown(directory):
    next(directory.glob("summary*.json")).unlink()
    assert build(directory)["result"]["samples"]["lost"] is None


def test_a_wrong_answer_without_its_row_is_a_warning(directory):
    raw = directory / "raw.csv"
    raw.write_text(raw.read_text() + wrong_answer(1_800_000_000_000, 123.0))
    assert any("1 of 1 wrong answers have no request row" in warning for warning in build(directory)["result"]["warnings"])


def test_an_additional_operation_is_listed_and_named(directory):
    result = build(directory, operations=("get_run",))["result"]
    assert next(iter(result["operations"])) == "get_run"
    assert result["operations"]["create_run"]["n"] > 0
    assert any("create_run" in warning and "not among the required ones" in warning for warning in result["warnings"])


def test_damaged_summary_is_a_warning(directory):
    next(directory.glob("summary*.json")).write_text('{"data":')
    result = build(directory)["result"]
    assert not result["partial"]
    assert any("is not complete JSON" in warning for warning in result["warnings"])
