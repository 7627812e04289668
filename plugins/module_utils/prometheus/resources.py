# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources of a cell's components, from measurements: totals first, then each instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.measurement import Measurement, Row, add_up
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.resource_field import FIELDS, NUMBERS, ResourceField


def blank(status: str) -> dict[str, Any]:
    """Returns the resources of a component of which nothing is known; status ok, missing or not_requested."""
    return {"status": status, **dict.fromkeys(NUMBERS), "limits": {}, "instances": {}}


def not_requested(components: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Returns the resources for a run without a metrics profile (`metrics_profile: none`)."""
    return {component: blank("not_requested") for component in components}


def resources(
    components: Iterable[str], measurements: Iterable[Measurement], expected_samples: float
) -> tuple[dict[str, dict[str, Any]], list[str], list[str]]:
    """Returns (resources, errors, warnings).

    `expected_samples` is how many scrapes fit into the window. A required field without a number makes its component
    missing and is an error that names metric and component; an optional one is left null with a warning.
    """
    measurements = [measurement for measurement in measurements if measurement.entry.field]
    if not measurements:
        return not_requested(components), [], []
    found = {component: blank("ok") for component in components}
    errors: list[str] = []
    warnings: list[str] = []
    filled = 0
    for measurement in measurements:
        entry = measurement.entry
        targets = list(found) if entry.by_component else [str(entry.component)]
        for component in targets:
            record = found.setdefault(component, blank("ok"))
            rows = measurement.of(component)
            if _fill(record, rows, measurement, expected_samples):
                filled += 1
                continue
            if not entry.optional:
                record["status"] = "missing"
            if not measurement.failed:
                (warnings if entry.optional else errors).append(_missing(measurement, component, rows))
    if not filled:
        for record in found.values():
            record["status"] = "missing"
    warnings.extend(
        f"Component {component}: only {record['coverage']:.0%} of the expected samples of the window are there. Its means and peaks may be off."
        for component, record in found.items()
        if record["coverage"] is not None and record["coverage"] < 0.95
    )
    return found, errors, warnings


def _missing(measurement: Measurement, component: str, rows: list[Row]) -> str:
    odd = sorted({text for row in rows for text in row.series.not_finite})
    what = f"is {' and '.join(odd)}, not a number" if odd else "has no samples in the window"
    return (
        f"Metric {measurement.entry.metric}: {what} for component {component}. Check that it is scraped and that its selector fits, or mark the entry optional."
    )


def _fill(record: dict[str, Any], rows: list[Row], measurement: Measurement, expected_samples: float) -> bool:
    field = FIELDS[str(measurement.entry.field)]
    rows = [row for row in rows if row.points]
    if not rows:
        return False
    scale = 1 / expected_samples if measurement.entry.field == "coverage" else 1.0
    for row in rows:
        if row.instance is not None:
            _put(record["instances"].setdefault(row.instance, {}), field, measurement.statistics(row.points), scale)
    _put(record, field, _combined(field, rows, measurement), scale)
    return True


def _combined(field: ResourceField, rows: list[Row], measurement: Measurement) -> dict[str, float]:
    if field.combine == "sum":
        return measurement.statistics(add_up([row.points for row in rows]))
    values = [row.points[-1][1] for row in rows]
    return {"value": max(values) if field.combine == "max" else sum(values) / len(values)}


def _put(record: dict[str, Any], field: ResourceField, statistics: Mapping[str, float], scale: float) -> None:
    for statistic, key in field.outputs.items():
        value = statistics[statistic] * scale
        if key == "coverage":
            value = min(1.0, value)
        group, _dot, name = key.rpartition(".")
        (record.setdefault(group, {}) if group else record)[name] = value
