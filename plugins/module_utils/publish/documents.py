# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents for a search index, made from the records of a run in the form of kube-burner's: uuid, timestamp, metricName, labels, value.

https://kube-burner.github.io/kube-burner/latest/observability/metrics/ and …/measurements/ (quantiles as P50, P95, P99, max, avg).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

SUMMARY, QUANTILES = "cellSummary", "operationLatencyQuantiles"
# Numbers of a component (docs/data_model.md) that are documents of their own.
RESOURCES = (
    "cpu_cores_mean",
    "cpu_cores_peak",
    "memory_bytes_mean",
    "memory_bytes_peak",
    "network.receive_bytes_per_s",
    "network.transmit_bytes_per_s",
    "throttled_ratio",
    "restarts",
    "oom_kills",
)
_QUANTILES = {"avg": "mean", "P50": "p50", "P90": "p90", "P95": "p95", "P99": "p99", "max": "max"}


def of_cell(run: Mapping[str, Any], cell: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (id, document) for the records of a cell and its run: one summary, and of a measured cell its operations and resources.

    The id depends on run, cell and subject only, so that sending again replaces documents and creates no duplicates.
    """
    spec = cell["spec"]
    labels = {"cell": cell["id"], **{key: spec.get(key) for key in ("tenants", "concurrency", "rate", "profile", "repeat")}, **(spec.get("factors") or {})}
    common = {
        "uuid": run["run_id"],
        "timestamp": _time(cell),
        "jobName": cell["id"],
        "metadata": _scalars(run.get("fingerprint") or {}),
        "labels": _scalars(labels),
    }
    yield _document(common, SUMMARY, "", _summary(cell))
    for name, block in (cell.get("operations") or {}).items():
        yield _document(common, QUANTILES, name, {"quantileName": name, **_numbers(block)})
    for component, found in (cell.get("resources") or {}).items():
        for field in RESOURCES if found.get("status") == "ok" else ():
            value = _field(found, field)
            if value is not None:
                details = {"value": float(value), "labels": {**common["labels"], "component": component}}
                yield _document(common, field.replace(".", "_"), component, details)


def _document(common: Mapping[str, Any], metric: str, subject: str, details: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    key = "\n".join((str(common["uuid"]), str(common["jobName"]), metric, subject))
    return hashlib.sha256(key.encode()).hexdigest()[:32], {**common, "metricName": metric, **details}


def _field(found: Any, path: str) -> float | None:
    """Return the number at a path such as network.receive_bytes_per_s, or None."""
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, (int, float)) else None


def _summary(cell: Mapping[str, Any]) -> dict[str, Any]:
    spec, verdict = cell["spec"], cell["verdict"]
    window = cell.get("window") or {}
    details = {
        "verdict": verdict["status"],
        "reasons": list(verdict["reasons"]),
        "warnings": list(verdict["warnings"]),
        "elapsedTime": float(window["end"] - window["start"]) if window else 0.0,
        **{key: spec.get(key) for key in ("tenants", "concurrency", "repeat") if spec.get(key) is not None},
        **({"rate": float(spec["rate"])} if spec.get("rate") is not None else {}),
    }
    total = cell.get("total")
    if not total:
        return details
    return {**details, "value": float(total["goodput_per_s"]), **_numbers(total)}


def _numbers(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a block; what is null is left out. Numbers with a fraction are never whole ones: an index takes the type of the first."""
    latency = {name: block["latency_ms"].get(key) for name, key in _QUANTILES.items()}
    rates = {"ratePerS": block["rate_per_s"], "goodputPerS": block["goodput_per_s"], "errorRatio": block["failed"] / block["n"] if block["n"] else None}
    counts = {key: block[key] for key in ("n", "ok", "failed")}
    return {"unit": "ms", **counts, **{name: float(value) for name, value in {**rates, **latency}.items() if value is not None}}


def _scalars(found: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known as texts: a label is a text for every run, whatever it looked like in the first."""
    return {key: str(value) for key, value in found.items() if isinstance(value, (str, int, float, bool))}


def _time(cell: Mapping[str, Any]) -> str:
    """Return when the window (of a failed cell: the last attempt) ended, as an ISO 8601 text."""
    attempts = cell.get("attempts") or [{}]
    moment = (cell.get("window") or {}).get("end") or attempts[-1].get("ended") or 0
    return datetime.fromtimestamp(moment, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
