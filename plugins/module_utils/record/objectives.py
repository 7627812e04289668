# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service-level objectives (files/slo) held against the records of a run."""

from __future__ import annotations

from typing import Any

METRICS = ("mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms", "error_ratio", "goodput_per_s", "rate_per_s")


def evaluate(objectives: list[dict[str, Any]], cell: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns one result {name, cell, metric, value, limit, status: met|missed|unknown, severity} for each objective.

    `unknown` means that the cell does not hold the number (too few samples); it is not counted as met.
    Raises ValueError with one sentence for an objective that selects nothing this suite measures.
    """
    return [_evaluate_one(objective, cell) for objective in objectives]


def _evaluate_one(objective: dict[str, Any], cell: dict[str, Any]) -> dict[str, Any]:
    value = _value(objective, cell)
    upper = "max" in objective
    limit = objective["max"] if upper else objective["min"]
    is_met = value is not None and (value <= limit if upper else value >= limit)
    return {
        "name": objective["name"],
        "cell": cell["id"],
        "metric": f"{objective['select']}.{objective['metric']}",
        "value": value,
        "limit": f"{'<=' if upper else '>='} {limit:g}",
        "status": "unknown" if value is None else "met" if is_met else "missed",
        "severity": objective.get("severity", "error"),
    }


def _value(objective: dict[str, Any], cell: dict[str, Any]) -> float | None:
    select, metric = objective["select"], objective["metric"]
    blocks = {"total": cell["total"], **cell["operations"]}
    if select in cell["journeys"] and metric in ("mean_ms", "p50_ms", "p95_ms", "max_ms"):
        return cell["journeys"][select]["duration_ms"].get(metric.removesuffix("_ms"))
    if select not in blocks or metric not in METRICS:
        allowed = ", ".join([*blocks, *cell["journeys"]])
        raise ValueError(f"Objective {objective['name']}: {select}.{metric} is not measured. Select one of {allowed} and a metric of {', '.join(METRICS)}.")
    block = blocks[select]
    if metric == "error_ratio":
        return block["failed"] / block["n"] if block["n"] else None
    return block["latency_ms"][metric.removesuffix("_ms")] if metric.endswith("_ms") else block[metric]
