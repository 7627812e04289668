# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attempts of several shards: the pool is one load, and what is missing of any shard is named."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import json
from collections import Counter
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6 import raw as raw_module
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import has_samples
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.shard_differences import Mixed, mixed_shards
from fakes.sharded_attempts import END_MS, START_MS, WARMUP_MS, WINDOW_MS, rows_of, write_attempt, write_k6
from programs.k6 import ROOT

SHARDS = 4


@cache
def rows(number, slowness=1.0):
    return rows_of(number, slowness)


def attempt_of(tmp_path, changes=None, **slowness):
    return write_attempt(tmp_path / "attempt", {n: rows(n, slowness.get(f"shard_{n}", 1.0)) for n in range(1, SHARDS + 1)}, changes)


def build(directory, **known):
    return build_result(Attempt(directory, directory, **{"exit_code": 0, **known}))["result"]


def samples_of(directory):
    with gzip.open(directory / "samples.csv.gz", "rt") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(name="whole", scope="module")
def fixture_whole(tmp_path_factory):
    """Return the result of one k6 that wrote the rows of all shards."""
    directory = tmp_path_factory.mktemp("whole") / "attempt"
    write_k6(directory, "".join(rows(n) for n in range(1, SHARDS + 1)))
    return build(directory)


@pytest.fixture(name="sharded", scope="module")
def fixture_sharded(tmp_path_factory):
    """Return the result of an attempt whose shards are complete and alike, and its directory."""
    directory = attempt_of(tmp_path_factory.mktemp("sharded"))
    return build(directory), directory


@pytest.mark.parametrize("part", ["window", "total", "operations", "categories", "journeys", "mix", "tenants", "steadiness", "stall_s", "sent", "outage_s"])
def test_the_pool_is_one_load(whole, sharded, part):
    assert sharded[0][part] == whole[part]


def test_a_complete_load_is_not_partial(sharded):
    assert (sharded[0]["partial_reason"], sharded[0]["samples"]["lost"]) == (None, 0)


def test_samples_name_their_shard(sharded):
    expected = {str(n): rows(n).count("http_req_duration,") for n in range(1, SHARDS + 1)}
    assert Counter(row["shard"] for row in samples_of(sharded[1])) == expected


def test_samples_are_in_the_order_of_their_starts(sharded):
    starts = [int(row["start_ms"]) for row in samples_of(sharded[1])]
    assert starts == sorted(starts)


def test_virtual_users_add_up(sharded):
    assert sharded[0]["generator"]["vus_max"] == 4 * SHARDS


def test_figures_of_shards_add_up(sharded):
    assert sum(member["n"] for member in sharded[0]["shards"]["members"]) == sharded[0]["total"]["n"]


def test_figures_of_a_shard(sharded):
    member = sharded[0]["shards"]["members"][1]
    window = [row for row in samples_of(sharded[1]) if row["shard"] == "2" and row["phase"] == "window"]
    assert {key: member[key] for key in ("shard", "node", "n", "rate_per_s", "cpu_s", "lost", "vus_max", "lateness_ms_p99", "is_complete")} == {
        "shard": 2, "node": "node-2", "n": len(window), "rate_per_s": round(len(window) / (WINDOW_MS / 1000), 6), "cpu_s": 1.5, "lost": 0, "vus_max": 4,
        "lateness_ms_p99": 0.5, "is_complete": True,
    }  # fmt: skip


def test_virtual_users_by_journey_are_recorded(sharded):
    assert sharded[0]["shards"]["vus"] == {"training": 8, "browsing": 8}


def test_shards_that_are_alike_have_no_deviation(sharded):
    assert sharded[0]["shards"]["deviations"] == []


def test_a_slow_shard_is_named(tmp_path):
    [deviation] = build(attempt_of(tmp_path, shard_3=1.5))["shards"]["deviations"]
    assert deviation.startswith("shard 3 (node-3) had 1.")


