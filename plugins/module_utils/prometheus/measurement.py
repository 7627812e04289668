# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One query's series assigned to components and instances, and reduced to numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import FIELDS, Entry
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import ResponseError, Series
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.selector import component_of

Points = list[tuple[float, float]]
# Time stamps travel in milliseconds.
_ROUNDED_S = 0.002
_REDUCE: dict[str, Callable[[Sequence[float]], float]] = {"sum": sum, "max": max, "mean": fmean}


@dataclass
class Row:
    """One series of one entry: which component and instance it describes (None: none)."""

    series: Series
    component: str | None
    instance: str | None

    @property
    def points(self) -> Points:
        return self.series.points


@dataclass
class Measurement:
    """An entry with its rendered query and its series. `since`: earlier points lie outside of the window; `end`: its end.

    `failed`: whether the request itself failed, which is already an error of its own.
    """

    entry: Entry
    query: str
    rows: list[Row]
    since: float
    failed: bool = False
    end: float = 0.0

    def of(self, component: str) -> list[Row]:
        """Return the rows of one component."""
        return [row for row in self.rows if row.component == component]

    def statistics(self, points: Points) -> dict[str, float]:
        """Return {value} of an instant query (with captureStart also {start}), or {mean, min, max, last} over the window of a range query.

        What has no point there has no key: a value at the start never stands for one at the end.
        A point that a rate computed partly from before the window does not count: in a window shorter than the range of its
        rates there is none that does.
        """
        if self.entry.instant and not self.entry.capture_start:
            return {"value": points[-1][1]} if points else {}
        if self.entry.instant:
            return {"value" if stamp >= self.end - _ROUNDED_S else "start": value for stamp, value in points}
        values = [value for stamp, value in points if stamp >= self.since - _ROUNDED_S]
        return {"mean": fmean(values), "min": min(values), "max": max(values), "last": values[-1]} if values else {}

    def has_result(self) -> bool:
        """Return whether any series has a number: of an instant query one at the end of the window."""
        return any("value" in self.statistics(row.points) if self.entry.instant else row.points for row in self.rows)

    def describe(self) -> dict[str, Any]:
        """Return the plain form that the module returns, without the points."""
        return {
            "metricName": self.entry.metric,
            "query": self.query,
            "instant": self.entry.instant,
            "unit": self.entry.unit,
            "field": self.entry.field,
            "status": "ok" if self.has_result() else "missing",
            "series": [{"labels": row.series.labels, "component": row.component, "instance": row.instance, **self.statistics(row.points)} for row in self.rows],
        }


def assign(entry: Entry, series: Iterable[Series], selectors: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """Return rows, the parts of one instance merged. Raises ResponseError when two series claim the same component and instance of a field."""
    rows = []
    taken: dict[tuple[str, str | None], list[Series]] = {}
    for one in series:
        component = entry.component or component_of(one.labels, selectors)
        instance = one.labels.get(entry.instance_label) if entry.instance_label else None
        if entry.field and component is not None:
            parts = taken.setdefault((component, instance), [])
            if parts and not _are_parts(one, parts[0], entry.parts_label):
                raise ResponseError(
                    f"Metric {entry.metric}: component {component} has both {parts[0]} and {one} where one series is expected. "
                    "Aggregate in the query (sum by …), or name the instance_label (parts_label) that distinguishes them."
                )
            parts.append(one)
        else:
            rows.append(Row(one, component, instance))
    return rows + [Row(_whole(entry, parts), component, instance) for (component, instance), parts in taken.items()]


def _are_parts(one: Series, other: Series, label: str | None) -> bool:
    return label is not None and one.labels.get(label) != other.labels.get(label)


def _whole(entry: Entry, parts: Sequence[Series]) -> Series:
    """Return an instance's parts as one series."""
    if len(parts) == 1:
        return parts[0]
    labels = {key: value for key, value in parts[0].labels.items() if key != entry.parts_label}
    return Series(labels, merge([part.points for part in parts], FIELDS[str(entry.field)].parts), [text for part in parts for text in part.not_finite])


def merge(series: Sequence[Points], how: str = "sum") -> Points:
    """Return the sum, max or mean over series at each time stamp (a series that has no point there does not count)."""
    values: dict[float, list[float]] = defaultdict(list)
    for points in series:
        for stamp, value in points:
            values[stamp].append(value)
    return [(stamp, _REDUCE[how](values[stamp])) for stamp in sorted(values)]
