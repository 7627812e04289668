# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated latencies (ms) whose true mean and percentiles are known: log-normal, bimodal and heavy-tailed, independent or autocorrelated."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy import special
from scipy.signal import lfilter

SHAPES = ("log-normal", "bimodal", "heavy tail")
# Four of five requests are fast; the slow ones are eight times slower.
_FAST = 0.8


def latencies(shape: str, normal: Any) -> Any:
    """Return latencies with the marginal distribution `shape` from standard normal values."""
    if shape == "log-normal":
        return np.exp(3 + 0.8 * normal)
    share = special.ndtr(normal)
    if shape == "heavy tail":  # Pareto, whose fourth moment is infinite
        return 10 * (1 - share) ** (-1 / 3)
    within = np.where(share < _FAST, share / _FAST, (share - _FAST) / (1 - _FAST))
    spread = np.exp(0.2 * special.ndtri(np.clip(within, 1e-12, 1 - 1e-12)))
    return np.where(share < _FAST, 10, 80) * spread


def autocorrelated(n: int, correlation: float, chance: np.random.Generator) -> Any:
    """Return n standard normal values of a first-order autoregression; its autocorrelation time is (1 + r) / (1 - r)."""
    before = 200
    noise = chance.standard_normal(n + before) * np.sqrt(1 - correlation**2)
    return lfilter([1], [1, -correlation], noise)[before:]


@cache
def true_value(shape: str, percent: int | None) -> float:
    """Return the percentile of a shape, or its mean for None, by numerical integration over the quantiles."""
    if percent is not None:
        return float(latencies(shape, special.ndtri(np.array([percent / 100])))[0])
    if shape == "heavy tail":
        return 15.0
    return float(latencies(shape, special.ndtri((np.arange(2_000_000) + 0.5) / 2_000_000)).mean())
