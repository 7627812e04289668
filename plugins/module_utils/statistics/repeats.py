# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repeats of cells: the interval between runs, the noise floor, and which differences are beyond it.

Rates and latencies vary in proportion to their size, so everything here happens on the scale of logarithms. The deviation between repeats is pooled
over the points of a matrix (pooled variance, Box, Hunter and Hunter, Statistics for Experimenters, section 3.1), so that a few repeats of each are enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.intervals import student_t

METHOD = "between_repeats"
REPEATS_NEEDED = 3


@dataclass(frozen=True)
class Noise:
    """The deviation between repeats on the scale of logarithms, pooled, and its degrees of freedom."""

    deviation: float
    degrees: int

    def floor(self, repeats: float, others: float | None = None) -> float:
        """Return the smallest relative change between two means of so many repeats that is beyond noise: 0.12 is 12 %.

        t x s x sqrt(2 / r) on the scale of logarithms, or t x s x sqrt(1 / r1 + 1 / r2): of differences between equal cells, 5 % exceed it.
        """
        return math.expm1(self._half(repeats, others or repeats))

    def is_beyond(self, one: Sequence[float], other: Sequence[float]) -> bool:
        """Return whether the means of the repeats of two points differ by more than noise."""
        return abs(_mean_log(other) - _mean_log(one)) > self._half(len(one), len(other))

    def _half(self, repeats: float, others: float) -> float:
        return student_t(self.degrees) * self.deviation * math.sqrt(1 / repeats + 1 / others)


def noise_of(points: Iterable[Sequence[float]]) -> Noise | None:
    """Return the noise of a number from its values at the repeats of each point, or None unless a point has three.

    Points with a single repeat say nothing about it; values that are not positive have no logarithm, and their point is left out.
    """
    usable = [[math.log(value) for value in values] for values in points if len(values) > 1 and min(values) > 0]
    if max(map(len, usable), default=0) < REPEATS_NEEDED:
        return None
    degrees = sum(len(values) - 1 for values in usable)
    squares = sum((value - math.fsum(values) / len(values)) ** 2 for values in usable for value in values)
    return Noise(math.sqrt(squares / degrees), degrees)


def interval_between(values: Sequence[float], centre: float | None = None) -> tuple[float, float] | None:
    """Return the 95 % interval of a number from its values at three or more repeats of a point, in its unit; None for fewer, or for values of 0.

    It is Student's interval of the mean of the logarithms, around `centre` where the reported number is another one (a percentile of the pooled
    samples), else around the geometric mean.
    """
    if len(values) < REPEATS_NEEDED or min(values) <= 0:
        return None
    mean = _mean_log(values)
    deviation = math.sqrt(math.fsum((math.log(value) - mean) ** 2 for value in values) / (len(values) - 1))
    factor = math.exp(student_t(len(values) - 1) * deviation / math.sqrt(len(values)))
    middle = math.exp(mean) if centre is None else centre
    return middle / factor, middle * factor


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean of positive values, in their unit: the one whose differences are tested here; of others the arithmetic one."""
    return math.exp(_mean_log(values)) if min(values) > 0 else math.fsum(values) / len(values)


def relative_change(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the change from the mean of one point to that of another: 0.12 is 12 % more."""
    return geometric_mean(other) / geometric_mean(one) - 1


def _mean_log(values: Sequence[float]) -> float:
    return math.fsum(map(math.log, values)) / len(values)
