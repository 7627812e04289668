# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The overall verdict of a report: is every planned cell valid, and is every objective met?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import search_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.verdict import objective_sentence
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.answer import answer_text, answers, point_states
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import MISSING, NOT_JUDGED
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import number
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import WORDS

STATUS_WORDS = {
    "passed": "Passed",
    "failed": "Failed",
    "incomplete": "Incomplete",
    NOT_JUDGED: "Not judged",
}


@dataclass
class Verdict:
    """status: passed, failed, incomplete or not_judged; counts of cells by status; objectives as in run.json with their run_id."""

    status: str
    cells: dict[str, int]
    objectives: list[dict[str, Any]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """What searches for the capacity found, a sentence each."""
    answer: str = ""
    """Up to which load the objectives are kept, a sentence for each combination of factors."""

    @property
    def summary(self) -> str:
        """One sentence, the first of every report."""
        if self.answers:
            return " ".join(self.answers)
        return f"{STATUS_WORDS[self.status]}: {self.counts}"

    @property
    def counts(self) -> str:
        """How many cells are valid and how many objectives are met; what was not judged counts as neither."""
        unjudged = self.cells.get(NOT_JUDGED, 0)
        total = sum(self.cells.values()) - unjudged
        if not total:
            return f"{unjudged} cells of the legacy suite, which has no verdicts."
        parts = [f"{self.cells['valid']} of {total} cells are valid"]
        if self.objectives:
            met = sum(objective["status"] == "met" for objective in self.objectives)
            parts.append(f"{met} of {len(self.objectives)} objectives are met")
        parts += [f"{unjudged} cells of the legacy suite are not judged"] if unjudged else []
        return f"{', '.join(parts)}."

    def objective_summary(self) -> list[dict[str, Any]]:
        """Return one row per objective: {name, metric, limit, severity, met, count, status, value and cell: the worst}.

        The status is missed if any cell missed it, else unknown if any cell has no value, else met.
        """
        groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for row in self.objectives:
            groups.setdefault(tuple(row[key] for key in ("name", "metric", "limit", "severity")), []).append(row)
        return [
            {**dict(zip(("name", "metric", "limit", "severity"), key, strict=True)), **_worst(rows, at_most=key[2].startswith("<"))}
            for key, rows in groups.items()
        ]

    def document(self) -> dict[str, Any]:
        """Return the content of verdict.json."""
        return {"schema_version": 1, "status": self.status, "cells": self.cells, "objectives": self.objectives, "reasons": self.reasons, "answer": self.answer}


def overall_verdict(model: Model) -> Verdict:
    """Summarize the verdicts of run.json and cell.json; evaluates nothing again.

    passed: every planned cell is valid and every objective of severity error is met; failed: one is not; incomplete: a run
    has not ended, ended early, or lacks cells; not_judged: only results of the legacy suite.
    """
    counts = {status: int((model.cells["verdict"] == status).sum()) for status in ("valid", "invalid", "failed", MISSING, NOT_JUDGED)}
    cells = {name: count for name, count in counts.items() if count or name in ("valid", "invalid", "failed")}
    evaluated = [run for run in model.runs if run.is_evaluated]
    # Probes beyond the limit miss the objectives on purpose.
    searches = [run for run in evaluated if search_of(run.document.get("plan") or {})]
    searching = {run.run_id for run in searches}
    objectives = [
        {"run_id": run.run_id, **objective} for run in evaluated if run.run_id not in searching for objective in run.document.get("objectives", [])
    ]
    reasons = [
        f"Cell {cell.cell_id} of run {cell.run_id}: {WORDS[cell.verdict]}. {' '.join(cell.reasons)}"
        for cell in model.cells.itertuples() if cell.verdict in ("invalid", "failed", MISSING) and cell.run_id not in searching
    ]
    ends = {run.run_id: run.document.get("search") or {} for run in searches}
    reasons += [f"Search of run {name}: has no answer. {end.get('sentence', 'It has not ended.')}" for name, end in ends.items() if not end.get("answered")]
    reasons += [
        objective_sentence(row, number(row["value"]))
        for row in objectives if row["status"] != "met" and row["severity"] == "error"
    ]
    early = [f"Run {run.run_id}: ended early: {run.document['abort_reason']}" for run in evaluated if run.document.get("abort_reason")]
    unfinished = [run for run in evaluated if run.document.get("status") != "complete"]
    if not evaluated:
        status = NOT_JUDGED
    elif early or unfinished or counts[MISSING]:
        status = "incomplete"
    else:
        status = "failed" if reasons else "passed"
    found = [end["sentence"] for end in ends.values() if end.get("answered")]
    return Verdict(status, cells, objectives, reasons + early, found, answer_text(model, answers(model, point_states(model))))


def _worst(rows: list[dict[str, Any]], at_most: bool) -> dict[str, Any]:
    statuses = {row["status"] for row in rows}
    known = [row for row in rows if row["value"] is not None]
    worst = (max if at_most else min)(known, key=lambda row: row["value"]) if known else {"value": None, "cell": ""}
    return {
        "met": sum(row["status"] == "met" for row in rows), "count": len(rows), "value": worst["value"], "cell": worst["cell"],
        "status": next(status for status in ("missed", "unknown", "met") if status in statuses),
    }
