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

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import Counted, quantile

try:
    import numpy as np
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
PERCENTS = (50, 95)
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


class AggregatedSeries:
    """A series of `n` values in time order, added piece by piece, as the means of `size` neighbours each, so that at most a million numbers are held.

    Up to a million values, the means are the values themselves.
    """

    def __init__(self, n: int, kind: type[np.floating[Any]] | None = None) -> None:
        self.n = n
        self.size = max(1, -(-n // _SERIES_MAX))
        self.means = np.empty(n // self.size, dtype=kind or np.float64)
        self._filled = 0
        self._rest = np.zeros(0)
        self._sum, self._squares = 0.0, 0.0

    @classmethod
    def of(cls, values: Series) -> AggregatedSeries:
        """Return the series of all values at once."""
        series = cls(len(values))
        series.add(values)
        return series

    def add(self, values: Series) -> None:
        """Add the values that follow."""
        self._sum += float(values.sum())
        self._squares += float(values @ values)
        values = np.concatenate((self._rest, values))
        whole = len(values) // self.size
        self._rest = values[whole * self.size:]
        self.means[self._filled:self._filled + whole] = values[:whole * self.size].reshape(-1, self.size).mean(axis=1)
        self._filled += whole

    def autocorrelation_time(self) -> float:
        """Return the integrated autocorrelation time in steps of the series, at least 1.

        That of means of `size` neighbours gives the one of the values, since both give the same variance of the mean of all:
        size x their time x their variance / the variance of the values.
        """
        means = self.means.astype(float)
        time = autocorrelation_time(means)
        variance = self._squares / self.n - (self._sum / self.n) ** 2
        if self.size == 1 or variance <= 0:
            return time
        return max(1.0, self.size * time * float(means.var()) / variance)


class Values:
    """The values of one window in time order, added piece by piece; `ordered` has the same values in ascending order, which is known before."""

    def __init__(self, ordered: Sequence[float] | Counted) -> None:
        self.ordered = ordered
        self.series = AggregatedSeries(len(ordered))
        self.exceeding: dict[int, tuple[float, AggregatedSeries]] = {}
        """By percent the percentile, and the series of what exceeds it, as 1 and 0; empty where there are too few values."""
        if len(ordered) >= QUANTILE_TIMES:
            self.exceeding = {percent: (quantile(ordered, percent), AggregatedSeries(len(ordered), np.float32)) for percent in PERCENTS}

    @classmethod
    def of(cls, series: Series) -> Values:
        """Return the values of a whole series."""
        values = cls(np.sort(series).tolist())
        values.add(series)
        return values

    def __len__(self) -> int:
        return len(self.ordered)

    def add(self, values: Series) -> None:
        """Add the values that follow."""
        self.series.add(values)
        for percentile, series in self.exceeding.values():
            series.add((values > percentile).astype(float))


@functools.lru_cache(maxsize=1024)
def student_t(degrees: float, level: float = LEVEL) -> float:
    """Return the factor of a two-sided interval with so many degrees of freedom, of 95 % unless another level is given."""
    # Tables of cells without repeats need no interval, and this import takes a fifth of their time.
    from scipy import special

    return float(special.stdtrit(degrees, (1 + level) / 2))


def autocorrelation_time(series: Series) -> float:
    """Return the integrated autocorrelation time of a series in its steps, at least 1 (that of independent values).

    1 + 2 x the sum of the autocorrelations up to the first lag M with M >= 5 x the sum so far (Sokal, Monte Carlo methods in statistical mechanics,
    1997, section 3). A constant series has 1.
    """
    n = len(series)
    centred = series - series.mean()
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    covariances = np.fft.irfft(spectrum * np.conj(spectrum), size)[:n]
    if covariances[0] <= 1e-12 * n:
        return 1.0
    times = 2 * np.cumsum(covariances / covariances[0]) - 1
    ends = np.arange(n) >= _WINDOW_FACTOR * times
    return max(1.0, float(times[np.argmax(ends)] if ends.any() else times[-1]))


def mean_interval(series: AggregatedSeries) -> tuple[float, float]:
    """Return the interval of the mean of a series, in its unit. Raises ShortWindowError below 200 autocorrelation times."""
    _assert_length(series, MEAN_TIMES)
    middle, half = float(series.means.mean()), _half_width(series.means)
    return middle - half, middle + half


def quantile_interval(values: Values, percent: int) -> tuple[float, float]:
    """Return the interval of a percentile (one of PERCENTS) of values, in their unit. Raises ShortWindowError below 1,000 autocorrelation times."""
    if len(values) < QUANTILE_TIMES:
        raise ShortWindowError(_too_few(len(values), QUANTILE_TIMES))
    _percentile, exceeding = values.exceeding[percent]
    _assert_length(exceeding, QUANTILE_TIMES)
    share, half = percent / 100, _half_width(exceeding.means.astype(float))
    return quantile(values.ordered, 100 * max(0.0, share - half)), quantile(values.ordered, 100 * min(1.0, share + half))


def event_counts(moments: Series | Sequence[float], n: int, start: float, end: float) -> Series:
    """Count those of a window's `n` events that happened at these moments, between `start` and `end`, in 1,000 bins, in fewer where there are fewer events."""
    bins = min(_BINS, n)
    return np.histogram(moments, bins=bins, range=(start, end))[0].astype(float) if bins else np.zeros(0)


def rate_interval(counts: Series, start: float, end: float) -> tuple[float, float]:
    """Return the interval of a rate per unit of time from the `event_counts` of all events between `start` and `end`.

    The series of counts needs 200 autocorrelation times. Raises ShortWindowError.
    """
    bins = len(counts)
    if bins < MEAN_TIMES:
        raise ShortWindowError(_too_few(bins, MEAN_TIMES))
    low, high = mean_interval(AggregatedSeries.of(counts))
    per_bin = (end - start) / bins
    return max(0.0, low) / per_bin, high / per_bin


def latency_intervals(values: Values, prefix: str = "") -> Intervals:
    """Return the intervals of mean and percentiles of latencies, named `mean` and `p<percent>` after `prefix`."""
    found = Intervals()
    found.add(f"{prefix}mean", lambda: mean_interval(values.series))
    for percent in PERCENTS:
        found.add(f"{prefix}p{percent}", lambda percent=percent: quantile_interval(values, percent))  # type: ignore[misc]
    return found


def _assert_length(series: AggregatedSeries, times: int) -> None:
    if series.n < times:
        raise ShortWindowError(_too_few(series.n, times))
    found = series.n / series.autocorrelation_time()
    if found < times:
        raise ShortWindowError(f"the window has {found:.0f} autocorrelation times; {times} are needed")


def _too_few(n: int, needed: int) -> str:
    return f"n={n}: {needed} are needed"


def _half_width(series: Series) -> float:
    """Return t x s / sqrt(20) of the means of 20 batches; what is left over after the last whole batch is in none."""
    length = len(series) // BATCHES
    means = series[: length * BATCHES].reshape(BATCHES, length).mean(axis=1)
    return float(student_t(BATCHES - 1) * means.std(ddof=1) / np.sqrt(BATCHES))
