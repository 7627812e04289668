# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stalls, and latency weighted by time."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import Kind, Requests
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.stalls import longest_stall_s, time_weighted_ms
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window

START_MS = 1_800_000_000_000
WINDOW = Window(START_MS, START_MS + 30_000, {})


def load_of(requests):
    """Return a load of requests [start, duration] in milliseconds of the window."""
    load = Requests(kind_table=[Kind("get_run", "browsing", "tenant-1", 200, "")])
    for start, duration in requests:
        load.add(round(START_MS + start), round(duration * 100), 0)
    return load


def closed_loop(vus, service_ms, pause_ms=0.0, frozen=(0.0, 0.0), begin=-2000, end=30_000):
    """Return the requests of VUs that send one after the other; while the server is frozen nothing is served."""
    requests = []
    for vu in range(vus):
        at = begin + vu * (service_ms + pause_ms) / vus
        while at < end:
            served = at + service_ms
            if at < frozen[1] and served > frozen[0]:
                served += frozen[1] - max(at, frozen[0])
            requests.append((at, served - at))
            at = served + pause_ms
    return requests


def weighted(requests, window=WINDOW):
    return time_weighted_ms(load_of(requests), window)


@pytest.mark.parametrize(
    ("requests", "stall_s"),
    [
        pytest.param(closed_loop(10, 50, frozen=(12_000, 17_000)), 5.0, id="frozen"),
        pytest.param(closed_loop(10, 50, pause_ms=1000, frozen=(12_000, 17_000)), 5.0, id="frozen-with-pauses"),
        pytest.param(closed_loop(10, 50), 0.005, id="steady"),
        pytest.param(closed_loop(1, 50, pause_ms=1000), 0.05, id="idle-is-no-stall"),
        pytest.param([(1000, 100), (20_000, 400), (20_100, 500)], 0.4, id="two-in-flight"),
        pytest.param([(29_000, 5000)], 1.0, id="only-what-is-in-the-window"),
        pytest.param([(-5000, 7000)], 2.0, id="begun-before-the-window"),
        pytest.param([(-5000, 40_000)], 30.0, id="the-whole-window"),
        pytest.param([(-5000, 1000), (31_000, 100)], 0.0, id="nothing-in-the-window"),
    ],
)
def test_longest_stall(requests, stall_s):
    assert longest_stall_s(load_of(requests), WINDOW) == pytest.approx(stall_s, abs=0.051)


@pytest.mark.parametrize("pause_ms", [0.0, 1000.0])
def test_time_weighted_percentiles_show_a_freeze(pause_ms):
    """5 of 30 s frozen: an arrival at a random instant waits x or longer with probability (5 - x) / 30."""
    found = weighted(closed_loop(10, 50, pause_ms=pause_ms, frozen=(12_000, 17_000)))
    assert {name: found[name] for name in ("p95", "p99")} == {"p95": pytest.approx(3500, rel=0.05), "p99": pytest.approx(4700, rel=0.05)}


def test_without_a_freeze_they_are_those_of_the_requests():
    assert weighted(closed_loop(10, 50)) == {"p50": 50, "p95": 50, "p99": 50}


def test_an_idle_time_is_no_latency():
    assert weighted(closed_loop(1, 50, pause_ms=3000))["p99"] == 50


def test_a_slow_third_of_the_window_counts_a_third():
    slow = [(at, 1000.0) for at in range(0, 10_000, 1000)]
    fast = [(at, 10.0) for at in range(10_000, 30_000, 10)]
    found = weighted(slow + fast)
    assert (found["p50"], found["p95"]) == (10.0, 1000.0)
