# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both the page and the Markdown summary show of each cell and run, as plain rows of text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportedRun
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import DURATIONS, JOURNEY_COUNTS, Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import count, number
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import MLFLOW, WORDS, component_frame

if TYPE_CHECKING:
    from pandas import DataFrame

CELL_COLUMNS = (
    "cell", "tenants", "load", "verdict", "requests", "failed", "successful/s", "P50 ms", "P95 ms", "P99 ms",
    "max ms", "P95 by time ms", "stall s", "MLflow CPU cores", "MLflow memory MiB",
)  # fmt: skip
OPERATION_COLUMNS = ("operation", "category", "requests", "failed", "successful/s", "mean ms", "P50 ms", "P90 ms", "P95 ms", "P99 ms", "max ms")
JOURNEY_COLUMNS = ("cell", "journey", "started", "completed", "interrupted", "failed", "dropped", "mean s", "P50 s", "P95 s", "max s")
_MIB = 1024**2
_RESOURCE_COLUMNS = ("cell", "component", "status", "CPU mean cores", "CPU peak cores", "memory mean MiB", "memory peak MiB", "coverage %", "restarts")
# Figures that only some environments measure: heading, and (column, factor) of its number or of both ends of its range.
_FURTHER_COLUMNS = (
    ("pods", (("instance_count_min", 1), ("instance_count_max", 1))),
    ("pods started", (("instances_started", 1),)),
    ("OOM kills", (("oom_kills", 1),)),
    ("throttled %", (("throttled_ratio", 100),)),
    ("received kB/s", (("network_receive_bytes_per_s_mean", 1e-3),)),
    ("sent kB/s", (("network_transmit_bytes_per_s_mean", 1e-3),)),
)


def cell_rows(model: Model) -> list[dict[str, Any]]:
    """Return one entry per cell: {values: texts in the order of CELL_COLUMNS, verdict, run_id, group, reasons, warnings}."""
    frame = component_frame(model, MLFLOW)
    return [
        {
            "values": [
                row.cell_id, str(row.tenants), _load_text(row), WORDS[row.verdict], count(row.n), count(row.failed),
                with_interval(row, "goodput_per_s"), with_interval(row, "p50"), with_interval(row, "p95"), marked(row, "p99"), marked(row, "max"),
                number(row.time_weighted_p95), number(row.stall_s), number(row.cpu_cores_mean), number(row.memory_bytes_mean / _MIB),
            ],
            "verdict": row.verdict, "run_id": row.run_id, "cell_id": row.cell_id, "group": row.group, "reasons": row.reasons, "warnings": row.warnings,
        }
        for row in frame.itertuples()
    ]


def _load_text(row: Any) -> str:
    """Return the declared load, and beside that of an open profile what was achieved."""
    return str(row.load.text) + ("" if math.isnan(row.started_per_s) else f", {number(row.started_per_s)} started")


def start_text(model: Model, run_id: str) -> str:
    """Return before how many cells of a run the state after prefill was restored and why not before others; empty where no record has it."""
    states = [state for state in model.cells[model.cells["run_id"] == run_id]["start_state"] if state]
    if not states:
        return ""
    reasons = dict.fromkeys(state["reason"] for state in states if state["reason"])
    restored = sum(1 for state in states if state["baseline"] and state["status"] != "continued")
    return " ".join([f"The state after prefill was restored before {restored} of {len(states)} measured cells.", *reasons])


def target_texts(model: Model, run: ReportedRun) -> list[str]:
    """Return what was measured in a run, once for all its cells: MLflow's version, database, replicas and workers as far as they are known."""
    database = (run.document.get("fingerprint") or {}).get("database")
    found = []
    for factors in model.cells[model.cells["run_id"] == run.run_id]["factors"]:
        version = f" {database}" if isinstance(database, str) and database else ""
        parts = {
            "MLflow": factors.get("mlflow_version"),
            "database": f"{factors['db_backend']}{version}" if factors.get("db_backend") else None,
            "replicas": factors.get("replicas"),
            "workers": factors.get("workers"),
        }
        found.append(", ".join(f"{name} {value}" for name, value in parts.items() if value is not None))
    return list(dict.fromkeys(text for text in found if text))


def operation_rows(operations: DataFrame) -> list[list[str]]:
    """Return the rows of one cell's operations in the order of OPERATION_COLUMNS: over all outcomes where known, else over passed requests."""
    return [
        [
            row.operation, row.category, count(row.n), count(row.failed), with_interval(row, "goodput_per_s"),
            *(with_interval(row, name, fall_back=True) for name in ("mean", "p50", "p90", "p95", "p99", "max")),
        ]
        for row in operations.itertuples()
    ]


def journey_rows(journeys: DataFrame) -> list[list[str]]:
    """Return the rows of JOURNEY_COLUMNS: durations in seconds with their intervals within the window, where the window is long enough for one."""
    seconds = journeys.assign(**{name: journeys[name] / 1000 for name in journeys.columns if name.startswith(("mean", "p50", "p95", "max"))})
    return [
        [row.cell_id, row.journey, *(count(getattr(row, name)) for name in JOURNEY_COUNTS), *(with_interval(row, name) for name in DURATIONS)]
        for row in seconds.itertuples()
    ]


def resource_table(resources: DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of the resources; columns that no component of these cells has are left out."""
    # Only where pods are distinguished is their number more than the constant number of a server's processes.
    shown = [(title, parts) for title, parts in _FURTHER_COLUMNS if resources["instances_started" if title == "pods" else parts[0][0]].notna().any()]
    rows = [
        [
            row.cell_id, row.component, row.status.replace("_", " ") + (f" ({row.source})" if row.source else ""),
            number(row.cpu_cores_mean), number(row.cpu_cores_peak),
            number(row.memory_bytes_mean / _MIB), number(row.memory_bytes_peak / _MIB), number(row.coverage * 100), number(row.restarts),
            *(_ends(getattr(row, column) * factor for column, factor in parts) for _title, parts in shown),
        ]
        for row in resources.itertuples()
    ]
    return [*_RESOURCE_COLUMNS, *(title for title, _parts in shown)], rows


def _ends(values: Iterable[float]) -> str:
    """Return one number, or a range where its ends differ."""
    return " to ".join(dict.fromkeys(number(value) for value in values))


def with_interval(row: Any, name: str, fall_back: bool = False) -> str:
    """Return a number with its mark, and the larger half of its 95 % interval within the window where it has one."""
    value, low, high = (getattr(row, column, math.nan) for column in (name, f"{name}_low", f"{name}_high"))
    text = number(value) if name.endswith("_per_s") else marked(row, name, fall_back)
    return text if math.isnan(low) else f"{text} ± {number(max(high - value, value - low))}"


def marked(row: Any, statistic: str, fall_back: bool = False) -> str:
    """Return a latency with a tilde where it rests on few samples, and a dash where there are too few."""
    value = getattr(row, statistic)
    names: tuple[str, ...] = (statistic,)
    if fall_back and math.isnan(value) and math.isnan(row.mean):
        value, names = getattr(row, f"ok_{statistic}"), (f"ok_{statistic}", statistic)
    return number(value) + (" ~" if not math.isnan(value) and any(name in getattr(row, "low_n", ()) for name in names) else "")
