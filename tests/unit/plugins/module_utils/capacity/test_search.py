# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decisions of a search, from given probes."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.search import (
    BACKLOG,
    FAILS,
    HOLDS,
    INVALID,
    Probe,
    decide,
    judge,
    shown,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.settings import Settings, bounds_s

RATE = Settings("rate", 1.0, 0.1, 100, 0.1, 20, {"p95": 2000})
USERS = Settings("concurrency", 5, 1, 100, 0.1, 20, {"p95": 2000})


def held(load, p95=100.0, **more):
    """Return a probe of a server that keeps up: 50 requests per journey."""
    return Probe(f"q{load:g}", load, HOLDS, values={"p95": p95}, rate_per_s=50 * load, requests=50, journeys=int(30 * load), is_open=True, **more)


def failed(load, p95=5000.0, missed=("p95",), **more):
    return Probe(f"q{load:g}", load, FAILS, "slow", {"p95": p95}, missed, 50 * load, 50, int(30 * load), is_open=True, **more)


def overloaded(load, served):
    """Return a probe whose server does `served` requests per second, whatever was offered."""
    return Probe(
        f"q{load:g}", load, HOLDS, values={"p95": 500.0}, rate_per_s=served, requests=served / load, journeys=int(30 * load), unfinished=0.3, is_open=True
    )


@pytest.mark.parametrize(
    ("probes", "load"),
    [
        pytest.param([], 1, id="begin at the start"),
        pytest.param([held(1)], 2, id="double while it holds"),
        pytest.param([held(1), held(2), held(4)], 8, id="double again"),
        pytest.param([failed(1)], 0.5, id="halve while it fails"),
        pytest.param([held(1), failed(4)], 2, id="between both ends"),
        pytest.param([held(1), Probe("q2", 2, INVALID, "generator")], 2, id="probe an invalid load again"),
        pytest.param([held(60)], 100, id="not above the maximum"),
        pytest.param([failed(0.15)], 0.1, id="not below the minimum"),
    ],
)
def test_the_next_load(probes, load):
    assert decide(RATE, probes).load == pytest.approx(load, rel=0.02)


@pytest.mark.parametrize(
    ("probes", "status"),
    [
        pytest.param([held(100)], "above", id="never fails"),
        pytest.param([failed(0.1)], "below", id="never holds"),
        pytest.param([held(1), *[Probe("q2", 2, INVALID, "generator_cpu_share: 0.9")] * 3], "invalid", id="stays invalid"),
        pytest.param([held(1)] * 20, "exhausted", id="no more probes"),
    ],
)
def test_the_end_without_an_answer(probes, status):
    decision = decide(RATE, probes)
    assert (decision.has_ended, decision.status) == (True, status)


def test_an_invalid_probe_counts_for_nothing_once_its_load_was_measured():
    assert decide(RATE, [Probe("q1", 1, INVALID, "busy"), held(1)]).load == 2


def test_a_crossing_is_found_between_a_latency_that_grows_with_the_load():
    loads = (2, 4, 3, 3.2, 2.8, 3.1, 2.9, 3.3, 2.7, 3.05)
    probes = [(held if load <= 3 else failed)(load, 2000 * (load / 3) ** 4 * (1.02 if place % 2 else 0.98)) for place, load in enumerate(loads)]
    decision = decide(RATE, probes)
    assert (decision.status, decision.breaks_by, decision.crossing.method) == ("answered", "p95", "fit")
    assert decision.crossing.low < 3 < decision.crossing.high


def test_a_server_that_does_not_keep_up_fails_though_its_latency_holds():
    [low, high] = judge([held(1), overloaded(4, 100)])
    assert (low.verdict, high.verdict, high.missed) == (HOLDS, FAILS, (BACKLOG,))
    assert "50 % of the requests" in high.why


def test_saturation_is_the_rate_at_which_an_overloaded_server_works():
    probes = [held(0.5), held(1), overloaded(4, 101), overloaded(3, 99), overloaded(2.5, 100), overloaded(2.3, 101), held(1.7), held(1.75), overloaded(2.4, 99)]
    decision = decide(RATE, probes)
    assert (decision.status, decision.breaks_by, decision.crossing.method) == ("answered", BACKLOG, "saturation")
    assert decision.crossing.load == pytest.approx(2, rel=0.03)


def test_a_first_load_that_may_be_an_overload_is_checked_at_half_of_it():
    decision = decide(RATE, [overloaded(4, 100), failed(8)])
    assert decision.load == 2


def test_errors_break_where_a_probe_had_them_and_are_not_fitted():
    settings = Settings("rate", 1, 0.1, 100, 0.1, 20, {"p95": 2000})
    probes = [held(1), held(2), failed(4, 100.0, ("errors",)), failed(2.8, 100.0, ("errors",)), held(2.4), failed(2.6, 100.0, ("errors",))]
    decision = decide(settings, probes)
    assert (decision.status, decision.breaks_by, decision.crossing.method) == ("answered", "errors", "bracket")
    assert (decision.crossing.low, decision.crossing.high) == (2.4, 2.6)


def test_the_decision_is_a_function_of_the_probes():
    probes = [held(1), held(2), failed(4), failed(2.8)]
    assert decide(RATE, probes) == decide(RATE, list(probes))


def test_users_are_whole():
    probes = [Probe("c5", 5, HOLDS, values={"p95": 100.0}), Probe("c10", 10, FAILS, values={"p95": 4000.0}, missed=("p95",))]
    assert decide(USERS, probes).load == int(decide(USERS, probes).load)


def test_what_was_shown_leaves_out_loads_with_both_outcomes():
    assert shown([held(1), failed(2), held(3), failed(4)]) == (1, 4)


def test_nothing_is_shown_without_probes():
    assert shown([]) == (None, None)


def test_the_bounds_on_time_are_those_of_the_fewest_and_the_most_probes():
    assert bounds_s(RATE, 35, 5) == (8 * 40, 20 * 40)
