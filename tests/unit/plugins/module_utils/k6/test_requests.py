# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads that do not stay in memory have the results of those that do, whatever lies on the edges of their chunks; and what becomes of their files."""

from __future__ import annotations

import errno
import gzip
import io
import json
import random
import shutil

import numpy as np
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6 import raw as raw_module
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6 import requests as requests_module
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import Kind, Requests
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from fakes.k6_raw_rows import journey, request, value, wrong_answer
from fakes.sharded_attempts import END_MS, START_MS, rows_of, write_attempt, write_k6

CHUNKS = (50, 333, 2000)
KINDS = [Kind("get_run", "browsing", "tenant-1", 200, ""), Kind("create_run", "training", "tenant-2", 500, "1500")]
FILES = ("samples.csv.gz", "tenants.csv", "latencies.csv", "timeline.csv")
OUTAGE = range(START_MS + 4000, START_MS + 7000)


def edges():
    """Return rows that chunks may divide: equal starts, an outage, one of a tenant, wrong answers, silent repeats, slow listings, dropped journeys."""
    chance, rows = random.Random(1), []
    for at in range(START_MS - 1500, END_MS + 1500, 10):
        fails = {"status": 503, "error_code": "1503"} if at in OUTAGE else {}
        rows += [request(at + 30, 30.0 + at % 7, None, "search_runs", **fails)] * 3
        rows.append(request(at + 6, 6.0, 5.5, "get_run", **fails))
        dead = {"status": 404, "error_code": "1404"} if at > START_MS + 8000 else fails
        rows.append(request(at + 5, 5.0, 4.0, "get_run", tenant="tenant-dead", **dead))
        if at % 90 == 0:
            duration = chance.uniform(20, 40)
            end = at + int(duration)
            rows.append(request(end, duration, 10.0, "list_artifacts", **fails) + wrong_answer(end + 1, duration, "body", "list_artifacts"))
        if at % 70 == 0:
            rows.append(request(at + 105, 105.0, 50.0, "get_experiment", blocked=0.2, sending=54.8, **fails))
            duration = 100.0 if at % 700 else 3500.0
            rows.append(request(at + int(duration), duration, 99.5, "list_workspaces", tenant=f"tenant-{at % 3}", **fails))
            rows.append(journey(at, 60.0) + value("iterations", at, 1, "browsing"))
    rows.append(value("dropped_iterations", START_MS + 6000, 1, "browsing"))
    rows.append(request(END_MS + 1400, 9000.0, 8000.0, "isolation_other") + request(START_MS + 9000, 8500.0, 1.0))
    return "".join(rows)


def result_of(directory, **known):
    """Return the result of an attempt and the contents of its files."""
    result = build_result(Attempt(directory, directory / "kept", exit_code=0, **known))["result"]
    return result, {name: content(directory / "kept" / name) for name in FILES}


def content(path):
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def load_with_edges(directory):
    write_k6(directory, edges())


def load_of_shards(directory):
    text = edges()
    half = text.index("\nhttp_reqs,", len(text) // 2) + 1
    write_attempt(directory, {1: text[:half], 2: rows_of(2), 3: text[half:], 4: rows_of(4, slowness=1.6)}, {3: {"is_complete": False}})


@pytest.fixture(name="known", scope="module", params=[load_with_edges, load_of_shards])
def fixture_known(request, tmp_path_factory):
    """Return the directory of a load, and what is summarized of it in memory."""
    directory = tmp_path_factory.mktemp("load") / "attempt"
    request.param(directory)
    return directory, result_of(directory, apart="tenant-dead")


@pytest.fixture(name="small_chunks")
def fixture_small_chunks(monkeypatch):
    """Return a function that sets how many requests a chunk has; raw output is then read some requests at a time too."""

    def set_chunk(chunk):
        monkeypatch.setattr(requests_module, "CHUNK", chunk)
        monkeypatch.setattr(raw_module, "_BLOCK", 3000)

    return set_chunk


def test_the_load_has_what_chunks_may_divide(known):
    result = known[1][0]
    assert result["outage_s"] > 2 or "shards" in result
    assert result["tenant_outage"]["tenant"] == "tenant-dead"
    assert result["wrong_answers"]["seen"] > 50
    assert result["silent_repeats"]["get_experiment"] > 100
    assert result["congestion"] is not None
    assert result["tenants"]["listings"]["slow"]
    assert result["total"]["ci95"]["p95"] is not None
    assert result["samples"]["rows"] > result["total"]["n"] + 500


@pytest.mark.parametrize("chunk", CHUNKS)
def test_chunks_do_not_matter(known, small_chunks, tmp_path, chunk):
    directory, expected = known
    shutil.copytree(directory, tmp_path / "attempt")
    shutil.rmtree(tmp_path / "attempt" / "kept")
    small_chunks(chunk)
    result, files = result_of(tmp_path / "attempt", apart="tenant-dead")
    assert json.loads(json.dumps(result)) == json.loads(json.dumps(expected[0]))
    assert files == expected[1]


def filled(directory, count):
    """Return requests whose starts are few and in no order, and their durations."""
    chance, requests = random.Random(1), Requests(directory, kind_table=KINDS)
    added = [(chance.randrange(5000, 9000, 50), number) for number in range(count)]
    for start, number in added:
        requests.add(start, number, number % 2, number % 3)
        requests.write_out()
    return requests, added


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 1234])
def test_requests_come_in_the_order_of_their_starts_as_often_as_wanted(small_chunks, tmp_path, count):
    small_chunks(50)
    requests, added = filled(tmp_path, count)
    for _time in range(2):
        found = [(start, duration) for chunk in requests.chunks() for start, duration in zip(chunk["start"].tolist(), chunk["duration"].tolist(), strict=True)]
        assert found == sorted(added, key=lambda request: request[0])
    assert len(requests) == count


