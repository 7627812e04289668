# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantiles and their suppression for few samples; one definition for every percentile that this collection reports.

A percentile is the linear interpolation between the two nearest order statistics (Hyndman and Fan, type 7: the
default of numpy and R, and what k6 prints), taken over all samples pooled, never over other percentiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERCENTILES = (50, 90, 95, 99)
MEDIAN_MINIMUM = 5
TRUSTED_COUNT_ABOVE = 10


def quantile(ordered: Sequence[float] | NDArray[Any], percent: float) -> float:
    """Return the percentile (0 to 100) of ascending, non-empty samples, in their unit; raises ValueError."""
    if not len(ordered) or not 0 <= percent <= 100:
        raise ValueError(f"quantile {percent}: needs at least one sample and a percentage from 0 to 100")
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    low, high = float(ordered[below]), float(ordered[above])
    return low + (high - low) * (place - below)


def suppression(n: int, percent: int) -> str | None:
    """Return why a percentile of n samples must not be reported, or None: p50 needs 5 samples, pX one sample above it."""
    if percent == 50:
        return None if n >= MEDIAN_MINIMUM else f"n={n}: p50 needs n >= {MEDIAN_MINIMUM}"
    return None if n * (100 - percent) >= 100 else f"n={n}: p{percent} needs n(1-{percent / 100:g}) >= 1"


def is_low(n: int, percent: int) -> bool:
    """Return whether fewer than ten samples lie above the percentile, so that it varies much from run to run."""
    return n * (100 - percent) < 100 * TRUSTED_COUNT_ABOVE


def summarize(ordered: Sequence[float] | NDArray[Any], percents: Sequence[int] = PERCENTILES) -> dict[str, Any]:
    """Summarize ascending samples, a sequence or an array of numpy, in their unit.

    Returns {values: {mean, p<percent>..., max}, low_n: [names], suppressed: {name: reason}}; a suppressed
    percentile is None, mean and max are None only without any sample.
    """
    n = len(ordered)
    reasons = {f"p{percent}": reason for percent in percents if (reason := suppression(n, percent))}
    values: dict[str, float | None] = {"mean": _total(ordered) / n if n else None}
    for percent in percents:
        values[f"p{percent}"] = None if f"p{percent}" in reasons else quantile(ordered, percent)
    values["max"] = float(ordered[-1]) if n else None
    low = [f"p{percent}" for percent in percents if f"p{percent}" not in reasons and is_low(n, percent)]
    return {"values": values, "low_n": low, "suppressed": reasons}


def _total(values: Any) -> float:
    """Return an exact sum: whole numbers of an array add up in 64 bits."""
    return int(values.sum()) if hasattr(values, "dtype") and values.dtype.kind == "i" else math.fsum(values)
