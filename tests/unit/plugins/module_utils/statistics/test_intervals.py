# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Intervals within a window: coverage in simulation, known autocorrelation times, and windows that are too short."""

from __future__ import annotations

import numpy as np
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics import intervals
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.intervals import (
    MEAN_TIMES,
    QUANTILE_TIMES,
    AggregatedSeries,
    ShortWindowError,
    Values,
    autocorrelation_time,
    event_counts,
    latency_intervals,
    mean_interval,
    quantile_interval,
    rate_interval,
    student_t,
)
from fakes.simulated_latencies import SHAPES, autocorrelated, latencies, true_value

# `make bench` repeats this 2,000 times with the limits of 93 and 97 %; of so few, 3 standard deviations of chance are left beside them.
REPLICATIONS = 300
LIMITS = (0.93 - 3 * (0.05 * 0.95 / REPLICATIONS) ** 0.5, 0.97 + 0.02)


@pytest.mark.no_cover
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("percent", [None, 50, 95])
@pytest.mark.parametrize(("correlation", "n"), [(0.0, 2000), (0.8, 12000)])
def test_intervals_cover_the_true_value_as_often_as_they_promise(shape, percent, correlation, n):
    chance, truth = np.random.default_rng(1), true_value(shape, percent)
    covered = 0
    for _replication in range(REPLICATIONS):
        series = latencies(shape, autocorrelated(n, correlation, chance))
        low, high = mean_interval(AggregatedSeries.of(series)) if percent is None else quantile_interval(Values.of(series), percent)
        covered += low <= truth <= high
    assert LIMITS[0] <= covered / REPLICATIONS <= LIMITS[1]


def test_rates_are_covered():
    chance, covered = np.random.default_rng(2), 0
    for _replication in range(REPLICATIONS):
        moments = np.cumsum(chance.exponential(1 / 40, 4000))
        moments = moments[moments < 60]
        low, high = rate_interval(event_counts(moments, len(moments), 0, 60), 0, 60)
        covered += low <= 40 <= high
    assert LIMITS[0] <= covered / REPLICATIONS <= LIMITS[1]


def test_intervals_that_ignore_autocorrelation_would_not_cover():
    chance, truth, covered = np.random.default_rng(3), true_value("log-normal", None), 0
    for _replication in range(REPLICATIONS):
        series = latencies("log-normal", autocorrelated(12000, 0.8, chance))
        half = 1.96 * series.std() / len(series) ** 0.5
        covered += abs(series.mean() - truth) <= half
    assert covered / REPLICATIONS < LIMITS[0]


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_autocorrelation_time_of_an_autoregression(correlation):
    series = autocorrelated(200_000, correlation, np.random.default_rng(4))
    assert autocorrelation_time(series) == pytest.approx((1 + correlation) / (1 - correlation), rel=0.15)


@pytest.mark.parametrize("pieces", [1, 7, 1000])
@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_a_series_of_very_many_values_has_nearly_their_intervals(monkeypatch, correlation, pieces):
    series = np.exp(autocorrelated(300_000, correlation, np.random.default_rng(6)))
    whole = Values.of(series)
    known, time = latency_intervals(whole).values, whole.series.autocorrelation_time()
    monkeypatch.setattr(intervals, "_SERIES_MAX", 20_000)
    values = Values(np.sort(series).tolist())
    for piece in np.array_split(series, pieces):
        values.add(piece)
    assert len(values.series.means) == 20_000
    for name, found in latency_intervals(values).values.items():
        assert found == pytest.approx(known[name], rel=0.002), name
    assert values.series.autocorrelation_time() == pytest.approx(time, rel=0.1)


def test_autocorrelation_time_of_a_constant():
    assert autocorrelation_time(np.full(500, 7.0)) == 1


def test_a_constant_latency_has_an_interval_without_width():
    assert quantile_interval(Values.of(np.full(QUANTILE_TIMES, 7.0)), 95) == (7.0, 7.0)


@pytest.mark.parametrize(
    ("interval", "reason"),
    [
        pytest.param(lambda: mean_interval(AggregatedSeries.of(np.arange(MEAN_TIMES - 1.0))), "n=199: 200 are needed", id="mean of few"),
        pytest.param(lambda: quantile_interval(Values.of(np.arange(QUANTILE_TIMES - 1.0)), 95), "n=999: 1000 are needed", id="percentile of few"),
        pytest.param(lambda: rate_interval(event_counts(np.arange(50.0), 50, 0, 50), 0, 50), "n=50: 200 are needed", id="rate of few"),
        pytest.param(lambda: mean_interval(AggregatedSeries.of(np.arange(400.0))), "autocorrelation times; 200 are needed", id="a trend"),
    ],
)
def test_a_short_window_gives_the_reason(interval, reason):
    with pytest.raises(ShortWindowError, match=reason):
        interval()


def test_what_is_too_short_is_null_with_its_reason():
    found = latency_intervals(Values.of(np.random.default_rng(5).exponential(10, 500)), prefix="ok_").document()
    assert found["method"] == "batches_within_window"
    assert found["ok_mean"][0] < 10 < found["ok_mean"][1]
    assert found["ok_p95"] is None
    assert found["suppressed"] == dict.fromkeys(("ok_p50", "ok_p95"), "n=500: 1000 are needed")


def test_student_t_of_19_degrees_of_freedom():
    assert student_t(19) == pytest.approx(2.093, abs=5e-4)
