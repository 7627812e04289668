# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a run for where its files are not: what AWX stores of a job, and hands to the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import Run, outcome_of


def of_run(directory: Path | str, schema_dir: Path | str) -> dict[str, Any]:
    """Return {run_id, verdict, cells_valid, cells_planned, goodput_per_s_max, p95_ms_at_max, error_ratio_max} of a run.

    The best cell is the valid one with the highest goodput (successful requests per second), and p95_ms_at_max is its 95th percentile over all
    outcomes; error_ratio_max is the highest share of failed requests of any valid cell. None without a valid cell. Raises ValueError without
    a record of the run.
    """
    run = Run(directory, schema_dir)
    document = run.load()
    outcome = outcome_of(document)
    totals = [
        read_json(run.cell_directory(cell["id"]) / "cell.json")["total"] for cell in document["cells"] if cell["verdict"]["status"] == "valid"
    ]
    best = max(totals, key=lambda total: total["goodput_per_s"] or 0.0, default=None)
    return {
        "run_id": document["run_id"],
        "verdict": verdict_of(document, outcome),
        "cells_valid": outcome["counts"]["valid"],
        "cells_planned": outcome["counts"]["planned"],
        "goodput_per_s_max": best["goodput_per_s"] if best else None,
        "p95_ms_at_max": best["latency_ms"]["p95"] if best else None,
        "error_ratio_max": max((total["failed"] / total["n"] for total in totals if total["n"]), default=None),
    }


def verdict_of(document: dict[str, Any], outcome: dict[str, Any]) -> str:
    """Return one word: incomplete (cells have no record), failed (a cell has no measurement), invalid (a cell is invalid or an objective is missed), valid."""
    counts = outcome["counts"]
    if document["status"] != "complete" or counts["missing"]:
        return "incomplete"
    if counts["failed"]:
        return "failed"
    return "valid" if outcome["ok"] else "invalid"
