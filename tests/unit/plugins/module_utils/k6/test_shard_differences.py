# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which shards are named as slow, of loads whose shards were drawn."""

from __future__ import annotations

import numpy as np
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import Kind, Requests
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.shard_differences import slow_shards
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window

WINDOW_MS = 60_000
WINDOW = Window(0, WINDOW_MS)
KINDS = [Kind(operation, "browsing", "tenant-1", status, "") for operation, status in (("get_run", 200), ("search_runs", 200), ("get_run", 500))]


def load(seed, factors, requests=400, tail=None, slow_second=1.0):
    """Return a load of a shard for each factor of its latencies; `tail` multiplies every tenth one of the last shard, and the server is slow for a while."""
    chance = np.random.default_rng(seed)
    whole = Requests(kind_table=KINDS)
    for number, factor in enumerate(factors, start=1):
        starts = np.sort(chance.integers(0, WINDOW_MS, requests))
        kinds = chance.integers(0, 2, requests)
        latencies = np.where(kinds == 0, 500, 3000) * chance.lognormal(0, 0.5, requests) * factor
        latencies[(starts > WINDOW_MS / 2) & (starts < WINDOW_MS * 0.7)] *= slow_second
        if tail and number == len(factors):
            latencies[::10] *= tail
        for request in zip(starts.tolist(), latencies.astype(int).tolist(), kinds.tolist(), strict=True):
            whole.add(*request, number)
    return whole


def test_shards_that_are_alike_are_hardly_ever_named():
    named = sum(bool(slow_shards(load(seed, (1, 1, 1, 1)), WINDOW)) for seed in range(100))
    assert named <= 1


def test_a_slow_server_is_no_difference_of_shards():
    named = sum(bool(slow_shards(load(seed, (1, 1, 1, 1), slow_second=5), WINDOW)) for seed in range(100))
    assert named <= 1


@pytest.mark.parametrize("shards", [2, 3, 8])
def test_the_slow_shard_alone_is_named(shards):
    assert [one.shard for one in slow_shards(load(1, (*[1] * (shards - 1), 1.4)), WINDOW)] == [shards]


def test_the_ratio_is_that_of_the_latencies():
    [found] = slow_shards(load(1, (1, 1, 1, 2), requests=5000), WINDOW)
    assert found.ratio == pytest.approx(2, rel=0.05)


def test_a_slow_tail_is_named_by_its_percentile():
    [found] = slow_shards(load(1, (1, 1, 1, 1), requests=3000, tail=8), WINDOW)
    assert (found.shard, found.percent) == (4, 95)


def test_a_difference_of_five_percent_is_none():
    assert slow_shards(load(1, (1, 1, 1, 1.05), requests=20000), WINDOW) == []


@pytest.mark.parametrize("requests", [0, 1, 50])
def test_few_requests_say_nothing(requests):
    assert slow_shards(load(1, (1, 3), requests=requests), WINDOW) == []


def test_one_shard_is_compared_with_nothing():
    assert slow_shards(load(1, (3,)), WINDOW) == []


def test_failed_requests_are_not_compared():
    requests = load(1, (1, 1))
    for place, shard in enumerate(requests.columns["shard"]):
        requests.columns["kind"][place] = 2 if shard == 2 else requests.columns["kind"][place]
    assert slow_shards(requests, WINDOW) == []