def test_no_chunk_is_larger_than_its_limit(small_chunks, tmp_path):
    small_chunks(50)
    requests, _added = filled(tmp_path, 1234)
    assert len(requests.columns["start"]) < 100
    assert max(map(len, requests.chunks())) == 50


@pytest.mark.parametrize("count", [99, 1234])
def test_requests_come_in_the_order_of_their_ends(small_chunks, tmp_path, count):
    small_chunks(50)
    requests, added = filled(tmp_path, count)
    parts = list(requests.by_end())
    ends = np.concatenate([ends for ends, _requests, _first in parts])
    assert ends.tolist() == sorted(start + duration / 100 for start, duration in added)
    for place, (_ends, _requests, first_in_flight) in enumerate(parts):
        later = [int(requests["start"].min()) for _ends, requests, _first in parts[place + 1:] if len(requests)]
        assert first_in_flight <= min(later, default=float("inf"))


def test_a_million_requests_need_no_file(tmp_path):
    requests, _added = filled(tmp_path / "results", 1000)
    assert len(list(requests.chunks())) == 1
    assert not (tmp_path / "results").exists()


def test_files_have_no_name_and_are_closed(known, small_chunks, tmp_path, monkeypatch):
    opened = []
    create = requests_module.tempfile.TemporaryFile

    def noted(**options):
        opened.append((options["dir"], create(**options)))
        return opened[-1][1]

    monkeypatch.setattr(requests_module.tempfile, "TemporaryFile", noted)
    small_chunks(64)
    shutil.copytree(known[0], tmp_path / "attempt")
    shutil.rmtree(tmp_path / "attempt" / "kept")
    result_of(tmp_path / "attempt")
    assert {directory for directory, _file in opened} == {tmp_path / "attempt" / "kept"}
    assert all(file.closed for _directory, file in opened)
    assert {path.name for path in (tmp_path / "attempt" / "kept").iterdir()} == {*FILES, "k6_result.json"}


class FullDisk(io.BytesIO):
    """A file on a disk with room for so many bytes."""

    def __init__(self, room):
        super().__init__()
        self.room = room

    def write(self, data):
        if self.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("room", [pytest.param(0, id="first part"), pytest.param(5000, id="later part")])
def test_a_full_disk_is_one_sentence_and_the_raw_file_stays(known, small_chunks, tmp_path, monkeypatch, room):
    files = []

    def full(**_options):
        files.append(FullDisk(room))
        return files[-1]

    monkeypatch.setattr(requests_module.tempfile, "TemporaryFile", full)
    small_chunks(64)
    shutil.copytree(known[0], tmp_path / "attempt")
    shutil.rmtree(tmp_path / "attempt" / "kept")
    before = sorted(tmp_path.rglob("*raw.csv"))
    with pytest.raises(FileWriteError, match=r"kept: the disk is full\. Free space"):
        result_of(tmp_path / "attempt", remove_raw=True)
    assert sorted(tmp_path.rglob("*raw.csv")) == before
    assert list((tmp_path / "attempt" / "kept").iterdir()) == []
    assert all(file.closed for file in files)


def test_a_full_disk_of_the_sorted_file_is_the_same_sentence(small_chunks, tmp_path, monkeypatch):
    small_chunks(50)
    requests, _added = filled(tmp_path, 1234)
    monkeypatch.setattr(requests_module.tempfile, "TemporaryFile", lambda **_options: FullDisk(2000))
    with pytest.raises(FileWriteError, match="the disk is full"):
        next(requests.chunks())


def test_a_directory_that_cannot_be_written_is_one_sentence(small_chunks, tmp_path):
    small_chunks(50)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileWriteError, match="Check the path and the file system"):
        filled(tmp_path / "file" / "results", 1234)
