# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Universal Scalability Law, fitted to throughput that was computed by it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.scalability import TooFewLevelsError, fit_scalability

LEVELS = (1, 2, 4, 8, 16, 32, 48, 64)
GAMMA, ALPHA, BETA = 20.0, 0.05, 0.001
REPEATS, NOISE, SIMULATIONS = 3, 0.03, 600
KNEE = ((1 - ALPHA) / BETA) ** 0.5


def law(users, alpha=ALPHA, beta=BETA):
    users = np.asarray(users, dtype=float)
    return GAMMA * users / (1 + alpha * (users - 1) + beta * users * (users - 1))


@cache
def fits():
    """Return the fits of many noisy measurements that reach past the peak."""
    chance, users = np.random.default_rng(3), np.repeat(LEVELS, REPEATS)
    return [fit_scalability(users, law(users) * np.exp(NOISE * chance.standard_normal(len(users)))) for _simulation in range(SIMULATIONS)]


def covered(truth, intervals):
    return np.mean([interval is not None and interval[0] <= truth <= interval[1] for interval in intervals])


@pytest.mark.parametrize(
    ("truth", "name"), [(ALPHA, "contention_ci95"), (BETA, "coherency_ci95"), (float(law(KNEE)), "peak_ci95"), (KNEE, "knee_ci95")]
)
def test_intervals_cover_the_truth(truth, name):
    assert 0.93 <= covered(truth, [getattr(fit, name) for fit in fits()]) <= 0.97


def test_the_peak_is_within_ten_percent():
    assert max(abs(fit.peak / float(law(KNEE)) - 1) for fit in fits()) <= 0.1


def test_the_knee_is_within_one_level():
    place = np.interp(KNEE, LEVELS, range(len(LEVELS)))
    assert max(abs(np.interp(fit.knee, LEVELS, range(len(LEVELS))) - place) for fit in fits()) <= 1


def test_without_noise_the_law_is_found():
    fit = fit_scalability(LEVELS, law(LEVELS))
    assert (fit.gamma, fit.contention, fit.coherency) == pytest.approx((GAMMA, ALPHA, BETA), rel=1e-3)


def test_throughput_that_still_grows_has_no_knee():
    fit = fit_scalability(LEVELS, law(LEVELS, beta=0.0))
    assert (fit.knee, fit.peak) == (None, None)


def test_a_peak_beyond_the_levels_is_no_knee_in_this_range():
    assert fit_scalability(LEVELS, law(LEVELS, beta=0.0001)).knee is None


@pytest.mark.parametrize("levels", [1, 5])
def test_fewer_than_six_levels_are_an_error(levels):
    with pytest.raises(TooFewLevelsError, match=f"{levels} levels of users, at least 6 are needed"):
        fit_scalability(LEVELS[:levels], law(LEVELS[:levels]))


def test_levels_without_throughput_do_not_count():
    with pytest.raises(TooFewLevelsError):
        fit_scalability(LEVELS[:6], [0.0, *law(LEVELS[1:6])])
