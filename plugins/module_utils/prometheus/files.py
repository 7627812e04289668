# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a collection: series.csv, the metrics CSV of the legacy suite, kube-burner's documents."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import csv_cell, one_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.measurement import Measurement, Row, merge

# (metric, aggregation, unit, key of the resources, factor)
_SUMMARY_ROWS = (
    ("cpu", "avg", "cores", "cpu_cores_mean", 1),
    ("cpu", "max", "cores", "cpu_cores_peak", 1),
    ("memory", "avg", "bytes", "memory_bytes_mean", 1),
    ("memory", "max", "bytes", "memory_bytes_peak", 1),
)
_CLUSTER_ROWS = (
    ("cpu_utilization", "avg", "percent", "cpu_utilization_mean", 100),
    ("cpu_utilization", "max", "percent", "cpu_utilization_peak", 100),
)


def series_csv(measurements: Sequence[Measurement]) -> str:
    """Return `timestamp,metric,component,instance,value` with a row per point of every range query (epoch seconds).

    The total of a component that has instances follows them with an empty instance.
    A series of a metric without instance label is distinguished by its labels, as `status=200`.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("timestamp", "metric", "component", "instance", "value"))
    for measurement in measurements:
        if measurement.entry.instant:
            continue
        for row in measurement.rows:
            _write_points(writer, measurement, row.component, _instance(row, measurement), row.points)
        if measurement.entry.field:
            for component in sorted({row.component for row in measurement.rows if row.component and row.instance is not None}):
                _write_points(writer, measurement, component, "", merge([row.points for row in measurement.of(component)]))
    return out.getvalue()


def _write_points(writer: Any, measurement: Measurement, component: str | None, instance: str, points: Sequence[tuple[float, float]]) -> None:
    for stamp, value in points:
        texts = map(csv_cell, (measurement.entry.metric, component or "", instance))
        writer.writerow((f"{stamp:.3f}".rstrip("0").rstrip("."), *texts, repr(value)))


def _instance(row: Row, measurement: Measurement) -> str:
    if row.instance is not None:
        return row.instance
    if measurement.entry.field:
        return ""
    hidden = {"__name__", measurement.entry.component_label}
    return ";".join(f"{key}={value}" for key, value in sorted(row.series.labels.items()) if key not in hidden)


def summary_csv(
    resources: Mapping[str, Mapping[str, Any]], measurements: Sequence[Measurement], header: Mapping[str, Any], window: Window, generated: float
) -> str:
    """Return the format of the legacy suite: comment lines, then `component,metric,aggregation,unit,value`; unknown is N/A."""
    counted = next((measurement.entry.metric for measurement in measurements if measurement.entry.field == "instance_count"), "pod_count")
    out = io.StringIO()
    for key, value in {
        "Generated": _local(generated),
        **header,
        "Test Duration": f"{window.seconds:.0f}s",
        "Test Start": _local(window.start),
        "Test End": _local(window.end),
    }.items():
        out.write(f"# {one_line(str(key))}: {one_line(str(value))}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("component", "metric", "aggregation", "unit", "value"))
    for component, record in resources.items():
        utilization = "cpu_utilization_mean" in record or component == "cluster"
        for metric, aggregation, unit, key, factor in _CLUSTER_ROWS if utilization else _SUMMARY_ROWS:
            writer.writerow((csv_cell(component), metric, aggregation, unit, _value(record.get(key), factor)))
        if record.get("instance_count_last") is not None:
            writer.writerow((csv_cell(component), csv_cell(counted), "current", "count", _value(record["instance_count_last"], 1)))
    return out.getvalue()


def _local(stamp: float) -> str:
    return datetime.datetime.fromtimestamp(stamp).strftime("%Y-%m-%d %H:%M:%S")


def _value(value: float | None, factor: int) -> str:
    if value is None:
        return "N/A"
    scaled = value * factor
    return str(int(scaled)) if float(scaled).is_integer() else repr(scaled)


def documents(measurements: Sequence[Measurement], window: Window, uuid: str) -> list[dict[str, Any]]:
    """Return kube-burner's documents {timestamp, labels, value, uuid, query, metricName}, one per point.

    A captureStart entry results in a second document under the name with `-start`, as in kube-burner.
    """
    result = []
    for measurement in measurements:
        entry = measurement.entry
        for row in measurement.rows:
            for stamp, value in row.points:
                at_start = entry.instant and entry.capture_start and stamp < window.end - 0.001
                result.append(
                    {
                        "timestamp": datetime.datetime.fromtimestamp(stamp, datetime.UTC).isoformat().replace("+00:00", "Z"),
                        "labels": row.series.labels,
                        "value": value,
                        "uuid": uuid,
                        "query": measurement.query,
                        "metricName": entry.metric + ("-start" if at_start else ""),
                    }
                )
    return result
