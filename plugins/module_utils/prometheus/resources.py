# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources of a cell's components, from measurements: totals first, then each instance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.measurement import Measurement, Row, merge
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import FIELDS, NUMBERS, ResourceField

CLUSTER = "cluster"
"""The component that every cluster has beside those of the target."""


def blank(status: str) -> dict[str, Any]:
    """Return the resources of a component of which nothing is known; status ok, missing or not_requested."""
    return {"status": status, **dict.fromkeys(NUMBERS), "limits": {}, "instances": {}}


def not_requested(components: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the resources for a run without a metrics profile (`metrics_profile: none`)."""
    return {component: blank("not_requested") for component in components}


def resources(
    components: Iterable[str], measurements: Iterable[Measurement], expected_samples: float
) -> tuple[dict[str, dict[str, Any]], list[str], list[str]]:
    """Return (resources, errors, warnings).

    `expected_samples` is how many scrapes fit into the window. A required field without a number makes its component
    missing and is an error that names metric and component; an optional one is left null. One warning lists all optional
    ones, another those that the window is too short for.
    """
    measurements = [measurement for measurement in measurements if measurement.entry.field]
    if not measurements:
        return not_requested(components), [], []
    names = list(components)
    found = {component: blank("ok") for component in names}
    errors: list[str] = []
    absent: dict[str, list[str]] = {}
    too_short: dict[str, None] = {}
    filled = 0
    for measurement in measurements:
        entry = measurement.entry
        for component in names if entry.by_component else [str(entry.component)]:
            rows = measurement.of(component)
            record = found.get(component) or blank("ok")
            if _fill(record, rows, measurement, expected_samples):
                filled += 1
            elif not entry.instant and any(row.points for row in rows):
                too_short[str(entry.field)] = None
            elif not entry.is_required:
                # What the target does not have, such as a database that is not monitored, is not missing.
                if not measurement.failed and component in (*names, CLUSTER):
                    absent.setdefault(entry.metric, []).append(component)
                continue
            else:
                record["status"] = "missing"
                if not measurement.failed:
                    errors.append(_missing(measurement, component, rows, expected_samples))
            found[component] = record
    _count_instances(found, measurements)
    if not filled:
        for record in found.values():
            record["status"] = "missing"
    return found, errors, [*_absent_warning(absent, names), *_short_warning(too_short, expected_samples)]


def _count_instances(found: dict[str, dict[str, Any]], measurements: Sequence[Measurement]) -> None:
    """Count instances by their memory, unless a query of the profile counts them."""
    fields = {measurement.entry.field: measurement for measurement in measurements}
    if "memory_bytes" in fields and "instance_count" not in fields:
        memory = fields["memory_bytes"]
        for component, record in found.items():
            record.update(count_instances(memory.of(component), memory.rows))


def _missing(measurement: Measurement, component: str, rows: Sequence[Row], expected_samples: float) -> str:
    odd = sorted({text for row in rows for text in row.series.not_finite})
    what = f"is {' and '.join(odd)}, not a number" if odd else "has no samples in the window"
    if not odd and expected_samples < 2:
        what += f", which holds only {expected_samples:.1f} scrapes,"
    return (
        f"Metric {measurement.entry.metric}: {what} for component {component}. Check that it is scraped and that its selector fits, or mark the entry optional."
    )


def _absent_warning(absent: Mapping[str, list[str]], names: Sequence[str]) -> list[str]:
    listed = [metric if len(components) == len(names) else f"{metric} ({', '.join(components)})" for metric, components in absent.items()]
    return [f"Optional metrics without samples: {', '.join(listed)}. Their figures are null."] if listed else []


def _short_warning(too_short: Iterable[str], expected_samples: float) -> list[str]:
    fields = ", ".join(too_short)
    return [
        f"Window: holds {expected_samples:.1f} scrapes, too few for {fields}, whose rates look back four of them and must not look beyond its start. "
        "Make the window longer, or scrape more often."
    ] * bool(fields)


def _fill(record: dict[str, Any], rows: Sequence[Row], measurement: Measurement, expected_samples: float) -> bool:
    """Set the figures of rows in the record; return whether there are any in the window."""
    field = FIELDS[str(measurement.entry.field)]
    ends = "value" if field.instant else "last"
    rows = [row for row in rows if ends in measurement.statistics(row.points)]
    if not rows:
        return False
    # As many samples as fit in whole are expected; one more may be there.
    scale = 1 / max(1, math.floor(expected_samples + 1e-6)) if measurement.entry.field == "coverage" else 1.0
    for row in rows:
        if row.instance is not None:
            _put(record.setdefault(field.place, {}).setdefault(row.instance, {}), field, measurement.statistics(row.points), scale)
    if field.place == "instances":
        _put(record, field, measurement.statistics(merge([row.points for row in rows], field.combine)), scale)
    return True


def _put(record: dict[str, Any], field: ResourceField, statistics: Mapping[str, float], scale: float) -> None:
    for statistic, key in field.outputs.items():
        value = statistics[statistic] * scale
        if key == "coverage":
            value = min(1.0, value)
        group, _dot, name = key.rpartition(".")
        (record.setdefault(group, {}) if group else record)[name] = value


def count_instances(rows: Sequence[Row], everything: Sequence[Row]) -> dict[str, float]:
    """Return {instance_count_min, _max, _last, instances_started} of one component's rows, {} when they do not distinguish instances.

    A time at which nothing of `everything` (the rows of all components) was seen is a gap of the monitoring and does not count;
    any other time without an instance of ours counts as one without. An instance has started when it was not there at first.
    """
    seen = sorted({stamp for row in everything for stamp, _value in row.points})
    instances = {row.instance: {stamp for stamp, _value in row.points} for row in rows if row.instance is not None and row.points}
    if not instances:
        return {}
    counts = [sum(stamp in stamps for stamps in instances.values()) for stamp in seen]
    return {
        "instance_count_min": float(min(counts)),
        "instance_count_max": float(max(counts)),
        "instance_count_last": float(counts[-1]),
        "instances_started": float(sum(seen[0] not in stamps for stamps in instances.values())),
    }
