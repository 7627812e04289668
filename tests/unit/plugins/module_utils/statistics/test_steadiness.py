# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transients and trends that were programmed into series: 200 of each kind, in units of the noise of one value."""

from __future__ import annotations

import numpy as np
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.steadiness import transient_end, trend
from fakes.simulated_latencies import autocorrelated

SERIES = 200
LENGTH = 120


def gradual(shape, chance):
    """Return a transient that fades: an exponential decay or a ramp, 3 to 10 standard deviations high."""
    height, scale, time = chance.uniform(3, 10), chance.uniform(1.5, LENGTH / 12), np.arange(LENGTH)
    return height * (np.exp(-time / scale) if shape == "decay" else np.maximum(0, 1 - time / (4 * scale)))


@pytest.mark.parametrize("direction", [1, -1])
def test_a_step_is_cut_within_one_value(direction):
    chance, exact = np.random.default_rng(1), 0
    for _series in range(SERIES):
        length = int(chance.integers(3, LENGTH // 3))
        series = autocorrelated(LENGTH, 0, chance)
        series[:length] += direction * chance.uniform(3, 8)
        exact += abs(transient_end(series) - length) <= 1
    assert exact / SERIES >= 0.95


@pytest.mark.parametrize("shape", ["decay", "ramp"])
@pytest.mark.parametrize("correlation", [0, 0.3])
def test_what_is_left_of_a_gradual_transient_is_below_the_noise_of_the_mean(shape, correlation):
    chance, below = np.random.default_rng(2), 0
    for _series in range(SERIES):
        transient = gradual(shape, chance)
        end = transient_end(autocorrelated(LENGTH, correlation, chance) + transient)
        noise = np.sqrt((1 + correlation) / (1 - correlation) / (LENGTH - end))
        below += transient[end:].mean() < noise
    assert below / SERIES >= 0.95


def test_without_a_cut_the_bias_would_be_above_the_noise():
    chance = np.random.default_rng(2)
    assert sum(gradual("decay", chance).mean() < 1 / LENGTH**0.5 for _series in range(SERIES)) / SERIES < 0.5


def test_a_steady_series_is_rarely_cut():
    chance = np.random.default_rng(3)
    assert sum(transient_end(autocorrelated(LENGTH, 0, chance)) > 0 for _series in range(SERIES)) / SERIES <= 0.05


def test_at_most_half_of_a_series_is_a_transient():
    assert transient_end(np.arange(60.0) + autocorrelated(60, 0, np.random.default_rng(4))) == 30


@pytest.mark.parametrize("series", [np.full(60, 5.0), np.array([9.0, 9.0, 9.0, 1.0, 1.0, 1.1, 1.0, 1.2, 1.0, 1.1, 1.0])], ids=["constant", "eleven values"])
def test_no_transient_can_be_found(series):
    assert transient_end(series) == 0


@pytest.mark.parametrize("correlation", [0, 0.5])
def test_a_trend_is_rarely_found_in_a_steady_series(correlation):
    chance = np.random.default_rng(5)
    found = sum(trend(np.exp(0.1 * autocorrelated(30, correlation, chance))).is_significant for _series in range(1000))
    assert found / 1000 <= 0.03


def test_a_drift_of_one_percent_per_second_is_found_with_its_size():
    chance, hit, covered = np.random.default_rng(6), 0, 0
    for _series in range(SERIES):
        found = trend(np.exp(np.log(1.01) * np.arange(60) + 0.15 * autocorrelated(60, 0, chance)))
        hit += found.is_significant
        covered += found.low <= 1.01**59 - 1 <= found.high
    assert (hit / SERIES >= 0.99, covered / SERIES >= 0.9) == (True, True)


def test_a_series_with_zeros_has_a_trend():
    assert trend(np.array([5.0] * 10 + [0.0] * 10)).change < -0.9
