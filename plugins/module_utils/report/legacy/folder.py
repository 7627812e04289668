# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Result folders of the legacy suite as records in the shape of cell.json: summaries and `metrics_T_concurrency_C.csv` files."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line, read_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.summary import SummaryError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import NOT_JUDGED, Cell, ReportedRun, ReportInputs
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.legacy.summary import read_legacy_summary
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import is_low

_SUMMARY_NAME = re.compile(r"^summary_.*\.json$")
_METRICS_NAME = re.compile(r"^metrics_(?P<tenants>\d+)_concurrency_(?P<concurrency>\d+)\.(csv|log)$")
_PERCENTILES = {50: "med_ms", 90: "p90_ms", 95: "p95_ms"}
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
_USAGE_KEYS = ("cpu_cores_mean", "memory_bytes_mean", "cpu_utilization_mean")
CAVEAT = (
    "Results of the legacy suite: rates cover the whole k6 run with its graceful stop, latencies of operations cover only the requests that passed, "
    "and there are no verdicts."
)


def is_legacy_folder(folder: Path) -> bool:
    """Return whether a directory holds summaries of the legacy suite."""
    return any(_SUMMARY_NAME.match(path.name) for path in folder.glob("summary_*.json"))


def read_legacy_folder(folder: Path, inputs: ReportInputs) -> None:
    """Add the cells of a legacy result folder; a second summary of a cell is its next repeat."""
    name = inputs.unique_run_id(folder.resolve().name)
    metrics = _metrics(folder, inputs)
    repeats: dict[tuple[int, int], int] = {}
    cells = []
    for path in sorted(path for path in folder.iterdir() if _SUMMARY_NAME.match(path.name)):
        try:
            summary = read_legacy_summary(path)
        except SummaryError as error:
            inputs.warnings.append(str(error))
            continue
        key = (summary["tenants"], summary["concurrency"])
        repeats[key] = repeats.get(key, 0) + 1
        cells.append(Cell(name, _record(summary, repeats[key], metrics.get(key)), str(path)))
    inputs.warnings.extend(
        f"File {folder / f'metrics_{tenants}_concurrency_{concurrency}.csv'}: no summary for it. It is left out."
        for tenants, concurrency in metrics
        if (tenants, concurrency) not in repeats
    )
    if not cells:
        inputs.warnings.append(f"Folder {folder}: no readable summary. It is left out.")
        return
    document = {"run_id": name, "status": "complete", "config": {}, "fingerprint": {}, "plan": {}, "objectives": []}
    inputs.runs.append(ReportedRun(name, str(folder), document, is_evaluated=False))
    inputs.cells.extend(sorted(cells, key=_axes))
    inputs.warnings.append(f"Folder {folder}: {CAVEAT}")


def _axes(cell: Cell) -> tuple[int, ...]:
    return tuple(cell.record["spec"][name] for name in ("tenants", "concurrency", "repeat"))


def _metrics(folder: Path, inputs: ReportInputs) -> dict[tuple[int, int], dict[str, Any]]:
    found = {}
    for path in sorted(folder.iterdir()):
        match = _METRICS_NAME.match(path.name)
        if match:
            try:
                found[int(match["tenants"]), int(match["concurrency"])] = read_legacy_metrics(path)
            except LegacyMetricsError as error:
                inputs.warnings.append(str(error))
    return found


def _record(summary: dict[str, Any], repeat: int, metrics: dict[str, Any] | None) -> dict[str, Any]:
    operations = {name: _operation(values) for name, values in summary["operations"].items()}
    metrics = metrics or {"backend": None, "resources": {}}
    return {
        "id": f"t{summary['tenants']}-c{summary['concurrency']}-r{repeat}",
        "spec": {
            "tenants": summary["tenants"],
            "concurrency": summary["concurrency"],
            "rate": None,
            "profile": "closed",
            "repeat": repeat,
            "duration_s": summary["duration_s"],
            "factors": {"db_backend": metrics["backend"]},
        },
        "window": None,
        "verdict": {"status": NOT_JUDGED, "reasons": [], "warnings": _warnings(summary)},
        "operations": operations,
        "total": _total(summary),
        "resources": metrics["resources"],
    }


