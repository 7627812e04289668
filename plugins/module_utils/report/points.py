# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of the matrix with their repeats, the noise between repeats, and which differences between points are beyond it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Load, Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import number
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import VALID_STATUSES, bucketed
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.repeats import (
    REPEATS_NEEDED,
    Noise,
    geometric_mean,
    interval_between,
    noise_of,
    relative_change,
)

if TYPE_CHECKING:
    from pandas import DataFrame

METRICS = {"goodput_per_s": "throughput", "mean": "mean latency", "p50": "P50", "p95": "P95"}
UNTESTED = (
    f"Fewer than {REPEATS_NEEDED} repeats of every cell: no difference between cells is tested, and each may be chance. "
    f"Measure with test_matrix_repeats={REPEATS_NEEDED} or the preset publish, or report the run "
    "together with one of playbooks/noise_floor.yml (report_sources)."
)
POINT_COLUMNS = ("point", "tenants", "load", "repeats", "successful/s", "mean ms", "P50 ms", "P95 ms")
# An interval of a P95 from fewer requests per repeat may be too narrow.
_REQUESTS_FOR_P95 = 300
_KEYS = ("group", "tenants", "load")


@dataclass(frozen=True)
class Point:
    """One point of the matrix: its values by number, one for each valid repeat that nothing disturbed."""

    group: str
    tenants: int
    load: Load
    values: dict[str, list[float]]
    requests: list[float]
    pooled: dict[str, float]
    """Mean and percentiles over the pooled samples of the repeats, as far as they are known."""

    @property
    def name(self) -> str:
        """The part of its cell ids that the repeats share."""
        return f"t{self.tenants}-{'c' if self.load.profile == 'closed' else 'q'}{self.load.value:g}"

    @property
    def repeats(self) -> int:
        return len(self.requests)

    def mean(self, metric: str) -> float:
        """Return the geometric mean of the repeats, NaN without any: what differences are tested with."""
        return geometric_mean(self.values[metric]) if self.values[metric] else math.nan

    def reported(self, metric: str) -> float:
        """Return the number of the pooled samples of the repeats, a rate as their mean; NaN where it is not known."""
        if self.repeats == 1 or metric.endswith("_per_s"):
            return self.mean(metric)
        return self.pooled.get(metric, math.nan)

    def interval(self, metric: str) -> tuple[float, float] | None:
        """Return the interval between repeats, around the reported number where that is known; None below three repeats."""
        reported = self.reported(metric)
        return interval_between(self.values[metric], None if math.isnan(reported) else reported)

    def text(self, metric: str) -> str:
        """Return the reported number with the larger half of its interval between repeats, and a tilde where few requests make that too narrow.

        Without pooled samples it is the interval alone.
        """
        reported, interval = self.reported(metric), self.interval(metric)
        if interval is None:
            return number(reported)
        few = " ~" if metric == "p95" and min(self.requests) < _REQUESTS_FOR_P95 else ""
        if math.isnan(reported):
            return f"{number(interval[0])} to {number(interval[1])}{few}"
        return f"{number(reported)} ± {number(interval[1] - reported)}{few}"


def points_of(model: Model, frame: DataFrame | None = None, metrics: Sequence[str] = tuple(METRICS), operation: str = "") -> list[Point]:
    """Return the points of the cells that are valid (or not evaluated) and undisturbed, in the order of tenants and load.

    `frame` has other numbers of the same cells, such as those of one operation; its name adds the numbers of the pooled samples.
    """
    known = _pooled(model, operation if frame is not None else None)
    disturbed = set(_keys_of(model.cells[model.cells["is_disturbed"]]))
    rows = model.cells if frame is None else frame
    usable = rows[rows["verdict"].isin(VALID_STATUSES) & rows["n"].notna()]
    usable = usable.loc[[key not in disturbed for key in _keys_of(usable)]]
    points = []
    for (group, tenants, load), found in bucketed(usable, _KEYS, ("run_id", "cell_id", "n", *metrics)).items():
        values = {metric: [row[place] for row in found if not math.isnan(row[place])] for place, metric in enumerate(metrics, start=3)}
        pooled = known.get(frozenset((row[0], row[1]) for row in found), {})
        points.append(Point(group, int(tenants), load, values, [row[2] for row in found], pooled))
    return sorted(points, key=lambda point: (point.group, point.tenants, point.load))


def _pooled(model: Model, operation: str | None) -> dict[frozenset[tuple[str, str]], dict[str, float]]:
    """Return the numbers of pooled samples of an operation (None: all requests) by the cells of their point."""
    found = {}
    for run in model.runs:
        for point in run.points:
            block = point["total"] if operation is None else point["operations"].get(operation)
            if block:
                numbers = {name: value for name, value in block["latency_ms"].items() if value is not None}
                found[frozenset((run.run_id, cell) for cell in point["cells"])] = numbers
    return found


def _keys_of(frame: DataFrame) -> list[tuple[Any, Any]]:
    return list(zip(frame["run_id"], frame["cell_id"], strict=True))


def noise_by_metric(points: Sequence[Point], metrics: Sequence[str] = tuple(METRICS)) -> dict[str, Noise | None]:
    """Return the noise of each number, pooled over the points; None where no point has three repeats."""
    return {metric: noise_of([point.values[metric] for point in points]) for metric in metrics}


def noise_by_operation(model: Model, metric: str) -> dict[str, Noise | None]:
    """Return the noise of one number of each operation."""
    return {
        name: noise_of([point.values[metric] for point in points_of(model, model.operations[model.operations["operation"] == name], (metric,))])
        for name in model.operation_names
    }


def noise_sentence(model: Model, points: Sequence[Point]) -> str:
    """Return what differences this set-up can show, or that none is tested; empty without two points, and for searches, whose answers have intervals."""
    if all(run.capacity for run in model.runs):
        return ""
    noises = {metric: noise for metric, noise in noise_by_metric(points).items() if noise}
    if not noises:
        return UNTESTED if len(points) > 1 else ""
    repeats = min(point.repeats for point in points)
    floors = ", ".join(f"{number(100 * noise.floor(repeats))} % of {METRICS[metric]}" for metric, noise in noises.items())
    degrees = max(noise.degrees for noise in noises.values())
    return (
        f"Noise floor: differences between two points of {repeats} repeat{'' if repeats == 1 else 's'} each are beyond noise from {floors} on "
        f"(95 %; {degrees} degrees of freedom). Smaller ones are not distinguishable."
    )


def point_rows(points: Sequence[Point]) -> list[list[str]]:
    """Return the rows of POINT_COLUMNS for the points, none unless one was repeated."""
    if all(point.repeats < 2 for point in points):
        return []
    return [
        [
            point.name + (f" ({point.group})" if point.group else ""), str(point.tenants), point.load.text, str(point.repeats),
            *(point.text(metric) for metric in METRICS),
        ]
        for point in points
    ]


def least_spread(noise: Noise | None) -> float:
    """Return the ratio of two values that a palette has to span at least, so that noise takes a quarter of it; 4 where noise is unknown."""
    return 4.0 if noise is None else max(2.0, (1 + noise.floor(1)) ** 4)


def change_text(one: Point, other: Point, metric: str) -> str:
    """Return the change from one point to another in percent, with its sign."""
    return f"{100 * relative_change(one.values[metric], other.values[metric]):+.0f} %"
