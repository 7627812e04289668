# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inputs of a report: the records of runs and of legacy result folders, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

VERDICT_FILE = "verdict.json"
MISSING = "missing"
NOT_JUDGED = "not_judged"


class ReportError(Exception):
    """The report cannot be created; the message is one sentence with cause and remedy."""


@dataclass
class Cell:
    """One cell: where it was found, and its record in the shape of cell.json."""

    run_id: str
    record: dict[str, Any]
    path: str
    tenants: list[dict[str, str]] = field(default_factory=list)
    """The rows of tenants.csv."""


@dataclass
class ReportedRun:
    """One run: its run.json, or its substitute for a folder of the legacy suite.

    `is_evaluated` is false for the legacy suite, which has no verdicts.
    """

    run_id: str
    path: str
    document: dict[str, Any]
    is_evaluated: bool = True
    points: list[dict[str, Any]] = field(default_factory=list)
    """Of points.json: the pooled percentiles of the points whose cells are those that were read."""
    capacity: dict[str, Any] | None = None
    """capacity.json of a run that is a search, as far as it can be read."""


@dataclass
class ReportInputs:
    """Everything that was read from the sources."""

    runs: list[ReportedRun] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def unique_run_id(self, name: str) -> str:
        """Return the name, numbered when another source has it already: two result folders may have the same name."""
        taken = {run.run_id for run in self.runs}
        return next(candidate for candidate in (name, *(f"{name} ({n})" for n in range(2, len(taken) + 3))) if candidate not in taken)


def missing_record(planned: dict[str, Any], status: str, reason: str, factors: dict[str, Any]) -> dict[str, Any]:
    """Return a record for a planned cell of which nothing can be read; `planned` is its entry in run.json's plan."""
    return {
        "id": planned["id"],
        "spec": {**planned, "factors": {**factors, "profile": planned.get("profile")}},
        "window": None,
        "verdict": {"status": status, "reasons": [reason], "warnings": []},
    }
