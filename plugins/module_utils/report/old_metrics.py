# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics files of the old suite (`metrics_T_concurrency_C.csv`), as resources in the shape of cell.json."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from typing import Any

_BACKEND = re.compile(r"^#\s*Database Backend:\s*(?P<backend>\S+)", re.MULTILINE)
_HEADER = ["component", "metric", "aggregation", "unit", "value"]
# (metric, aggregation) -> (key of a resource, factor); cluster utilization was written in percent.
_KEYS = {
    ("cpu", "avg"): ("cpu_cores_mean", 1.0),
    ("cpu", "max"): ("cpu_cores_peak", 1.0),
    ("memory", "avg"): ("memory_bytes_mean", 1.0),
    ("memory", "max"): ("memory_bytes_peak", 1.0),
    ("cpu_utilization", "avg"): ("cpu_utilization_mean", 0.01),
    ("cpu_utilization", "max"): ("cpu_utilization_peak", 0.01),
    ("pod_count", "current"): ("instance_count_last", 1.0),
}
_USAGE = ("cpu_cores_mean", "memory_bytes_mean", "cpu_utilization_mean")


class OldMetricsError(ValueError):
    """A file that is no metrics file of the old suite; one sentence."""


def read_old_metrics(path: Path) -> dict[str, Any]:
    """Returns {backend: str or None, resources: {component: {status: ok|missing, ...}}}; N/A, NaN and empty values are None.

    Raises OldMetricsError for another or a half-written file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OldMetricsError(f"File {path}: cannot be read ({error}). It is left out; check it.") from error
    rows = list(csv.reader(line for line in text.splitlines() if line and not line.startswith("#")))
    if not rows or rows[0] != _HEADER or any(len(row) != len(_HEADER) for row in rows):
        raise OldMetricsError(f"File {path}: is not a whole metrics file ({','.join(_HEADER)} expected). It is damaged or foreign, and left out.")
    resources: dict[str, dict[str, Any]] = {}
    for component, metric, aggregation, _unit, value in rows[1:]:
        key, factor = _KEYS.get((metric, aggregation), (None, 1.0))
        if key:
            number = _number(value)
            resources.setdefault(component, {})[key] = None if number is None else number * factor
    for resource in resources.values():
        resource["status"] = "ok" if any(resource.get(key) is not None for key in _USAGE) else "missing"
    backend = _BACKEND.search(text)
    return {"backend": backend["backend"] if backend else None, "resources": resources}


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
