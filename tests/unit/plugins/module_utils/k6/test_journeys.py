# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Journeys, the real split, and the generator's own numbers."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.journeys import congestion, generator, journey_blocks, mix
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import Journey, Raw, Row
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import Kind, Requests
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import Counted

WINDOW = Window(1000, 3000, {"training": 1, "browsing": 3})


@pytest.fixture
def raw():
    return Raw(
        journeys=[
            Journey(999, 10, "browsing", "completed"),
            *(Journey(1000 + n, 100 * n, "browsing", "completed") for n in range(1, 6)),
            Journey(2000, 900, "browsing", "interrupted"),
            Journey(2100, 9000, "browsing", "failed"),
            Journey(2999, 5000, "training", "completed"),
            Journey(3000, 10, "training", "completed"),
            Journey(1500, 10, "another", "completed"),
        ],
        dropped=[Row(999, 1, "browsing"), Row(1500, 1, "browsing"), Row(1600, 2, "browsing"), Row(1700, 1, "heartbeat")],
        heartbeats=[Row(999, 500, "heartbeat")] + [Row(1000 + n, n, "heartbeat") for n in range(101)],
        users=[Row(900, 50, ""), Row(1500, 5, ""), Row(2500, 4, "")],
        iterations=[Row(1500, 1, "browsing"), Row(1600, 1, "mixed"), Row(1700, 1, "heartbeat"), Row(3000, 1, "browsing")],
    )


def test_journeys_of_the_window(raw):
    assert journey_blocks(raw, WINDOW) == {
        "training": {
            "started": 1, "completed": 1, "interrupted": 0, "failed": 0, "dropped": 0,
            "duration_ms": {"mean": 5000, "p50": None, "p95": None, "max": 5000},
        },
        "browsing": {
            "started": 7, "completed": 5, "interrupted": 1, "failed": 1, "dropped": 3,
            "duration_ms": {"mean": 300, "p50": 300, "p95": None, "max": 500},
        },
    }


def test_mix_of_users_journeys_and_requests(raw):
    counts = {Kind("a", "training", "t", 200, ""): 30, Kind("b", "browsing", "t", 200, ""): 70, Kind("c", "", "t", 200, ""): 9}
    pools = {kind: Counted.of([1] * count) for kind, count in counts.items()}
    assert mix(journey_blocks(raw, WINDOW), pools, WINDOW) == {
        "training_share_users": 0.25,
        "training_share_journeys": 0.125,
        "training_share_requests": 0.3,
    }


def test_unknown_mix_is_null():
    assert set(mix(journey_blocks(Raw(), WINDOW), {}, Window(0, 1)).values()) == {None}


def test_generator_inside_the_window(raw):
    assert generator(raw, WINDOW, 0) == {
        "vus_max": 5,
        "dropped": 3,
        "dropped_by_scenario": {"browsing": 3, "heartbeat": 1},
        "iterations": 2,
        "heartbeats": 101,
        "lateness_ms_p95": 95,
        "lateness_ms_p99": 99,
        "lateness_ms_max": 100,
        "exit_code": 0,
    }


def test_silent_generator_has_no_numbers():
    silent = generator(Raw(), WINDOW, None)
    assert (silent["vus_max"], silent["lateness_ms_p99"], silent["exit_code"], silent["dropped"]) == (None, None, None, 0)


def loaded(latencies, drop_s=4.0):
    """Return a load of 20 requests per second, whose latency (ms) at a second of the load is given, and the first journey dropped at `drop_s`."""
    requests = Requests(kind_table=[Kind("get_run", "browsing", "tenant-1", 200, "")])
    for n in range(200):
        requests.add(n * 50, round(latencies(n / 20) * 100), 0)
    return Raw(requests, dropped=[Row(drop_s * 1000, 1, "browsing")])


@pytest.mark.parametrize(
    ("latencies", "ratio"),
    [
        pytest.param(lambda _second: 50, 1.0, id="unlimited-server"),
        pytest.param(lambda second: 50 + 100 * min(second, 4), 4.6, id="server-at-its-limit"),
    ],
)
def test_congestion_tells_a_slow_server_from_few_users(latencies, ratio):
    assert congestion(loaded(latencies), Window(2000, 10_000)) == pytest.approx(ratio, rel=0.1)


def test_congestion_is_unknown_when_journeys_are_dropped_at_once():
    assert congestion(loaded(lambda _second: 50, drop_s=0.2), Window(2000, 10_000)) is None


def test_congestion_is_unknown_when_nothing_is_dropped():
    raw = loaded(lambda _second: 50)
    raw.dropped.clear()
    assert congestion(raw, Window(2000, 10_000)) is None
