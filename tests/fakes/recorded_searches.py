# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Searches in the directories of runs, whose probes have invented records of a server with a known capacity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.run import take_step
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.settings import search_inputs
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import write_measured
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import Run
from fakes.record_parts import record_parts

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "files" / "schemas"
MATRIX = yaml.safe_load((ROOT / "files" / "matrices" / "capacity.yml").read_text(encoding="utf-8"))
RULES = yaml.safe_load((ROOT / "files" / "validity" / "default.yml").read_text(encoding="utf-8"))["rules"]
OBJECTIVES = yaml.safe_load((ROOT / "files" / "slo" / "capacity.yml").read_text(encoding="utf-8"))["objectives"]
LIMIT = 3.0


def plan_of(**inputs: Any) -> dict[str, Any]:
    """Return the plan of a search."""
    found = search_inputs(inputs, OBJECTIVES)
    return expand(MATRIX, found["overrides"], {"capacity": found["search"]})


PLAN = plan_of()


def measured(run: Run, cell: dict[str, Any], status: str = "valid") -> dict[str, Any]:
    """Record a probe of a server whose P95 crosses two seconds at LIMIT journeys per second."""
    parts = record_parts()
    result = parts["result"]
    p95 = 2000 * (cell["rate"] / LIMIT) ** 4
    started = int(20 * cell["rate"]) + 1
    result["total"] = {**result["total"], "n": 50 * started, "rate_per_s": 50.0 * cell["rate"], "latency_ms": {**result["total"]["latency_ms"], "p95": p95}}
    result["journeys"] = {"browsing": {"started": started, "completed": started, "interrupted": 0, "dropped": 0, "duration_ms": {"mean": 1.0}}}
    if status == "invalid":
        parts["exit"]["exit_code"] = 107
    directory = run.cell_directory(cell["id"]) / "attempts" / "1"
    directory.mkdir(parents=True)
    (directory / "samples.csv.gz").write_text("samples", encoding="utf-8")
    return write_measured(run, cell, {"workers": 1, "db_backend": "sqlite"}, parts, {"n": 1, "started": 990.0}, RULES, OBJECTIVES)


def search(run: Run, most: int = 30) -> dict[str, Any]:
    """Run the search to its end and return its last step."""
    for _number in range(most):
        step = take_step(run.directory, SCHEMAS)
        if step["ended"]:
            return step
        measured(run, step["cell"])
    raise AssertionError("The search does not end.")
