# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the transient at the start of a series ends, and whether the rest of it has a trend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.intervals import student_t

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Series = NDArray[np.float64]

VALUES_NEEDED = 12
# Standard errors by which a transient has to differ: one of 25 series without any exceeds it, the largest of its many possible cuts.
_THRESHOLD = 3.2
# Share of the standard error of the mean that the transient may still contribute after the cut.
_BIAS_SHARE = 0.25
_DECAYS = 24
_CORRELATION_MAX = 0.8
_SIGNIFICANCE = 0.99


@dataclass(frozen=True)
class Trend:
    """The relative change of a series from its first to its last value by a straight line, and the bounds of its 95 % interval; 0.38 is 38 % more."""

    change: float
    low: float
    high: float
    is_significant: bool
    """Whether its 99 % interval excludes no change: every cell has two trends, and one of ten steady cells would have one at 95 %."""


def transient_end(series: Series) -> int:
    """Return how many values at the start of an equidistant series belong to a transient: 0 without one, at most half of the series.

    Two shapes are fitted by least squares: one step, and an exponential decay to the level of the rest. The one that fits better decides, if it
    differs from no transient by 3.2 standard errors: the step ends the transient, or it ends where what is left of the decay adds less than a quarter
    of a standard error to the mean. Steps are then fitted to the rest until none is left. The step is the change point of Hinkley (Inference about the
    change-point in a sequence of random variables, Biometrika 57, 1970); unlike MSER (White, Simulation 69, 1997) it does not stop early at noise.
    The noise is that of the second half, with its first autocorrelation. Of fewer than 12 values none is a transient.
    """
    n, limit = len(series), len(series) // 2
    noise = _long_run_deviation(series[limit:]) if n >= VALUES_NEEDED else 0.0
    if noise == 0:
        return 0
    needed = _THRESHOLD * noise
    cut, step = _largest_step(series, limit)
    decayed, decay = _decay(series, noise)
    if max(step, decay) < needed:
        return 0
    end = decayed if decay > step else cut
    while end < limit:
        cut, step = _largest_step(series[end:], limit - end)
        if step < needed:
            break
        end += cut
    return end


def trend(series: Series) -> Trend:
    """Return the trend of an equidistant series of positive values, from a least-squares line through their logarithms.

    Its standard error takes the first autocorrelation of the residuals into account (Santer et al., Journal of Geophysical Research 105, 2000,
    section 3: fewer effective values). A value of 0 counts as a thousandth of the mean.
    """
    values = np.log(np.maximum(series, max(1e-12, 1e-3 * float(series.mean()))))
    n = len(values)
    time = np.arange(n) - (n - 1) / 2
    slope = float(time @ values / (time @ time))
    residuals = values - values.mean() - slope * time
    correlation = _correlation(residuals, 2)
    effective = max(3.0, n * (1 - correlation) / (1 + correlation))
    error = float(np.sqrt((residuals @ residuals) / (effective - 2) / (time @ time)))
    half = student_t(effective - 2) * error
    is_significant = abs(slope) > student_t(effective - 2, _SIGNIFICANCE) * error
    change, low, high = (float(np.expm1((n - 1) * rate)) for rate in (slope, slope - half, slope + half))
    return Trend(change, low, high, is_significant)


def _largest_step(series: Series, limit: int) -> tuple[int, float]:
    """Return the cut (1 to limit) between the means that differ most, and their difference, both scaled to the noise of one value."""
    n, cuts = len(series), np.arange(1, limit + 1)
    sums = np.cumsum(series)
    differences = sums[cuts - 1] / cuts - (sums[-1] - sums[cuts - 1]) / (n - cuts)
    sizes = np.abs(differences) / np.sqrt(1 / cuts + 1 / (n - cuts))
    best = int(np.argmax(sizes))
    return int(cuts[best]), float(sizes[best])


def _decay(series: Series, noise: float) -> tuple[int, float]:
    """Return where the exponential decay that fits best has faded, at most half of the series, and its size, scaled to the noise of one value."""
    n, time = len(series), np.arange(len(series))
    shapes = np.exp(-time / np.geomspace(1, n / 4, _DECAYS)[:, None])
    centred = shapes - shapes.mean(axis=1, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=1))
    fits = centred @ series / norms
    best = int(np.argmax(np.abs(fits)))
    left = abs(fits[best]) / norms[best] * np.cumsum(shapes[best][::-1])[::-1]
    faded = left / np.sqrt(n - time) < _BIAS_SHARE * noise
    return (min(n // 2, int(np.argmax(faded))) if faded.any() else n // 2), float(abs(fits[best]))


def _long_run_deviation(series: Series) -> float:
    """Return the standard deviation of one value as far as the mean of many is concerned, by a first-order autoregression."""
    correlation = _correlation(series - series.mean(), 1)
    return float(series.std(ddof=1) * np.sqrt((1 + correlation) / (1 - correlation)))


def _correlation(residuals: Any, fitted: int) -> float:
    """Return the first autocorrelation, 0 to 0.8, of the residuals of a model with 1 (mean) or 2 (line) fitted parameters.

    Corrected for the bias that few values have (Marriott and Pope, Bias in the estimation of autocorrelations, Biometrika 41, 1954).
    """
    n, square = len(residuals), float(residuals @ residuals)
    found = float(residuals[1:] @ residuals[:-1]) / square if square > 0 else 0.0
    return min(_CORRELATION_MAX, max(0.0, (n * found + fitted) / (n - 4))) if square > 0 else 0.0
