# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One query's series assigned to components and instances, and reduced to numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.answer import AnswerError, Series
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import Entry
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.selector import component_of

Points = list[tuple[float, float]]


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
    """An entry with its rendered query and what came back. `since`: earlier points lie outside of the window.

    `failed` says that the asking itself went wrong, which is already an error of its own.
    """

    entry: Entry
    query: str
    rows: list[Row]
    since: float
    failed: bool = False

    def of(self, component: str) -> list[Row]:
        """Returns the rows of one component."""
        return [row for row in self.rows if row.component == component]

    def statistics(self, points: Points) -> dict[str, float]:
        """Returns {value} of an instant query, or {mean, min, max, last} over the window of a range query; {} without points.

        A point that a rate computed partly from before the window does not count, unless there is no other.
        """
        if not points:
            return {}
        if self.entry.instant:
            return {"value": points[-1][1]}
        values = [value for stamp, value in points if stamp >= self.since] or [points[-1][1]]
        return {"mean": sum(values) / len(values), "min": min(values), "max": max(values), "last": values[-1]}

    def describe(self) -> dict[str, Any]:
        """Returns the plain form that the module hands back, without the points."""
        return {
            "metricName": self.entry.metric,
            "query": self.query,
            "instant": self.entry.instant,
            "unit": self.entry.unit,
            "field": self.entry.field,
            "status": "ok" if any(row.points for row in self.rows) else "missing",
            "series": [{"labels": row.series.labels, "component": row.component, "instance": row.instance, **self.statistics(row.points)} for row in self.rows],
        }


def assign(entry: Entry, series: Iterable[Series], selectors: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """Returns rows. Raises AnswerError when two series claim the same component and instance of a field."""
    rows = []
    taken: dict[tuple[str, str | None], Series] = {}
    for one in series:
        component = entry.component or component_of(one.labels, selectors)
        instance = one.labels.get(entry.instance_label) if entry.instance_label else None
        if entry.field and component is not None:
            twin = taken.setdefault((component, instance), one)
            if twin is not one:
                raise AnswerError(
                    f"Metric {entry.metric}: component {component} has both {twin} and {one} where one series is expected. "
                    "Aggregate in the query (sum by …), or name the instance_label that tells them apart."
                )
        rows.append(Row(one, component, instance))
    return rows


def add_up(series: Sequence[Points]) -> Points:
    """Returns the sum over series at each time stamp (series that have no point there count nothing)."""
    sums: dict[float, float] = defaultdict(float)
    for points in series:
        for stamp, value in points:
            sums[stamp] += value
    return sorted(sums.items())
