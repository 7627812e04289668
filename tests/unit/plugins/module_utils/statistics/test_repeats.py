# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repeats in simulation: how often intervals cover, how often equal cells seem to differ, and how large a change is found."""

from __future__ import annotations

import numpy as np
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.repeats import Noise, geometric_mean, interval_between, noise_of, relative_change
from fakes.simulated_latencies import SHAPES, latencies, true_value

REPLICATIONS = 400
LIMITS = (0.93 - 3 * (0.05 * 0.95 / REPLICATIONS) ** 0.5, 0.97 + 0.02)
# Runs of the same cell differ by more than their samples explain.
BETWEEN_RUNS = 0.04


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("percent", "n"), [(None, 300), (50, 300), (95, 300)])
@pytest.mark.parametrize("repeats", [3, 6])
def test_the_interval_between_repeats_covers_the_true_value(shape, percent, n, repeats):
    chance, truth, covered = np.random.default_rng(1), true_value(shape, percent), 0
    for _replication in range(REPLICATIONS):
        samples = latencies(shape, chance.standard_normal((repeats, n))) * np.exp(BETWEEN_RUNS * chance.standard_normal((repeats, 1)))
        values = samples.mean(axis=1) if percent is None else np.percentile(samples, percent, axis=1)
        low, high = interval_between(list(values), None if percent is None else float(np.percentile(samples, percent)))
        covered += low <= truth <= high
    assert LIMITS[0] <= covered / REPLICATIONS <= LIMITS[1]


@pytest.mark.parametrize(("points", "repeats"), [(4, 3), (1, 6), (16, 3)])
def test_equal_cells_seldom_differ_by_more_than_the_noise_floor(points, repeats):
    chance, beyond = np.random.default_rng(2), 0
    for _replication in range(2000):
        values = np.exp(0.08 * chance.standard_normal((points + 1, repeats)))
        noise = noise_of(values.tolist())
        beyond += noise.is_beyond(values[0].tolist(), values[1].tolist())
    assert beyond / 2000 <= 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5


def test_a_change_of_twice_the_noise_floor_is_found():
    chance, found = np.random.default_rng(3), 0
    factor = 1 + 2 * Noise(0.08, 8).floor(3)
    for _replication in range(500):
        values = np.exp(0.08 * chance.standard_normal((4, 3)))
        values[1] *= factor
        found += noise_of(values.tolist()).is_beyond(values[0].tolist(), values[1].tolist())
    assert found / 500 >= 0.9


def test_the_floor_is_the_difference_that_is_just_not_beyond():
    noise = Noise(0.1, 10)
    assert noise.floor(4) == pytest.approx(np.expm1(2.228 * 0.1 * np.sqrt(0.5)), rel=1e-3)
    assert not noise.is_beyond([1.0] * 4, [1 + noise.floor(4) - 1e-9] * 4)
    assert noise.is_beyond([1.0] * 4, [1 + noise.floor(4) + 1e-9] * 4)


def test_the_deviation_is_pooled_over_points():
    noise = noise_of([[1, np.e, np.e**2], [5, 5], [7]])
    assert (noise.deviation, noise.degrees) == (pytest.approx(np.sqrt(2 / 3)), 3)


@pytest.mark.parametrize("points", [[], [[1.0]], [[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0, 2.0]]], ids=["no point", "one repeat", "two repeats", "a zero"])
def test_no_noise_is_known(points):
    assert noise_of(points) is None


@pytest.mark.parametrize("values", [[1.0, 2.0], [0.0, 1.0, 2.0]], ids=["two repeats", "a zero"])
def test_there_is_no_interval_between(values):
    assert interval_between(values) is None


def test_an_interval_surrounds_its_centre():
    low, high = interval_between([1.0, 2.0, 4.0], centre=3.0)
    assert low * high == pytest.approx(9)


def test_changes_are_between_geometric_means():
    assert relative_change([1.0, 4.0], [3.0, 3.0]) == pytest.approx(0.5)


def test_a_mean_with_zeros_is_arithmetic():
    assert geometric_mean([0.0, 4.0]) == 2