def test_the_schema_of_shards_is_that_of_the_fake(sharded):
    schema = json.loads((ROOT / "files/schemas/shards.json").read_text())
    jsonschema.validate(json.loads((sharded[1] / "shards.json").read_text()), schema)


@pytest.mark.parametrize(
    ("file", "entry", "words"),
    [
        pytest.param(
            "raw.csv", {"exit_code": 137, "reason": "OOMKilled"}, "shard 2 (node-2) of 4: no requests (OOMKilled), 1500 requests that", id="no samples"
        ),
        pytest.param("summary.json", {}, "shard 2 (node-2) of 4: k6 wrote no summary", id="no summary"),
        pytest.param(None, {"exit_code": None}, "shard 2 (node-2) of 4: no exit code", id="no exit code"),
        pytest.param(None, {"is_complete": False}, "shard 2 (node-2) of 4: not all of its files arrived", id="incomplete"),
        pytest.param(None, {"exit_code": 137}, "shard 2 (node-2) of 4: k6 ended with exit code 137", id="killed at its end"),
    ],
)
def test_a_shard_that_is_not_whole_makes_the_load_partial(tmp_path, file, entry, words):
    directory = attempt_of(tmp_path, {2: entry})
    if file:
        (directory / "shards" / "2" / file).unlink()
    reason = build(directory)["partial_reason"]
    assert reason.startswith(words)
    assert reason.count("shard ") == 1


def test_a_shard_without_any_trace_is_named(tmp_path):
    directory = attempt_of(tmp_path)
    document = json.loads((directory / "shards.json").read_text())
    (directory / "shards.json").write_text(json.dumps({**document, "planned": 5}))
    assert build(directory)["partial_reason"] == "shard 5 of 5: no requests, no exit code, k6 wrote no summary"


def test_requests_without_a_row_are_counted_by_shard(tmp_path):
    directory = attempt_of(tmp_path)
    path = directory / "shards" / "4" / "summary.json"
    document = json.loads(path.read_text())
    document["metrics"]["http_reqs"]["values"]["count"] += 7
    path.write_text(json.dumps(document))
    result = build(directory)
    assert (result["samples"]["lost"], result["partial_reason"]) == (7, "shard 4 (node-4) of 4: 7 requests that k6 counted have no row")


def test_what_was_read_of_a_shard_before_an_error_counts(tmp_path, monkeypatch):
    class BrokenFile(io.BytesIO):
        def read(self, size=-1):
            if self.tell():
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    def open_file(path, *mode, **options):
        return BrokenFile(path.read_bytes()) if path.parts[-2:] == ("2", "raw.csv") and mode else opened(path, *mode, **options)

    directory, opened = attempt_of(tmp_path), Path.open
    monkeypatch.setattr(raw_module, "_BLOCK", 200_000)
    monkeypatch.setattr(Path, "open", open_file)
    result = build(directory)
    counted = Counter(row["shard"] for row in samples_of(directory))
    assert 0 < counted["2"] < counted["1"] == 1500
    assert result["samples"]["lost"] == 1500 - counted["2"]
    assert "shard 2 (node-2) of 4: " in result["partial_reason"]
    assert "the raw file ends in the middle" in result["partial_reason"]


def kept(text, keeps):
    """Return the rows whose stamp (epoch ms) is kept."""
    return "".join(f"{line}\n" for line in text.splitlines() if keeps(int(line.split(",")[1])))


def test_rates_divide_by_the_window_in_which_all_shards_loaded(tmp_path):
    died_ms = START_MS + WINDOW_MS / 2
    directory = write_attempt(tmp_path / "attempt", {1: rows(1), 2: kept(rows(2), lambda at: at <= died_ms)}, {2: {"exit_code": 137}})
    result = build(directory)
    inside = [row for row in samples_of(directory) if START_MS <= int(row["start_ms"]) < result["window"]["end"] * 1000]
    assert result["window"]["end"] * 1000 == pytest.approx(died_ms, abs=1000)
    assert result["total"]["rate_per_s"] == pytest.approx(len(inside) / (result["window"]["end"] - result["window"]["start"]), abs=1e-6)


