# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Universal Scalability Law: how throughput grows with concurrent users, where it peaks, and what holds it back.

X(N) = gamma N / (1 + alpha (N - 1) + beta N (N - 1)), with the contention alpha and the coherency beta (Gunther, Guerrilla Capacity Planning, chapter 4).
It is fitted by least squares on the logarithm of throughput, whose noise is proportional to it; the intervals are those of the linearized fit, and that
of the peak is on its logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.intervals import student_t

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

LEVELS_NEEDED = 6
Interval = tuple[float, float]
# A coherency so small that throughput would peak far beyond anything measured.
_NONE = 1e-9


class TooFewLevelsError(ValueError):
    """There are too few levels for a fit; the text is a sentence."""


@dataclass(frozen=True)
class Scalability:
    """The fitted law: value and 95 % interval of contention, coherency and peak throughput, and the level at which it peaks.

    gamma: throughput of one user; knee: users at the peak, None where throughput still grows at the highest level; peak and its interval are those at the
    knee, or None without one.
    """

    gamma: float
    contention: float
    contention_ci95: Interval
    coherency: float
    coherency_ci95: Interval
    knee: float | None
    knee_ci95: Interval | None
    peak: float | None
    peak_ci95: Interval | None
    levels: int

    def throughput(self, users: float) -> float:
        """Return the fitted throughput of so many users."""
        return self.gamma * users / (1 + self.contention * (users - 1) + self.coherency * users * (users - 1))


def fit_scalability(users: Sequence[float], throughput: Sequence[float]) -> Scalability:
    """Return the law that fits throughput at levels of users (repeats are further values of a level). Raises TooFewLevelsError below six levels."""
    pairs = [(level, value) for level, value in zip(users, throughput, strict=True) if level > 0 and value > 0]
    levels = len({level for level, _value in pairs})
    if levels < LEVELS_NEEDED:
        raise TooFewLevelsError(f"Scalability: {levels} levels of users, at least {LEVELS_NEEDED} are needed for a fit. Measure more levels.")
    # A report of fewer levels needs no fit, and this import costs as much as its tables.
    from scipy import optimize

    n, observed = np.array(pairs, dtype=float).T
    logs = np.log(observed)

    def residuals(parameters: list[float]) -> list[float]:
        gamma, alpha, beta = parameters
        fitted: list[float] = gamma + np.log(n) - np.log1p(alpha * (n - 1) + beta * n * (n - 1)) - logs
        return fitted

    start = [float(np.log(np.max(observed / n))), 0.01, 1e-4]
    found = optimize.least_squares(residuals, start, bounds=([-np.inf, 0, 0], np.inf), x_scale=[1, 0.05, 1e-3])
    gamma, alpha, beta = (float(value) for value in found.x)
    degrees = len(pairs) - 3
    covariance = np.linalg.pinv(found.jac.T @ found.jac) * 2 * found.cost / degrees
    factor = student_t(degrees)
    half = [factor * math.sqrt(max(0.0, float(covariance[place, place]))) for place in range(3)]
    knee = math.sqrt((1 - alpha) / beta) if beta > _NONE and alpha < 1 else math.inf
    has_knee = knee <= float(n.max())
    peak, spread, knee_spread = _peak(found.x, covariance, factor) if has_knee else (math.nan, math.nan, math.nan)
    return Scalability(
        math.exp(gamma), alpha, (max(0.0, alpha - half[1]), alpha + half[1]), beta, (max(0.0, beta - half[2]), beta + half[2]),
        knee if has_knee else None, (knee / knee_spread, knee * knee_spread) if has_knee else None,
        peak if has_knee else None, (peak / spread, peak * spread) if has_knee else None, levels,
    )  # fmt: skip


def _peak(parameters: Sequence[float], covariance: Any, factor: float) -> tuple[float, float, float]:
    """Return the peak throughput, and the factors by which the bounds of the peak and of its level differ from them."""

    def logs(values: Sequence[float]) -> tuple[float, float]:
        gamma, alpha, beta = values
        knee = math.sqrt(max(1e-12, 1 - alpha) / max(beta, 1e-12))
        return gamma + math.log(knee) - math.log1p(alpha * (knee - 1) + beta * knee * (knee - 1)), math.log(knee)

    level, _place = logs(parameters)
    gradients = np.zeros((2, 3))
    for place in range(3):
        step = max(1e-6, abs(parameters[place]) * 1e-4)
        ahead, behind = list(parameters), list(parameters)
        ahead[place] += step
        behind[place] -= step
        gradients[:, place] = (np.array(logs(ahead)) - np.array(logs(behind))) / (2 * step)
    variances = np.einsum("ij,jk,ik->i", gradients, covariance, gradients)
    peak, knee = (math.exp(factor * math.sqrt(max(0.0, float(variance)))) for variance in variances)
    return math.exp(level), peak, knee
