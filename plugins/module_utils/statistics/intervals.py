# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""95 % confidence intervals of what one window measured, by batches that respect autocorrelation.

Requests of one window are not independent: a slow second slows all of its requests, and a closed load waits for its server. The interval of a
mean is that of batch means (Law, Simulation Modeling and Analysis, section 9.5.3: 20 batches, Student's t), and a window is long enough for it when
it has 200 integrated autocorrelation times, so that a batch has ten. That of a quantile inverts the interval of the share of requests above it
(Woodruff, Confidence intervals for medians and other position measures, JASA 47, 1952), and needs 1,000 autocorrelation times of that indicator.

Such an interval is about this window only. What differs between two runs of the same cell is the matter of `repeats`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

try:
    import numpy as np
    from scipy import special
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Series = NDArray[np.float64]

METHOD = "batches_within_window"
BATCHES = 20
MEAN_TIMES = 200
"""Integrated autocorrelation times that a window needs for a rate or a mean."""
QUANTILE_TIMES = 1000
"""The same of the indicator of what exceeds a quantile."""
LEVEL = 0.95
_BINS = 1000
# The spectrum of ten million values would take more memory than all else of a load.
_SERIES_MAX = 1 << 20
# Sokal's factor: the sum of autocorrelations ends at the first lag of five autocorrelation times.
_WINDOW_FACTOR = 5


@dataclass
class Intervals:
    """Intervals by number: (low, high) in its unit, or None with the reason in `suppressed`."""

    values: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    suppressed: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, compute: Callable[[], tuple[float, float]]) -> None:
        """Add an interval, or the reason that `compute` raises (ShortWindowError)."""
        try:
            self.values[name] = compute()
        except ShortWindowError as error:
            self.values[name] = None
            self.suppressed[name] = str(error)

    def copy(self, name: str, to: str) -> None:
        """Use an interval, or its reason, for another number that has the same values."""
        self.values[to] = self.values[name]
        if name in self.suppressed:
            self.suppressed[to] = self.suppressed[name]

    def update(self, other: Intervals) -> None:
        """Add all intervals of another collection."""
        self.values |= other.values
        self.suppressed |= other.suppressed

    def document(self, digits: int = 6) -> dict[str, Any]:
        """Return the `ci95` of a block of cell.json."""
        rounded = {name: None if value is None else [round(bound, digits) for bound in value] for name, value in self.values.items()}
        return {"method": METHOD, **rounded, "suppressed": self.suppressed}


class ShortWindowError(Exception):
    """The window is too short for the interval; the text is the reason."""


def student_t(degrees: float, level: float = LEVEL) -> float:
    """Return the factor of a two-sided interval with so many degrees of freedom, of 95 % unless another level is given."""
    return float(special.stdtrit(degrees, (1 + level) / 2))


def autocorrelation_time(series: Series) -> float:
    """Return the integrated autocorrelation time of a series in its steps, at least 1 (that of independent values).

    1 + 2 x the sum of the autocorrelations up to the first lag M with M >= 5 x the sum so far (Sokal, Monte Carlo methods in statistical mechanics,
    1997, section 3). A constant series has 1. That of a series of more than a million values follows from the means of b neighbours each, since both
    give the same variance of the mean of all: b x their time x their variance / the variance of the series.
    """
    n = len(series)
    if n > _SERIES_MAX:
        size = -(-n // _SERIES_MAX)
        means = series[: n // size * size].reshape(-1, size).mean(axis=1)
        variance = float(series.var())
        return max(1.0, size * autocorrelation_time(means) * float(means.var()) / variance) if variance > 0 else 1.0
    centred = series - series.mean()
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    covariances = np.fft.irfft(spectrum * np.conj(spectrum), size)[:n]
    if covariances[0] <= 1e-12 * n:
        return 1.0
    times = 2 * np.cumsum(covariances / covariances[0]) - 1
    ends = np.arange(n) >= _WINDOW_FACTOR * times
    return max(1.0, float(times[np.argmax(ends)] if ends.any() else times[-1]))


def mean_interval(series: Series) -> tuple[float, float]:
    """Return the interval of the mean of a series in time order, in its unit. Raises ShortWindowError below 200 autocorrelation times."""
    _assert_length(series, MEAN_TIMES)
    return _around(float(series.mean()), _half_width(series))


def quantile_interval(series: Series, percent: float) -> tuple[float, float]:
    """Return the interval of a percentile (0 to 100) of a series in time order. Raises ShortWindowError below 1,000 autocorrelation times."""
    if len(series) < QUANTILE_TIMES:
        raise ShortWindowError(_too_few(len(series), QUANTILE_TIMES))
    share = percent / 100
    exceeds = (series > np.quantile(series, share)).astype(float)
    _assert_length(exceeds, QUANTILE_TIMES)
    half = _half_width(exceeds)
    low, high = np.quantile(series, [max(0.0, share - half), min(1.0, share + half)])
    return float(low), float(high)


def rate_interval(moments: Series, start: float, end: float) -> tuple[float, float]:
    """Return the interval of a rate per unit of time from the moments of its events between `start` and `end`, which have the same unit.

    The events are counted in 1,000 bins, in fewer where there are fewer events; the series of counts needs 200 autocorrelation times.
    Raises ShortWindowError.
    """
    bins = min(_BINS, len(moments))
    if bins < MEAN_TIMES:
        raise ShortWindowError(_too_few(bins, MEAN_TIMES))
    counts = np.histogram(moments, bins=bins, range=(start, end))[0].astype(float)
    low, high = mean_interval(counts)
    per_bin = (end - start) / bins
    return max(0.0, low) / per_bin, high / per_bin


def latency_intervals(series: Series, percents: Sequence[int] = (50, 95), prefix: str = "") -> Intervals:
    """Return the intervals of mean and percentiles of latencies in time order, named `mean` and `p<percent>` after `prefix`."""
    found = Intervals()
    found.add(f"{prefix}mean", lambda: mean_interval(series))
    for percent in percents:
        found.add(f"{prefix}p{percent}", lambda percent=percent: quantile_interval(series, percent))  # type: ignore[misc]
    return found


def _assert_length(series: Series, times: int) -> None:
    if len(series) < times:
        raise ShortWindowError(_too_few(len(series), times))
    found = len(series) / autocorrelation_time(series)
    if found < times:
        raise ShortWindowError(f"the window has {found:.0f} autocorrelation times; {times} are needed")


def _too_few(n: int, needed: int) -> str:
    return f"n={n}: {needed} are needed"


def _half_width(series: Series) -> float:
    """Return t x s / sqrt(20) of the means of 20 batches; what is left over after the last whole batch is in none."""
    length = len(series) // BATCHES
    means = series[: length * BATCHES].reshape(BATCHES, length).mean(axis=1)
    return float(student_t(BATCHES - 1) * means.std(ddof=1) / np.sqrt(BATCHES))


def _around(middle: float, half: float) -> tuple[float, float]:
    return middle - half, middle + half
