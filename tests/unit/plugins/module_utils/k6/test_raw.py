# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw files: captured ones, damaged ones, and other time formats."""

from __future__ import annotations

import csv
import gzip

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6 import raw as raw_module
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError, read_raw, unmeasured_wait_ms
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import UNKNOWN, Kind
from fakes.k6_raw_rows import HEADER, journey, request, value, wrong_answer

END = 1_800_000_000_000
TIMEOUT_MS = 60_000.0


def read(tmp_path, text, name="raw.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_raw(path, TIMEOUT_MS)


def test_captured_file_row_by_row(attempt_directory):
    with (attempt_directory / "raw.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    durations = [row for row in rows if row["metric_name"] == "http_req_duration"]
    waitings = [row for row in rows if row["metric_name"] == "http_req_waiting"]
    raw = read_raw(attempt_directory / "raw.csv", TIMEOUT_MS)
    assert raw.duration_rows == len(durations) == len(raw.requests)
    assert list(raw.requests.columns["duration"]) == [round(float(row["metric_value"]) * 100) for row in durations]
    assert list(raw.requests.columns["waiting"]) == [round(float(row["metric_value"]) * 100) for row in waitings]
    assert list(raw.requests.columns["start"]) == [round(int(row["timestamp"]) - float(row["metric_value"])) for row in durations]
    kinds = [raw.requests.kind_table[number] for number in raw.requests.columns["kind"]]
    assert [(kind.operation, str(kind.status), kind.error_code) for kind in kinds] == [(row["name"], row["status"], row["error_code"]) for row in durations]
    assert all(f"tenant={kind.tenant}" in row["metadata"] and f"journey={kind.journey}" in row["metadata"] for kind, row in zip(kinds, durations, strict=True))
    for metric, found in (("journey_duration", raw.journeys), ("heartbeat_lateness", raw.heartbeats), ("vus", raw.users), ("iterations", raw.iterations)):
        assert len(found) == sum(row["metric_name"] == metric for row in rows) > 0
    assert raw.last_ms == max(int(row["timestamp"]) for row in rows)
    assert (raw.unreadable, raw.is_truncated) == (0, False)


@pytest.mark.parametrize("block", [1, 50, 333, 4096], ids=str)
def test_blocks_do_not_matter(captured, monkeypatch, block):
    path = captured / "1.1.0" / "raw.csv"
    whole = read_raw(path, TIMEOUT_MS)
    monkeypatch.setattr(raw_module, "_BLOCK", block)
    assert read_raw(path, TIMEOUT_MS) == whole


def test_order_of_tags_does_not_matter(tmp_path):
    swapped = request().replace("tenant=tenant-1&journey=browsing", "journey=browsing&tenant=tenant-1")
    raw = read(tmp_path, HEADER + request() + swapped)
    assert raw.requests.kind_table == [Kind("get_run", "browsing", "tenant-1", 200, "")]
    assert list(raw.requests.columns["waiting"]) == [450, 450]


def test_gzip_is_read_and_a_damaged_one_up_to_the_damage(tmp_path, monkeypatch):
    text = HEADER + "".join(request(END + n, operation=f"operation_{n * 7919 % 1000}") for n in range(500))
    packed = gzip.compress(text.encode(), mtime=0)
    assert read(tmp_path, packed).duration_rows == 500
    monkeypatch.setattr(raw_module, "_BLOCK", 512)
    middle = len(packed) // 2
    for damaged in (packed[:middle], packed[:middle] + b"\xff" * 999):
        half = read(tmp_path, damaged)
        assert 0 < half.duration_rows < 500
        assert half.is_truncated


@pytest.mark.parametrize(
    ("cut", "requests"),
    [
        pytest.param(-1, 2, id="the last newline is missing"),
        pytest.param(-len(request()) - 1, 1, id="inside the row before the last request"),
        pytest.param(-len(request()) + len(request().split("\n")[0]) + 30, 1, id="inside the last duration row"),
    ],
)
def test_unfinished_last_line_is_not_used(tmp_path, cut, requests):
    raw = read(tmp_path, (HEADER + request() + request())[:cut])
    assert len(raw.requests) == raw.duration_rows == requests
    assert raw.is_truncated


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(f"http_req_duration,{END},abc,,get_run,browsing,200,,\n", id="no number"),
        pytest.param(f"http_req_duration,{END},nan,,get_run,browsing,200,,\n", id="not a number"),
        pytest.param(f"http_req_duration,{END},-1,,get_run,browsing,200,,\n", id="negative"),
        pytest.param(f"http_req_duration,{END},5.0,,get_run,browsing,20x,,\n", id="status is text"),
        pytest.param(f"http_req_duration,{END},5.0,get_run\n", id="fields are missing"),
        pytest.param("http_req_duration,\n", id="nothing follows"),
        pytest.param("http_req_duration,12ab567890123,5.0,,get_run,browsing,200,,\n", id="stamp is text"),
        pytest.param(f'http_req_duration,{END},5.0,,"get_run,browsing,200,,\n', id="quote without end"),
    ],
)
def test_damaged_row_is_counted_and_spoils_no_other(tmp_path, line):
    raw = read(tmp_path, HEADER + request(duration=1, waiting=0.5) + line + request(END + 9, duration=3, waiting=2))
    assert (raw.unreadable, raw.duration_rows) == (1, 3)
    assert list(raw.requests.columns["duration"]) == [100, 300]
    assert list(raw.requests.columns["waiting"]) == [50, 200]


