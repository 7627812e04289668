# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a result folder of the old suite into records of the same shape as cell.json."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.legacy_summary import SummaryError, read_legacy_summary
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.material import NOT_JUDGED, Cell, Material, RunMaterial
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.old_metrics import OldMetricsError, read_old_metrics
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import is_low

_SUMMARY = re.compile(r"^summary_.*\.json$")
_METRICS = re.compile(r"^metrics_(?P<tenants>\d+)_concurrency_(?P<concurrency>\d+)\.(csv|log)$")
_PERCENTILES = {50: "med_ms", 90: "p90_ms", 95: "p95_ms"}
CAVEAT = "Results of the old suite: rates cover the whole k6 run with its end, latencies of operations only the requests that passed, and no verdict was given."


def is_old_folder(folder: Path) -> bool:
    """Tells whether a directory holds summaries of the old suite."""
    return any(_SUMMARY.match(path.name) for path in folder.glob("summary_*.json"))


def read_old_folder(folder: Path, material: Material) -> None:
    """Adds the cells of an old result folder; a second summary of a cell is its next repeat."""
    name = material.unique_run_id(folder.resolve().name)
    metrics = _metrics(folder, material)
    repeats: dict[tuple[int, int], int] = {}
    cells = []
    for path in sorted(path for path in folder.iterdir() if _SUMMARY.match(path.name)):
        try:
            summary = read_legacy_summary(path)
        except SummaryError as error:
            material.warnings.append(str(error))
            continue
        key = (summary["tenants"], summary["concurrency"])
        repeats[key] = repeats.get(key, 0) + 1
        cells.append(Cell(name, _record(summary, repeats[key], metrics.get(key)), str(path)))
    material.warnings.extend(
        f"File {folder / f'metrics_{tenants}_concurrency_{concurrency}.csv'}: has no summary beside it. It is left out."
        for tenants, concurrency in metrics
        if (tenants, concurrency) not in repeats
    )
    if not cells:
        material.warnings.append(f"Folder {folder}: none of its summaries can be read. It is left out.")
        return
    document = {"run_id": name, "status": "complete", "config": {}, "fingerprint": {}, "plan": {}, "objectives": []}
    material.runs.append(RunMaterial(name, str(folder), document, judged=False))
    material.cells.extend(sorted(cells, key=_axes))
    material.warnings.append(f"Folder {folder}: {CAVEAT}")


def _axes(cell: Cell) -> tuple[int, ...]:
    return tuple(cell.record["spec"][name] for name in ("tenants", "concurrency", "repeat"))


def _metrics(folder: Path, material: Material) -> dict[tuple[int, int], dict[str, Any]]:
    found = {}
    for path in sorted(folder.iterdir()):
        match = _METRICS.match(path.name)
        if match:
            try:
                found[int(match["tenants"]), int(match["concurrency"])] = read_old_metrics(path)
            except OldMetricsError as error:
                material.warnings.append(str(error))
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
        "suppressed": {} if passed else {"ok_p95": "no request passed, and the old suite kept no latency of failed ones"},
    }


def _total(summary: dict[str, Any]) -> dict[str, Any]:
    """The whole cell from k6's own HTTP metrics, which pool the requests of all operations."""
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
    judged = sum(values["failed"] for values in summary["operations"].values())
    failed = summary["http"]["failed_count"]
    if failed is None or judged <= failed:
        return []
    worst = max(summary["operations"], key=lambda name: summary["operations"][name]["failed"])
    return [
        f"The old script counted {judged} failed requests ({worst} most), k6 saw {failed}: it took answers without a JSON body as failed. "
        "Its failed counts are shown as they stand."
    ]
