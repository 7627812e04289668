# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantiles against values worked out by hand, and the limits of small samples."""

from __future__ import annotations

import random
import statistics
from itertools import chain

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import Counted, is_low, quantile, summarize, suppression


@pytest.mark.parametrize(
    ("ordered", "percent", "expected"),
    [
        pytest.param([7], 99, 7, id="one sample is every percentile"),
        pytest.param([1, 2, 3, 4], 50, 2.5, id="median between two"),
        pytest.param([1, 2, 3, 4, 5], 50, 3, id="median on one"),
        pytest.param(list(range(1, 101)), 95, 95.05, id="p95 of 1..100"),
        pytest.param([10, 20], 0, 10, id="p0 is the minimum"),
        pytest.param([10, 20], 100, 20, id="p100 is the maximum"),
    ],
)
def test_quantile_interpolates_linearly(ordered, percent, expected):
    assert quantile(ordered, percent) == pytest.approx(expected)


def test_quantile_agrees_with_the_standard_library():
    draw = random.Random(5)
    ordered = sorted(draw.lognormvariate(3, 1) + n for n in range(777))
    cuts = statistics.quantiles(ordered, n=100, method="inclusive")
    assert [quantile(ordered, percent) for percent in range(1, 100)] == pytest.approx(cuts)


@pytest.mark.parametrize(("ordered", "percent"), [pytest.param([], 50, id="no samples"), pytest.param([1], 101, id="no percentage")])
def test_quantile_fails(ordered, percent):
    with pytest.raises(ValueError, match="at least one sample"):
        quantile(ordered, percent)


@pytest.mark.parametrize(
    ("percent", "least", "trusted"),
    [pytest.param(50, 5, 20, id="p50"), pytest.param(90, 10, 100, id="p90"), pytest.param(95, 20, 200, id="p95"), pytest.param(99, 100, 1000, id="p99")],
)
def test_limits_of_small_samples(percent, least, trusted):
    assert suppression(least, percent) is None
    assert f"n={least - 1}" in suppression(least - 1, percent)
    assert is_low(trusted - 1, percent)
    assert not is_low(trusted, percent)


def test_counted_samples_are_the_samples():
    draw = random.Random(6)
    parts = [[draw.randint(0, 50) for _sample in range(count)] for count in (0, 1, 400)]
    counted, ordered = Counted.merged(map(Counted.of, parts)), sorted(chain.from_iterable(parts))
    assert (list(counted), counted[-1], len(counted.values)) == (ordered, ordered[-1], len(set(ordered)))
    assert summarize(counted) == summarize(ordered)
    assert [quantile(counted, percent) for percent in range(101)] == [quantile(ordered, percent) for percent in range(101)]


def test_nothing_counted_has_no_numbers():
    assert summarize(Counted.merged([])) == summarize([])


def test_summarize_names_what_it_suppresses():
    summary = summarize([float(n) for n in range(1, 13)])
    assert summary["values"] == {"mean": 6.5, "p50": 6.5, "p90": pytest.approx(10.9), "p95": None, "p99": None, "max": 12}
    assert summary["low_n"] == ["p50", "p90"]
    assert summary["suppressed"] == {"p95": "n=12: p95 needs n(1-0.95) >= 1", "p99": "n=12: p99 needs n(1-0.99) >= 1"}


def test_summarize_without_samples_has_no_numbers():
    summary = summarize([])
    assert set(summary["values"].values()) == {None}
    assert set(summary["suppressed"]) == {"p50", "p90", "p95", "p99"}
