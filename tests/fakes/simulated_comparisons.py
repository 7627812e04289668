# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Suites of cells whose truth is known: log-normal numbers and shares of failures, on a baseline and a candidate that may differ by a factor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.metrics import Metric, Value, metrics_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.verdicts import Row

METRICS = metrics_of(yaml.safe_load((Path(__file__).resolve().parents[2] / "files/comparison/default.yml").read_text(encoding="utf-8")))
NAMES = {
    "total": ("total",), "journeys": ("training", "browsing"), "operations": tuple(f"operation {n}" for n in range(16)), "resources": ("mlflow", "postgresql"),
}  # fmt: skip
REQUESTS = 2000


def simulated_suite(
    random: np.random.Generator,
    points: int = 4,
    repeats: tuple[int, int] = (5, 5),
    variation: float = 0.05,
    factor: float = 1.0,
    errors: float = 0.0,
    families: tuple[str, ...] = tuple(NAMES),
    drawn: float | None = None,
) -> list[Row]:
    """Return the rows of a suite: numbers vary by so much between repeats, and those of the candidate are worse by the factor.

    `errors` is the share of failures; it varies between repeats by half of itself, more than by chance. With `drawn` repeats have seeds, and the journeys
    that a seed draws change a number by so much on both sides.
    """
    return [
        _row(random, f"point {point}", metric, name, repeats, variation, factor, errors, drawn)
        for metric in METRICS if metric.family in families for name in NAMES[metric.family] for point in range(points)
    ]  # fmt: skip


def _row(
    random: np.random.Generator,
    point: str,
    metric: Metric,
    name: str,
    repeats: tuple[int, int],
    variation: float,
    factor: float,
    errors: float,
    drawn: float | None,
) -> Row:
    if not metric.is_ratio:
        sides = [tuple(_share(random, errors) for _repeat in range(count)) for count in repeats]
    else:
        middles = (100.0, 100.0 * factor if metric.better == "lower" else 100.0 / factor)
        shared = np.zeros(max(repeats)) if drawn is None else drawn * random.standard_normal(max(repeats))
        sides = [
            tuple(
                Value(float(value), seed=None if drawn is None else seed)
                for seed, value in enumerate(middle * np.exp(shared[:count] + variation * random.standard_normal(count)))
            )
            for middle, count in zip(middles, repeats, strict=True)
        ]  # fmt: skip
    return Row(point, metric, name, *sides)


def _share(random: np.random.Generator, errors: float) -> Value:
    share = min(1.0, errors * float(np.exp(0.5 * random.standard_normal())))
    return Value(float(random.binomial(REQUESTS, share)) / REQUESTS, REQUESTS)
