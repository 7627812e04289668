# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of every compared number: slower, faster, same or undecided.

Ratios are compared on the scale of logarithms by Student's t, with the variance between repeats pooled over the cells of a number. Repeats with the same
seed draw the same journeys, so where both sides have them they are compared within their seeds: blocks, as in Box, Hunter and Hunter, Statistics for
Experimenters, section 4.2. What the draw adds to both sides is then no noise. Shares of failures, which may be 0, are compared by their difference with
Welch's t, where no side has less variance than chance alone gives a share (binomial). Within a family the p-values are corrected by the method of
Benjamini and Hochberg (Controlling the false discovery rate, Journal of the Royal Statistical Society B 57, 1995): of families without any difference at
most 5 % have a false alarm, and of the differences that are found in others at most 5 % are none. Holm's method has the same false alarms between equal
sides, and finds fewer changes that concern a whole family.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.metrics import Metric, Value
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.intervals import student_t
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.repeats import REPEATS_NEEDED

try:
    import numpy as np
    from scipy import special
except ImportError:
    np = None  # type: ignore[assignment]

SLOWER, FASTER, SAME, UNDECIDED = "slower", "faster", "same", "undecided"
VERDICTS = (SLOWER, FASTER, SAME, UNDECIDED)
SEVERITIES = ("error", "warning", "info")
ALPHA = 0.045
"""Below 5 %, so that equal sides have at most 5 % false alarms in simulations too, whose counts vary."""
CORRECTION = "Benjamini-Hochberg"
POWER_CHANGE = 0.1
"""The change of a whole family whose power of being found is reported."""
REPEATS_MAX = 100
_SUITES = 400
_SEED = 1


@dataclass(frozen=True)
class Row:
    """One number of one point with its values at the repeats of each side."""

    point: str
    metric: Metric
    name: str
    baseline: Sequence[Value]
    candidate: Sequence[Value]

    @property
    def repeats(self) -> tuple[int, int]:
        """How many repeats each side has."""
        return len(self.baseline), len(self.candidate)

    @property
    def values(self) -> tuple[list[float], list[float]]:
        """The numbers of both sides."""
        return [value.value for value in self.baseline], [value.value for value in self.candidate]

    @property
    def is_paired(self) -> bool:
        """Whether enough repeats have a seed of the other side: a comparison within seeds keeps at least half of the weight of one between the groups."""
        if any(value.seed is None for value in (*self.baseline, *self.candidate)):
            return False
        one, other = (Counter(value.seed for value in side) for side in (self.baseline, self.candidate))
        return 2 * sum(_weight(one[seed], other[seed]) for seed in one & other) >= _weight(*self.repeats) > 0

    @property
    def is_tested(self) -> bool:
        """Whether both sides have enough repeats, and a ratio has values that have a logarithm."""
        return min(self.repeats) >= REPEATS_NEEDED and not (self.metric.is_ratio and min(map(min, self.values)) <= 0)

    @property
    def can_differ(self) -> bool:
        """Whether the row is tested and can be found to differ: where nothing failed on either side it cannot, and counts in no correction."""
        return self.is_tested and any(map(any, self.values))


class _Fit(NamedTuple):
    """The least-squares change of logarithms from baseline to candidate within blocks, and what is left between the repeats.

    The variance of the change is that of one repeat divided by `weight`, which is 0 where no block has both sides.
    """

    change: float
    weight: float
    squares: float
    degrees: int


class Estimate(NamedTuple):
    """The change from baseline to candidate, as a logarithm or in the unit of the number, its standard error, and its degrees of freedom."""

    change: float
    error: float
    degrees: float

    @property
    def half(self) -> float:
        """Half of the width of the 95 % interval."""
        return student_t(self.degrees) * self.error

    @property
    def p(self) -> float:
        """The probability of such a change, or a larger one, between equal sides."""
        if self.error == 0:
            return 1.0 if self.change == 0 else 0.0
        return float(2 * special.stdtr(self.degrees, -abs(self.change) / self.error))


@dataclass(frozen=True)
class Judgement:
    """What is said about a row: change and interval as a ratio or a difference, p-value after the correction, and repeats that would decide.

    Without enough repeats only the verdict `undecided` and the reason are known.
    """

    row: Row
    verdict: str
    change: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    repeats_needed: int | None = None
    reason: str = ""


