# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulate how often intervals cover the truth, equal cells seem to differ, and transients are cut; print each figure and its goal.

The tests of statistics simulate the same with fewer replications. Usage: intervals_coverage.py [--replications 2000]
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.intervals import (
    AggregatedSeries,
    Values,
    event_counts,
    mean_interval,
    quantile_interval,
    rate_interval,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.repeats import interval_between, noise_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.steadiness import transient_end
from fakes.simulated_latencies import SHAPES, autocorrelated, latencies, true_value

COVERAGE = (0.93, 0.97)
NUMBERS = {"mean": None, "P50": 50, "P95": 95}
SECONDS = 120


class Figures:
    """Prints figures and remembers whether one missed its goal."""

    def __init__(self) -> None:
        self.good = True

    def add(self, name: str, value: float, least: float, most: float = 1.0) -> None:
        is_met = least <= value <= most
        self.good = self.good and is_met
        print(f"{name} {value:.4f} (goal {least:g} to {most:g}){'' if is_met else ' MISSED'}", flush=True)


def within_windows(figures: Figures, replications: int) -> None:
    """Measure the coverage within windows of independent and of autocorrelated requests."""
    for shape in SHAPES:
        for correlation, n in ((0.0, 2000), (0.8, 12000)):
            chance, covered = np.random.default_rng(1), dict.fromkeys(NUMBERS, 0)
            for _replication in range(replications):
                series = latencies(shape, autocorrelated(n, correlation, chance))
                for name, percent in NUMBERS.items():
                    low, high = mean_interval(AggregatedSeries.of(series)) if percent is None else quantile_interval(Values.of(series), percent)
                    covered[name] += low <= true_value(shape, percent) <= high
            for name, count in covered.items():
                figures.add(f"coverage_within_window {shape}, {name}, n={n}, autocorrelation {correlation:g}:", count / replications, *COVERAGE)
    chance, count = np.random.default_rng(2), 0
    for _replication in range(replications):
        moments = np.cumsum(chance.exponential(1 / 40, 4000))
        moments = moments[moments < 60]
        low, high = rate_interval(event_counts(moments, len(moments), 0, 60), 0, 60)
        count += low <= 40 <= high
    figures.add("coverage_within_window rate:", count / replications, *COVERAGE)


def between_repeats(figures: Figures, replications: int) -> None:
    """Measure the coverage between repeats of 300 requests that differ by 4 % themselves."""
    for shape in SHAPES:
        for repeats in (3, 6):
            chance, covered = np.random.default_rng(3), dict.fromkeys(NUMBERS, 0)
            for _replication in range(replications):
                samples = latencies(shape, chance.standard_normal((repeats, 300))) * np.exp(0.04 * chance.standard_normal((repeats, 1)))
                for name, percent in NUMBERS.items():
                    values = samples.mean(axis=1) if percent is None else np.percentile(samples, percent, axis=1)
                    centre = float(samples.mean() if percent is None else np.percentile(samples, percent))
                    low, high = interval_between(values.tolist(), centre) or (0.0, 0.0)
                    covered[name] += low <= true_value(shape, percent) <= high
            for name, count in covered.items():
                figures.add(f"coverage_between_repeats {shape}, {name}, {repeats} repeats of 300:", count / replications, *COVERAGE)


def differences(figures: Figures, replications: int) -> None:
    """Measure how often equal cells differ beyond the noise floor, and cells that differ by twice the floor."""
    chance = np.random.default_rng(4)
    beyond = {1.0: 0, 1.34: 0}
    for _replication in range(replications):
        for factor in beyond:
            values = np.exp(0.08 * chance.standard_normal((4, 3)))
            values[1] *= factor
            noise = noise_of(values.tolist())
            beyond[factor] += noise is not None and noise.is_beyond(values[0].tolist(), values[1].tolist())
    figures.add("differences_of_equal_cells_beyond_noise", beyond[1.0] / replications, 0, 0.05 + 2 * (0.05 * 0.95 / replications) ** 0.5)
    figures.add("differences_of_twice_the_floor_found", beyond[1.34] / replications, 0.9)


def transients(figures: Figures, replications: int) -> None:
    """Measure how exactly steps are cut, and how often gradual transients leave less bias than noise."""
    chance, time = np.random.default_rng(5), np.arange(SECONDS)
    found = dict.fromkeys(("step_cut_within_one_value", "decay_bias_below_noise", "ramp_bias_below_noise", "steady_series_not_cut"), 0)
    for _replication in range(replications):
        length, height, scale = int(chance.integers(3, SECONDS // 3)), chance.uniform(3, 8), chance.uniform(1.5, SECONDS / 12)
        shapes = {"decay": height * np.exp(-time / scale), "ramp": height * np.maximum(0, 1 - time / (4 * scale))}
        found["step_cut_within_one_value"] += abs(transient_end(height * (time < length) + chance.standard_normal(SECONDS)) - length) <= 1
        for name, transient in shapes.items():
            end = transient_end(transient + chance.standard_normal(SECONDS))
            found[f"{name}_bias_below_noise"] += transient[end:].mean() < 1 / (SECONDS - end) ** 0.5
        found["steady_series_not_cut"] += transient_end(chance.standard_normal(SECONDS)) == 0
    for name, count in found.items():
        figures.add(name, count / replications, 0.95)


def main() -> int:
    """Print the figures; return 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=2000)
    replications = parser.parse_args().replications
    figures = Figures()
    for simulate in (within_windows, between_repeats, differences, transients):
        simulate(figures, replications)
    return 0 if figures.good else 1


if __name__ == "__main__":
    sys.exit(main())