@pytest.mark.parametrize(
    "waiting",
    [
        pytest.param("", id="its row is missing"),
        pytest.param(f"http_req_waiting,{END + 1},4.5,,get_run,browsing,200,,tenant=tenant-1&journey=browsing\n", id="of another time"),
        pytest.param(f"http_req_waiting,{END},4.5,,get_run,browsing,500,,tenant=tenant-1&journey=browsing\n", id="of another request"),
        pytest.param(f"http_req_waiting,{END},x,,get_run,browsing,200,,tenant=tenant-1&journey=browsing\n", id="no number"),
    ],
)
def test_waiting_is_unknown_when_it_is_not_this_requests(tmp_path, waiting):
    raw = read(tmp_path, HEADER + request(waiting=None) + waiting + request(END + 2, waiting=1.25))
    assert list(raw.requests.columns["waiting"]) == [UNKNOWN, 125]


def test_garbage_between_rows_is_passed_over(tmp_path):
    garbage = "\0\0\0\nvus,x\nvus,1,2\niterations,bad,1,,,,,,\njourney_duration\nhello, world\n"
    raw = read(tmp_path, HEADER + garbage + value("vus", END, 7) + request() + journey(END, 250, outcome="interrupted"))
    assert raw.duration_rows == 1
    assert [row.value for row in raw.users] == [7]
    assert raw.iterations == []
    assert raw.journeys == [(END - 250, 250, "browsing", "interrupted", "tenant-1")]


def test_requests_without_a_connection_are_charged_their_wait(tmp_path):
    hung = request(duration=0, waiting=0, status=0, error_code="1050")
    no_connection = request(duration=0, waiting=0, status=0, error_code="1212")
    slow = request(duration=150, waiting=0, status=0, error_code="1050")
    raw = read(tmp_path, HEADER + hung + no_connection + slow)
    assert list(raw.requests.columns["duration"]) == [6_000_000, 0, 15_000]
    assert list(raw.requests.columns["start"]) == [END - 60_000, END, END - 150]


@pytest.mark.parametrize(
    ("stamp", "milliseconds"),
    [
        pytest.param(1_795_474_537, 1_795_474_537_000, id="seconds"),
        pytest.param(1_795_474_537_363, 1_795_474_537_363, id="milliseconds"),
        pytest.param(1_795_474_537_363_999, 1_795_474_537_364, id="microseconds"),
        pytest.param(1_795_474_537_363_999_999, 1_795_474_537_364, id="nanoseconds"),
    ],
)
def test_units_of_time(tmp_path, stamp, milliseconds):
    assert list(read(tmp_path, HEADER + request(stamp, duration=0)).requests.columns["start"]) == [milliseconds]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param("", "empty or without", id="empty"),
        pytest.param(HEADER[:20], "empty or without", id="half a header"),
        pytest.param("a,b\n1,2\n", "not the CSV output of k6", id="another CSV"),
        pytest.param("metric_name,timestamp,metric_value,extra_tags,metadata\n", "with the tags name and status", id="without the tags"),
        pytest.param(HEADER + request("2026-11-23T22:55:37Z"), "Set K6_CSV_TIME_FORMAT=unix_milli", id="time as text"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, sentence):
    with pytest.raises(K6ResultError, match=sentence):
        read(tmp_path, content)


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(K6ResultError, match="the file is missing"):
        read_raw(tmp_path / "raw.csv", TIMEOUT_MS)
    with pytest.raises(K6ResultError, match="cannot be read"):
        read_raw(tmp_path, TIMEOUT_MS)


