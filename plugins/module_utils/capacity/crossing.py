# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load at which a server crosses a limit, with its 95 % interval, from windows at loads around it.

A latency is fitted locally: the logarithm of the metric is a straight line over the logarithm of the load, and the crossing is the load at which the line
has the limit (inverse prediction; its interval is Fieller's, Draper and Smith, Applied Regression Analysis, section 3.2). Open loads have a second
limit: beyond saturation a queue grows with time, and what a short window shows is the rate at which the server works, whatever was offered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.intervals import student_t

BANDWIDTH = 0.15
"""Half the width of the local fit on the logarithm of the load; points at its edge count for nothing."""
POINTS_NEEDED = 5
SATURATED_NEEDED = 3
# Speeds of equal windows differ by this at least (share), so that a few that happen to agree do not end a search.
SPEED_DEVIATION_MIN, SIZE_DEVIATION_MIN = 0.012, 0.02
# A latency bends upwards over the load, and a straight line through it is off by about this (logarithm of the load).
BEND = 0.016
_ROUNDS = 4
_WIDEN = 1.5


@dataclass(frozen=True)
class Crossing:
    """A load with its 95 % interval, what it rests on (`probes` windows), and how it was found: fit, saturation or bracket."""

    load: float
    low: float
    high: float
    probes: int
    method: str

    @property
    def width(self) -> float:
        """The width of the interval as a share of the load."""
        return (self.high - self.low) / self.load


class Line(NamedTuple):
    """A weighted straight line: value at the mean, slope, mean of x, effective degrees of freedom, deviation, sums of weights and of squares of x."""

    level: float
    slope: float
    middle: float
    degrees: float
    deviation: float
    weight: float
    squares: float


def fit_crossing(loads: Sequence[float], values: Sequence[float], limit: float, start: float) -> Crossing | None:
    """Return where a metric crosses its limit, from its values at loads around `start`; None unless it grows beyond noise and its interval is bounded.

    Loads and values are positive. The fit moves to the crossing that it finds, a few times.
    """
    points = [(math.log(load), math.log(value / limit)) for load, value in zip(loads, values, strict=True) if value > 0]
    if len(points) < POINTS_NEEDED:
        return None
    at, found = math.log(start), None
    for _round in range(_ROUNDS):
        line = _local_line(points, at)
        if line is None or line.slope <= 0:
            return None
        crossing = line.middle - line.level / line.slope
        found = _inverse(line, crossing)
        # A crossing outside of the loads that were measured is an extrapolation, and moves there in steps.
        moved = min(max(crossing, at - BANDWIDTH), at + BANDWIDTH)
        if abs(moved - at) < 1e-3:
            break
        at = moved
    if found is None:
        return None
    low, centre, high = found
    inside = sum(abs(x - at) < BANDWIDTH for x, _y in points)
    return Crossing(math.exp(centre), math.exp(low - BEND), math.exp(high + BEND), inside, "fit")


def _local_line(points: Sequence[tuple[float, float]], at: float) -> Line | None:
    """Return the line through the points near a place, weighted by Epanechnikov's kernel; the kernel widens until it has enough of them."""
    width = BANDWIDTH
    for _step in range(5):
        near = [(x, y, 1 - ((x - at) / width) ** 2) for x, y in points if abs(x - at) < width]
        if len(near) >= POINTS_NEEDED and len({round(x, 6) for x, _y, _w in near}) > 2:
            return _line(near)
        width *= _WIDEN
    return None


def _line(near: Sequence[tuple[float, float, float]]) -> Line | None:
    weight = math.fsum(w for _x, _y, w in near)
    middle = math.fsum(w * x for x, _y, w in near) / weight
    level = math.fsum(w * y for _x, y, w in near) / weight
    squares = math.fsum(w * (x - middle) ** 2 for x, _y, w in near)
    if squares <= 0:
        return None
    slope = math.fsum(w * (x - middle) * (y - level) for x, y, w in near) / squares
    residual = math.fsum(w * (y - level - slope * (x - middle)) ** 2 for x, y, w in near)
    # Kish's effective number of points; the mean weight makes the deviation that of one point.
    effective = weight**2 / math.fsum(w * w for _x, _y, w in near)
    degrees = effective - 2
    if degrees < 1:
        return None
    scale = effective / weight
    variance = residual * scale / degrees
    # Over a long time slow windows have most of the slowest requests, so the metric is nearer to the arithmetic mean of windows, that of a log-normal.
    return Line(level + variance / 2, slope, middle, degrees, math.sqrt(variance), effective, squares * scale)


def _inverse(line: Line, crossing: float) -> tuple[float, float, float] | None:
    """Return (low, crossing, high) on the logarithm of the load, None where the interval of the slope has zero in it."""
    bound = student_t(line.degrees) * line.deviation
    curve = line.slope**2 - bound**2 / line.squares
    if curve <= 0:
        return None
    # Roots of (level + slope d)^2 = bound^2 (1 / n + d^2 / squares) in d = x - middle.
    half = line.level * line.slope
    root = math.sqrt(max(0.0, half**2 - curve * (line.level**2 - bound**2 / line.weight)))
    return line.middle + (-half - root) / curve, crossing, line.middle + (-half + root) / curve


def saturation(rates: Sequence[float], sizes: Sequence[tuple[float, int]]) -> Crossing | None:
    """Return the journeys per second at which a server saturates, None for fewer than three windows beyond it.

    `rates`: requests per second of windows in which it did not keep up with what was offered; `sizes`: requests per journey and journeys, of windows in
    which it did. The interval is Student's of the mean logarithm, with the uncertainty of the requests per journey.
    """
    served = [math.log(rate) for rate in rates if rate > 0]
    if len(served) < SATURATED_NEEDED or not sizes:
        return None
    mean = math.fsum(served) / len(served)
    variance = math.fsum((value - mean) ** 2 for value in served) / (len(served) - 1)
    size, journeys = mean_size(sizes), sum(count for _size, count in sizes)
    spread = math.fsum(count * math.log(each / size) ** 2 for each, count in sizes) / journeys / max(1, len(sizes) - 1)
    spread = max(spread, SIZE_DEVIATION_MIN**2 / len(sizes))
    half = student_t(len(served) - 1) * math.sqrt(max(variance, SPEED_DEVIATION_MIN**2) / len(served) + spread)
    centre = mean - math.log(size)
    return Crossing(math.exp(centre), math.exp(centre - half), math.exp(centre + half), len(served), "saturation")


def mean_size(sizes: Sequence[tuple[float, int]]) -> float:
    """Return the requests per journey over all journeys of windows with (requests per journey, journeys)."""
    return math.fsum(size * count for size, count in sizes) / sum(count for _size, count in sizes)


def lower(one: Crossing | None, other: Crossing | None) -> Crossing | None:
    """Return the crossing that comes first; where their intervals overlap it gets the lower one of both ends.

    A limit that is crossed close to saturation has two estimates: the fit, whose windows are too short for the queue to settle, and saturation, which no
    limit is above.
    """
    if one is None or other is None:
        return one or other
    first, second = sorted((one, other), key=lambda crossing: crossing.load)
    if first.high < second.low:
        return first
    return replace(first, low=min(first.low, second.low), high=max(first.load, min(first.high, second.high)), probes=first.probes + second.probes)
