# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""1,000 searches against queues in virtual time: how often the interval contains the load at which the long-run P95 crosses its limit."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from fakes.simulated_queue import Queue
from fakes.simulated_search import Scenario, search_often

# The same code many times over: counting its lines would take as long again.
pytestmark = pytest.mark.no_cover

SEARCHES = 250
SATURATION = Queue().saturation
SCENARIOS = {
    # The limit is crossed well below saturation, where the latency is fitted.
    "tight limit": Scenario(Queue(), 50, "rate", (0.88 * SATURATION, SATURATION), (0.3, 4)),
    # The limit is so high that only a queue that grows with time reaches it.
    "two seconds": Scenario(Queue(), 2000, "rate", (0.9 * SATURATION, SATURATION), (0.3, 4)),
    "four workers": Scenario(Queue(workers=4, users_max=160), 50, "rate", (0.88 * 4 * SATURATION, 4 * SATURATION), (1, 12)),
    "closed": Scenario(Queue(think_s=1.0), 200, "concurrency", (8, 16), (2, 30)),
}


@cache
def outcomes(name):
    """Return (covered, width of the interval, probes) of each search."""
    truth = SCENARIOS[name].truth()
    ends, probes = search_often(SCENARIOS[name], SEARCHES, seed=7)
    return [
        (end.crossing.low <= truth <= end.crossing.high, end.crossing.width, len(mine)) for end, mine in zip(ends, probes, strict=True) if end.crossing
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_search_has_an_answer(name):
    assert len(outcomes(name)) == SEARCHES


@pytest.mark.slow
def test_nine_of_ten_intervals_contain_the_long_run_crossing():
    covered = [row[0] for name in SCENARIOS for row in outcomes(name)]
    assert np.mean(covered) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_kind_of_server_is_covered_much_less(name):
    assert np.mean([row[0] for row in outcomes(name)]) >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_most_searches_reach_the_resolution_in_time(name):
    """Twenty probes of 40 s are less than a quarter of an hour."""
    assert np.quantile([row[1] for row in outcomes(name)], 0.5) <= 0.1
    assert np.quantile([row[2] for row in outcomes(name)], 0.9) <= 20
