# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantiles and their suppression for few samples; one definition for every percentile that this collection reports.

A percentile is the linear interpolation between the two nearest order statistics (Hyndman and Fan, type 7: the
default of numpy and R, and what k6 prints), taken over all samples pooled, never over other percentiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERCENTILES = (50, 90, 95, 99)
MEDIAN_MINIMUM = 5
TRUSTED_COUNT_ABOVE = 10


@dataclass(frozen=True)
class Counted:
    """Ascending samples as their different values and how often each occurs: exact, and as large as there are values, not samples."""

    values: NDArray[Any]
    counts: NDArray[Any]

    @classmethod
    def of(cls, samples: Sequence[float] | NDArray[Any]) -> Counted:
        """Count samples that come in any order."""
        return cls(*np.unique(np.asarray(samples), return_counts=True))

    @classmethod
    def merged(cls, parts: Iterable[Counted]) -> Counted:
        """Return the samples of all parts together."""
        found = list(parts)
        if len(found) == 1:
            return found[0]
        values = np.concatenate([np.zeros(0, dtype=np.int32), *(part.values for part in found)])
        counts = np.concatenate([np.zeros(0, dtype=np.int64), *(part.counts for part in found)])
        order = np.argsort(values, kind="stable")
        values = values[order]
        first = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
        return cls(values[first], np.add.reduceat(counts[order], first) if len(first) else counts)

    def __len__(self) -> int:
        return int(self.counts.sum())

    def __getitem__(self, place: int) -> float:
        """Return the sample at a place of their order, from the end if it is negative."""
        found = np.searchsorted(np.cumsum(self.counts), place if place >= 0 else len(self) + place, side="right")
        return float(self.values[found])

    def total(self) -> float:
        """Return the sum of the samples, of whole numbers an exact one."""
        total: float = (self.values.astype(np.int64 if self.values.dtype.kind == "i" else float) * self.counts).sum().item()
        return total


def quantile(ordered: Sequence[float] | Counted, percent: float) -> float:
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


def summarize(ordered: Sequence[float] | Counted, percents: Sequence[int] = PERCENTILES) -> dict[str, Any]:
    """Summarize ascending samples in their unit.

    Returns {values: {mean, p<percent>..., max}, low_n: [names], suppressed: {name: reason}}; a suppressed
    percentile is None, mean and max are None only without any sample.
    """
    n = len(ordered)
    reasons = {f"p{percent}": reason for percent in percents if (reason := suppression(n, percent))}
    total = ordered.total() if isinstance(ordered, Counted) else math.fsum(ordered)
    values: dict[str, float | None] = {"mean": total / n if n else None}
    for percent in percents:
        values[f"p{percent}"] = None if f"p{percent}" in reasons else quantile(ordered, percent)
    values["max"] = float(ordered[-1]) if n else None
    low = [f"p{percent}" for percent in percents if f"p{percent}" not in reasons and is_low(n, percent)]
    return {"values": values, "low_n": low, "suppressed": reasons}