def judge(rows: Sequence[Row], tolerance: float) -> list[Judgement]:
    """Return the judgement of every row; `tolerance` is the relative change below which ratios are the same (0.05 is 5 %)."""
    estimates = _estimates(rows)
    found = []
    for family in dict.fromkeys(row.metric.family for row in rows):
        mine = [row for row in rows if row.metric.family == family]
        counted = [_key(row) for row in mine if row.can_differ]
        adjusted = dict(zip(counted, adjusted_p([estimates[key].p for key in counted]), strict=True))
        found += [
            _judgement(row, estimates[_key(row)], adjusted.get(_key(row), 1.0), len(counted), tolerance) if row.is_tested else _untested(row) for row in mine
        ]
    return found


def _key(row: Row) -> tuple[str, Metric, str]:
    return row.point, row.metric, row.name


def _estimates(rows: Sequence[Row]) -> dict[tuple[str, Metric, str], Estimate]:
    """Return the estimates of the rows that are tested, by point, metric and name."""
    pools: dict[tuple[Metric, str], list[Row]] = {}
    for row in rows:
        pools.setdefault((row.metric, row.name), []).append(row)
    found = {}
    for (metric, _name), pool in pools.items():
        tested = [row for row in pool if row.is_tested]
        if not metric.is_ratio:
            found.update({_key(row): _difference(row) for row in tested})
        elif tested:
            fits = {_key(row): _fit_of(row) for row in pool if min(map(min, filter(None, row.values))) > 0}
            degrees = sum(fit.degrees for fit in fits.values())
            variance = math.fsum(fit.squares for fit in fits.values()) / degrees
            found.update({key: Estimate(fits[key].change, math.sqrt(variance / fits[key].weight), degrees) for key in map(_key, tested)})
    return found


def _fit_of(row: Row) -> _Fit:
    """Return the change of a ratio with positive values: within the seeds where the row is paired, else in a single block."""
    blocks: dict[int | None, tuple[list[float], list[float]]] = {}
    is_paired = row.is_paired
    for place, side in enumerate((row.baseline, row.candidate)):
        for value in side:
            blocks.setdefault(value.seed if is_paired else None, ([], []))[place].append(math.log(value.value))
    both = [(_weight(len(one), len(other)), _mean(other) - _mean(one)) for one, other in blocks.values() if one and other]
    weight = math.fsum(part for part, _change in both)
    change = math.fsum(part * shift for part, shift in both) / weight if weight else 0.0
    # The candidate without the change is like the baseline.
    alike = [one + [value - change for value in other] for one, other in blocks.values()]
    squares = math.fsum((value - _mean(values)) ** 2 for values in alike for value in values)
    return _Fit(change, weight, squares, sum(map(len, alike)) - len(alike) - bool(weight))


def _weight(one: int, other: int) -> float:
    """Return the weight of the difference of two means of so many repeats, with variance 1 of a single one: 1 / its variance."""
    return one * other / (one + other) if one + other else 0.0


def _difference(row: Row) -> Estimate:
    """Return the difference of two shares, each side with its own variance, by Welch and Satterthwaite."""
    parts = [_variance_of_mean(side) for side in (row.baseline, row.candidate)]
    total = sum(parts)
    degrees = total**2 / sum(part**2 / (count - 1) for part, count in zip(parts, row.repeats, strict=True))
    one, other = row.values
    return Estimate(_mean(other) - _mean(one), math.sqrt(total), degrees)


def _variance_of_mean(values: Sequence[Value]) -> float:
    """Return the variance of the mean of shares: that between the repeats, at least the binomial one with Laplace's rule of succession for the share."""
    mean = _mean([value.value for value in values])
    between = sum((value.value - mean) ** 2 for value in values) / (len(values) - 1)
    n = sum(value.n for value in values)
    share = (sum(value.value * value.n for value in values) + 1) / (n + 2)
    binomial = share * (1 - share) / max(1.0, n / len(values))
    return max(between, binomial) / len(values)


def adjusted_p(values: Sequence[float]) -> list[float]:
    """Return p-values adjusted by the method of Benjamini and Hochberg, in their order."""
    order = sorted(range(len(values)), key=lambda place: values[place], reverse=True)
    adjusted, lowest = [0.0] * len(values), 1.0
    for place, rank in zip(order, range(len(values), 0, -1), strict=True):
        lowest = min(lowest, values[place] * len(values) / rank)
        adjusted[place] = lowest
    return adjusted


def _judgement(row: Row, estimate: Estimate, p: float, family_size: int, tolerance: float) -> Judgement:
    metric, half = row.metric, estimate.half
    limit = math.log1p(tolerance) if metric.is_ratio else metric.tolerance or 0.0
    ends = (estimate.change - half, estimate.change + half)
    if max(map(abs, ends)) <= limit:
        verdict = SAME
    elif p < ALPHA:
        verdict = SLOWER if (estimate.change > 0) == (metric.better == "lower") else FASTER
    else:
        verdict = UNDECIDED
    shown = math.exp if metric.is_ratio else float
    needed = _repeats_needed(row, estimate, family_size, limit) if verdict == UNDECIDED else None
    low, high = map(shown, ends)
    return Judgement(row, verdict, shown(estimate.change), (low, high), p, needed)


