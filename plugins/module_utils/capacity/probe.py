# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell's record as a probe of a search: whether it holds the objectives, fails, or says nothing about the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.search import BACKLOG, FAILS, HOLDS, INVALID, Probe
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.verdict import evaluate_objectives

DROPPED_MAX = 0.01
"""Dropped arrivals above this share, for which the server is the reason, mean that it did not carry the load."""


def load_of(record: Mapping[str, Any], axis: str) -> float:
    """Return the load of a cell on the axis of the search."""
    return float(record["spec"][axis])


def probe_of(record: dict[str, Any], axis: str, objectives: Sequence[dict[str, Any]]) -> Probe:
    """Return the probe of a cell's record.

    Invalid is one without a measurement, or whose measurement a validity rule rejects: the rules of the preset `capacity` leave what a server causes under
    too much load to the objectives. A probe that was stopped as hopeless fails. A low one with too few samples for a percentile is judged by its maximum.
    """
    verdict, load = record["verdict"], load_of(record, axis)
    if verdict["status"] != "valid":
        is_leaking = bool((record.get("isolation") or {}).get("leaks"))
        return Probe(record["id"], load, INVALID, " ".join(verdict["reasons"]), is_leaking=is_leaking)
    results = evaluate_objectives([_with_samples(objective, record) for objective in objectives], record)
    missed = {result["name"]: f"{result['metric']} {_number(result['value'])}, limit {result['limit']}" for result in results if result["status"] == "missed"}
    share = (record.get("offered") or {}).get("dropped_share") or 0.0
    if share > DROPPED_MAX:
        missed[BACKLOG] = f"{100 * share:.1f} % of the arrivals found no free virtual user"
    stopped = record.get("stopped_after_s")
    why = "; ".join(missed.values())
    if stopped is not None:
        missed.setdefault(BACKLOG, "")
        why = f"hopeless, and stopped after {stopped:.0f} s of load{f': {why}' if why else ''}"
    journeys = record["journeys"].values()
    started = sum(journey["started"] for journey in journeys)
    return Probe(
        id=record["id"],
        load=load,
        verdict=FAILS if missed else HOLDS,
        why=why,
        values={result["name"]: result["value"] for result in results},
        missed=tuple(missed),
        rate_per_s=record["total"]["rate_per_s"] or 0.0,
        requests=record["total"]["n"] / started if started else 0.0,
        journeys=started,
        unfinished=sum(journey["interrupted"] for journey in journeys) / started if started else 0.0,
        # Only where the load itself is the arrival rate is it known what was offered.
        is_open=axis == "rate",
        is_hopeless=stopped is not None,
    )


def _with_samples(objective: dict[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the objective, about the maximum where there are too few requests for its percentile: what holds for the slowest holds for each."""
    block = record["total"] if objective["select"] == "total" else record["operations"].get(objective["select"])
    percentile = objective["metric"].removesuffix("_ms")
    is_short = block is not None and percentile.startswith("p") and "max" in objective and block["latency_ms"].get(percentile, 0) is None
    return {**objective, "metric": "max_ms"} if is_short else objective


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