def test_a_shard_that_began_late_shortens_the_window(tmp_path):
    begun_ms = START_MS + 3000
    directory = write_attempt(tmp_path / "attempt", {1: rows(1), 2: kept(rows(2), lambda at: at >= begun_ms)})
    result = build(directory)
    assert result["window"]["start"] * 1000 == pytest.approx(begun_ms, abs=100)
    assert "shard 2 (node-2) of 2: it began 3.0 s after the start of the window" in result["partial_reason"]
    assert result["shards"]["start_skew_s"] == pytest.approx((WARMUP_MS + 3000) / 1000, abs=0.1)


def test_a_load_that_a_threshold_of_one_shard_stopped_is_not_partial(tmp_path):
    early = lambda at: at <= START_MS + 4000  # noqa: E731
    changes = {1: {"exit_code": 99}, 2: {"exit_code": 105}}
    result = build(write_attempt(tmp_path / "attempt", {n: kept(rows(n), early) for n in (1, 2)}, changes), exit_code=99)
    assert (result["partial"], result["stopped_after_s"]) == (False, pytest.approx((WARMUP_MS + 4000) / 1000, abs=1))


def test_a_load_of_which_nothing_arrived_is_an_error(tmp_path):
    directory = attempt_of(tmp_path, {n: {"exit_code": 107} for n in range(1, SHARDS + 1)})
    for path in directory.glob("shards/*/raw.csv"):
        path.unlink()
    with pytest.raises(K6ResultError, match=r"none of 4 shards sent a request. shard 1 \(node-1\): no requests"):
        build(directory)


def test_a_damaged_list_of_shards_is_an_error(tmp_path):
    directory = attempt_of(tmp_path)
    (directory / "shards.json").write_text("{}")
    with pytest.raises(K6ResultError, match=r"shards.json cannot be read"):
        build(directory)


def test_logs_and_summaries_of_shards_stay_without_their_raw_output(tmp_path):
    directory = attempt_of(tmp_path)
    first = build(directory, remove_raw=True)
    assert not (directory / "shards").exists()
    assert {path.name for path in directory.glob("shard-4-*")} == {"shard-4-k6.log", "shard-4-summary.json", "shard-4-k6.exit.json"}
    assert build(directory, remove_raw=True) == first


def test_samples_are_there_only_if_all_shards_have_them(tmp_path):
    directory = attempt_of(tmp_path)
    assert has_samples(directory)
    (directory / "shards" / "3" / "raw.csv").unlink()
    assert not has_samples(directory)


def test_windows_of_shards_that_were_planned_apart_are_intersected(tmp_path):
    directory = attempt_of(tmp_path)
    log = directory / "shards" / "2" / "k6.log"
    log.write_text(log.read_text().replace(str(START_MS), str(START_MS + 400)).replace(str(END_MS), str(END_MS + 400)))
    assert build(directory)["window"] == {"start": (START_MS + 400) / 1000, "end": END_MS / 1000, "planned_end": END_MS / 1000}


@pytest.mark.parametrize(
    ("journeys", "found"),
    [
        pytest.param({1: (200, 1000), 2: (190, 1000), 3: (215, 1000)}, [], id="chance"),
        pytest.param({1: (200, 1000), 2: (200, 1000), 3: (500, 1000)}, [Mixed(3, 0.5, 0.2)], id="one"),
        pytest.param({1: (2000, 10000), 2: (2000, 10000), 3: (2300, 10000)}, [], id="certain but small"),
        pytest.param({1: (2, 10), 2: (5, 10)}, [], id="few"),
        pytest.param({1: (0, 0), 2: (5, 10)}, [], id="nothing of one"),
        pytest.param({1: (0, 1000), 2: (0, 1000)}, [], id="one journey"),
    ],
)
def test_mix_of_shards(journeys, found):
    assert mixed_shards(journeys) == found