def _untested(row: Row) -> Judgement:
    """Return the plain numbers of a row that is not tested, with the reason."""
    if not all(row.repeats):
        change, reason = None, "one side has no value"
    else:
        one, other = map(_mean, row.values)
        change = (other / one if one > 0 else None) if row.metric.is_ratio else other - one
        reason = "a value is 0" if min(row.repeats) >= REPEATS_NEEDED else f"fewer than {REPEATS_NEEDED} repeats on a side"
    return Judgement(row, UNDECIDED, change, reason=reason, repeats_needed=REPEATS_NEEDED if min(row.repeats) < REPEATS_NEEDED else None)


def _repeats_needed(row: Row, estimate: Estimate, family_size: int, limit: float) -> int | None:
    """Return how many repeats of each side would decide if the change were the measured one; None above REPEATS_MAX."""
    repeats = 2 / sum(1 / count for count in row.repeats)
    single = estimate.error * math.sqrt(repeats / 2)
    size = abs(estimate.change)

    def decides(wanted: int) -> bool:
        error, degrees = single * math.sqrt(2 / wanted), estimate.degrees * (wanted - 1) / (repeats - 1)
        is_same = size + student_t(degrees) * error <= limit
        return is_same or size >= student_t(degrees, 1 - ALPHA / max(1, family_size)) * error

    candidates = range(max(REPEATS_NEEDED, math.floor(repeats) + 1), REPEATS_MAX + 1)
    # What decides with so many repeats decides with more.
    place = bisect.bisect_left(candidates, True, key=decides)
    return candidates[place] if place < len(candidates) else None


def overall(rows: Sequence[Row]) -> dict[Metric, tuple[float, tuple[float, float]]]:
    """Return the ratio over all points of each metric of the total, with its 95 % interval: the geometric mean of the ratios of the points."""
    estimates = _estimates(rows)
    by_metric: dict[Metric, list[Estimate]] = {}
    for row in rows:
        if row.metric.family == "total" and row.metric.is_ratio and _key(row) in estimates:
            by_metric.setdefault(row.metric, []).append(estimates[_key(row)])
    found = {}
    for metric, mine in by_metric.items():
        change = _mean([estimate.change for estimate in mine])
        half = student_t(mine[0].degrees) * math.sqrt(math.fsum(estimate.error**2 for estimate in mine)) / len(mine)
        found[metric] = (math.exp(change), (math.exp(change - half), math.exp(change + half)))
    return found


def power(rows: Sequence[Row], change: float = POWER_CHANGE) -> dict[str, float]:
    """Return by family the share of its ratios that would be found if all of them changed that much, at the variance and the repeats of these sides.

    By simulation with a fixed seed: normal logarithms, one pooled variance for the points of a number, the correction over the family. Families in which no
    ratio is tested are absent.
    """
    estimates = _estimates(rows)
    random, found = np.random.default_rng(_SEED), {}
    for family in dict.fromkeys(row.metric.family for row in rows):
        counted = [row for row in rows if row.metric.family == family and row.can_differ]
        ratios = [row for row in counted if row.metric.is_ratio and estimates[_key(row)].error > 0]
        if ratios:
            found[family] = _share_found(ratios, estimates, math.log1p(change), len(counted), random)
    return found


def _share_found(
    rows: Sequence[Row], estimates: Mapping[tuple[str, Metric, str], Estimate], change: float, family_size: int, random: np.random.Generator
) -> float:
    mine = [estimates[_key(row)] for row in rows]
    degrees, errors = (np.array([getattr(estimate, name) for estimate in mine]) for name in ("degrees", "error"))
    pools = {key: place for place, key in enumerate(dict.fromkeys((row.metric, row.name) for row in rows))}
    of_pool = np.array([pools[row.metric, row.name] for row in rows])
    by_pool = np.array([degrees[np.argmax(of_pool == place)] for place in range(len(pools))])
    scales = np.sqrt(random.chisquare(by_pool, (_SUITES, len(pools))) / by_pool)[:, of_pool]
    t = (change / errors + random.standard_normal((_SUITES, len(mine)))) / scales
    p = np.sort(2 * special.stdtr(degrees, -np.abs(t)), axis=1)
    # Numbers without a ratio are never found, and count in the correction.
    ranks = np.arange(1, len(mine) + 1)
    return float(np.max(np.where(p * family_size <= ALPHA * ranks, ranks, 0), axis=1).mean() / len(mine))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