def _operation(values: dict[str, Any]) -> dict[str, Any]:
    passed, failed = values["passed"], values["failed"]
    n = passed + failed
    return {
        "n": n,
        "ok": passed,
        "failed": failed,
        "rate_per_s": values["rps"] * n / passed if passed and values["rps"] is not None else None,
        "goodput_per_s": values["rps"],
        "latency_ok_ms": _latency(values),
        "low_n": [f"ok_p{percent}" for percent, key in _PERCENTILES.items() if values[key] is not None and is_low(passed, percent)],
        "suppressed": {} if passed else {"ok_p95": "no request passed, and the legacy suite recorded no latency of failed ones"},
    }


def _total(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the total of the cell from k6's own HTTP metrics, which pool the requests of all operations."""
    http = summary["http"]
    n, failed = http["reqs_total"], http["failed_count"]
    latency = http.get("latency_ms")
    return {
        "n": n,
        "ok": None if failed is None else n - failed,
        "failed": failed,
        "failed_ratio": http["failed_rate"],
        "rate_per_s": http["reqs_rate"],
        "goodput_per_s": None if failed is None or http["reqs_rate"] is None or not n else http["reqs_rate"] * (n - failed) / n,
        "latency_ms": _latency(latency) if latency else {},
        "low_n": [],
        "suppressed": {} if latency else {"p95": "the summary holds no latency over all requests"},
    }


def _latency(values: dict[str, Any]) -> dict[str, Any]:
    return {"mean": values["avg_ms"], "p50": values["med_ms"], "p90": values["p90_ms"], "p95": values["p95_ms"], "max": values["max_ms"]}


def _warnings(summary: dict[str, Any]) -> list[str]:
    counted = sum(values["failed"] for values in summary["operations"].values())
    failed = summary["http"]["failed_count"]
    if failed is None or counted <= failed:
        return []
    worst = max(summary["operations"], key=lambda name: summary["operations"][name]["failed"])
    return [
        f"The legacy script counted {counted} failed requests ({worst} most), k6 {failed}: it counted responses without a JSON body as failed. "
        "Its failed counts are shown unchanged."
    ]


class LegacyMetricsError(ValueError):
    """A file that is not a metrics file of the legacy suite; the message is one sentence."""


def read_legacy_metrics(path: Path) -> dict[str, Any]:
    """Return {backend: str or None, resources: {component: {status: ok|missing, ...}}}; N/A, NaN and empty values are None.

    Raises LegacyMetricsError for another or a truncated file.
    """
    try:
        text = read_text(path)
        rows = list(csv.reader(line for line in text.split("\n") if line and not line.startswith("#")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LegacyMetricsError(f"File {path}: cannot be read ({one_line(str(error))}). It is left out; check it.") from error
    if not rows or rows[0] != _HEADER or any(len(row) != len(_HEADER) for row in rows):
        raise LegacyMetricsError(f"File {path}: not a complete metrics file ({','.join(_HEADER)} expected). It is damaged or of another origin, and left out.")
    resources: dict[str, dict[str, Any]] = {}
    for component, metric, aggregation, _unit, value in rows[1:]:
        key, factor = _KEYS.get((metric, aggregation), (None, 1.0))
        if key:
            number = _number(value)
            resources.setdefault(one_line(component), {})[key] = None if number is None else number * factor
    for resource in resources.values():
        resource["status"] = "ok" if any(resource.get(key) is not None for key in _USAGE_KEYS) else "missing"
    backend = _BACKEND.search(text)
    return {"backend": one_line(backend["backend"]) if backend else None, "resources": resources}


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