@pytest.mark.parametrize(
    ("code", "timeout_ms", "charged"),
    [
        pytest.param("1050", 60000, 60000, id="request timeout"),
        pytest.param("1211", 60000, 30000, id="dial limit"),
        pytest.param("1211", 5000, 5000, id="request timeout below the dial limit"),
        pytest.param("1212", 60000, 0, id="refused at once"),
    ],
)
def test_unmeasured_wait(code, timeout_ms, charged):
    assert unmeasured_wait_ms(code, timeout_ms) == charged


def test_a_wrong_answer_fails_its_request(tmp_path):
    raw = read(tmp_path, HEADER + request(END, 5.0) + request(END, 6.0) + wrong_answer(END + 1, 6.0, "body"))
    assert [raw.requests.kind_table[number].error_code for number in raw.requests.columns["kind"]] == ["", "answer_body"]
    assert (raw.wrong_answers, raw.unmatched_answers) == (1, 0)


def test_of_equal_requests_the_one_that_ended_then_has_the_wrong_answer(tmp_path):
    raw = read(tmp_path, HEADER + "".join(request(END + at, 5.0) for at in (0, 400, 900)) + wrong_answer(END + 401, 5.0))
    assert [raw.requests.kind_table[number].error_code for number in raw.requests.columns["kind"]] == ["", "answer_type", ""]


def test_two_wrong_answers_alike_fail_two_requests(tmp_path):
    raw = read(tmp_path, HEADER + request(END, 5.0) * 2 + wrong_answer(END, 5.0) * 2)
    assert [raw.requests.kind_table[number].error_code for number in raw.requests.columns["kind"]] == ["answer_type"] * 2


@pytest.mark.parametrize("other", [{"duration": 6.0}, {"operation": "get_experiment"}, {"tenant": "tenant-2"}, {"status": 500, "error_code": "1500"}])
def test_a_wrong_answer_without_its_request_is_counted(tmp_path, other):
    raw = read(tmp_path, HEADER + request(END, **{"duration": 5.0, **other}) + wrong_answer(END, 5.0))
    assert (raw.wrong_answers, raw.unmatched_answers) == (1, 1)


def test_a_damaged_row_of_a_wrong_answer_is_not_used(tmp_path):
    raw = read(tmp_path, HEADER + request(END, 5.0) + wrong_answer(END, 5.0).replace("5.000000&", "x&"))
    assert raw.wrong_answers == 0


@pytest.mark.parametrize(
    ("rows", "repeated"),
    [
        pytest.param({"duration": 105.0, "waiting": 50.0, "blocked": 0.2, "sending": 54.8}, [1], id="repeated"),
        pytest.param({"duration": 105.0, "waiting": 50.0, "blocked": 0.003, "sending": 0.04}, [], id="long-body"),
        pytest.param({"duration": 105.0, "waiting": 50.0, "blocked": 0.003, "sending": 54.8}, [], id="written-late"),
        pytest.param({"duration": 105.0, "waiting": 50.0, "blocked": 80.0, "sending": 54.8}, [], id="slow-connection"),
        pytest.param({"duration": 58.0, "waiting": 50.0, "blocked": 0.7, "connecting": 0.6, "sending": 7.7}, [], id="first-connection"),
        pytest.param({"duration": 105.0, "waiting": 50.0, "blocked": 0.2, "sending": 54.8, "operation": "log_artifact"}, [], id="upload"),
        pytest.param({"duration": 50.9, "waiting": 50.0, "blocked": 0.2, "sending": 0.8}, [], id="cost-nothing"),
        pytest.param({"duration": 105.0, "waiting": None, "blocked": 0.2, "sending": 54.8}, [], id="no-waiting-row"),
        pytest.param({"duration": 105.0, "waiting": 50.0, "blocked": None, "sending": 54.8}, [], id="no-blocked-row"),
    ],
)
def test_requests_that_k6_sent_twice_are_noted(tmp_path, rows, repeated):
    raw = read(tmp_path, HEADER + request() + request(**rows) + request())
    assert [place for place, is_repeated in enumerate(raw.requests.columns["repeated"]) if is_repeated] == repeated
