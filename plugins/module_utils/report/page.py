# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""index.html: one file without external resources, starting with the answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import capacity, overview, points
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.answer import (
    MEETS,
    MISSES,
    NOT_RUN,
    STATES,
    UNJUDGED,
    PointState,
    answers,
    cell_states,
    point_states,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.cell_part import cell_anchors, cell_parts
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.figures import Figure, latency_figure, page_figures
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.findings import key_findings
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import MISSING, ReportError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import FAIRNESS, Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import flat, number, time_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.verdict import STATUS_WORDS, Verdict
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import (
    VALID_STATUSES,
    bucketed,
    goodput_text,
    group_letters,
    outcomes_text,
    source_labels,
)

try:
    import jinja2
except ImportError:
    jinja2 = None  # type: ignore[assignment]

TEMPLATES = ("index.html.j2", "macros.html.j2", "page.css", "page.js", "runs.html.j2", "comparison.html.j2", "history.html.j2")
SECTIONS = ("Throughput", "Response times", "Components", "Tenants")
_OVERVIEW = "Overview"
# A map of more columns has marks without words, of still more without values, which its cells' titles then have.
_COLUMNS_WIDE, _COLUMNS_DENSE = 7, 12
ICONS = {"meets": "✓", "misses": "✗", "invalid": "!", "not_run": "○", "unjudged": "?"}
_OBJECTIVE_STATES = {"met": MEETS, "missed": MISSES, "unknown": UNJUDGED}
_FAIRNESS_COLUMNS = ("cell", "tenants", "Jain's index of P95", "Jain's index of completed", "P95 of the median tenant, ms", "worst to median tenant")


def page_html(model: Model, verdict: Verdict, files: list[str], templates: Path, output: Path, has_parts: bool = True) -> str:
    """Return the page; `files` are the names that lie beside the page in `output`.

    `templates` is the directory with TEMPLATES (files/report). Without `has_parts` nothing but the records is read. Raises ReportError when a template is
    missing.
    """
    resource_columns, resources = overview.resource_table(model.resources)
    measured, states, labels = points.points_of(model), point_states(model), source_labels(model)
    anchors, by_cell, letters = cell_anchors(model), cell_states(model), group_letters(model)
    attempted = {key for key, state in by_cell.items() if state != NOT_RUN} if has_parts else set()
    found = answers(model, states)
    page: str = template("index.html.j2", templates).render(
        verdict=verdict, title=" ".join(answer.sentence for answer in found), status_words=STATUS_WORDS,
        answers=[{"letter": letters[answer.group], "sentence": answer.sentence} for answer in found], progress=progress_text(model),
        maps=_maps(model, states, {key: anchors[key] for key in attempted}), states=_states_shown(states), states_of=STATES, icons=ICONS,
        latency=latency_figure(model), noise=points.noise_sentence(model, measured), sources=_sources(model),
        searches=capacity.capacity_sections(model), capacity_resources=capacity.RESOURCE_COLUMNS, capacity_probes=capacity.PROBE_COLUMNS,
        objectives=[{**row, "state": _OBJECTIVE_STATES[row["status"]]} for row in verdict.objective_summary()],
        runs=[_run(model, run) for run in model.runs],
        findings=key_findings(model), warnings=model.warnings, point_columns=points.POINT_COLUMNS, points=points.point_rows(measured),
        cell_columns=overview.CELL_COLUMNS, cells=_cells(model, by_cell, labels, {key: anchors[key] for key in attempted}),
        operation_columns=(["source"] if len(labels) > 1 else []) + ["cell", *overview.OPERATION_COLUMNS], operations=_operations(model, labels),
        outcomes=outcomes_text(model), goodput=goodput_text(model),
        **_sections(page_figures(model), {"Components": _table("Sums over the instances of a component, over the window", resource_columns, resources),
                                          "Tenants": _fairness(model)}),
        parts=cell_parts(model, output) if has_parts else [], files=files, written=time_text(time.time()),
    )  # fmt: skip
    return page


def template(name: str, templates: Path) -> jinja2.Template:
    """Return a template of the report. Raises ReportError where a file of TEMPLATES is missing."""
    missing = [needed for needed in TEMPLATES if not (templates / needed).is_file()]
    if missing:
        raise ReportError(f"Template {templates / missing[0]}: file not found. Set template_directory to files/report of the collection.")
    loader = jinja2.FileSystemLoader(templates)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["number"] = number
    return environment.get_template(name)


def progress_text(model: Model) -> str:
    """Return how far runs that have no end yet were when the page was written; empty where every run has ended."""
    texts = []
    for run in model.runs:
        if not run.is_evaluated or run.document.get("ended") or run.document.get("abort_reason") or not run.document.get("plan", {}).get("cells"):
            continue
        planned = run.document["plan"]["cells"]
        verdicts = dict(zip(*(model.cells[model.cells["run_id"] == run.run_id][name] for name in ("cell_id", "verdict")), strict=True))
        left = [cell["id"] for cell in planned if verdicts.get(cell["id"]) == MISSING]
        following = f"; next or running is {left[0]}" if left else ""
        done = f"{len(planned) - len(left)} of {len(planned)} cells are measured{following}"
        texts.append(f"Run {run.run_id} is not over: {done}.")
    return " ".join(texts)


def _maps(model: Model, states: Sequence[PointState], anchors: dict[tuple[str, str], str]) -> list[dict[str, Any]]:
    """Return a map of the matrix for each combination of factors: rows of tenants, columns of loads, None where nothing was planned."""
    known = {(point.group, point.tenants, point.load): point for point in states}
    p95 = {(point.group, point.tenants, point.load): point.reported("p95") for point in points.points_of(model, metrics=("p95",))}
    invalid = bucketed(model.cells[~model.cells["verdict"].isin(VALID_STATUSES)], ("group", "tenants", "load"), ("p95",))
    maps = []
    for group, letter in group_letters(model).items():
        mine = [point for point in states if point.group == group]
        loads, rows = sorted({point.load for point in mine}), []
        for tenants in sorted({point.tenants for point in mine}):
            cells = []
            for load in loads:
                point = known.get((group, tenants, load))
                value = p95.get((group, tenants, load), invalid.get((group, tenants, load), [(None,)])[0][0])
                cells.append(point and {
                    "state": point.state, "word": STATES[point.state] + (f", {point.note}" if point.note else ""), "value": number(value),
                    "evidence": point.evidence or f"P95 {number(value)} ms", "anchor": next((anchors[key] for key in point.cells if key in anchors), ""),
                })  # fmt: skip
            rows.append({"tenants": tenants, "points": cells})
        texts = [load.text if len(loads) <= _COLUMNS_WIDE else load.text.partition(" ")[0] for load in loads]
        density = "" if len(loads) <= _COLUMNS_WIDE else "dense" if len(loads) <= _COLUMNS_DENSE else "dense dots"
        maps.append({"letter": letter, "group": group, "loads": texts, "rows": rows, "density": density})
    return maps


def _states_shown(states: Sequence[PointState]) -> list[tuple[str, str]]:
    """Return the four states, and that of points without a judgement only where there are such."""
    return [(state, word) for state, word in STATES.items() if state != UNJUDGED or any(point.state == UNJUDGED for point in states)]


def _sources(model: Model) -> list[dict[str, Any]]:
    """Return the sources with their labels and the factors in which they differ; none where there is only one."""
    pairs = list(zip(model.cells["group"], model.cells["run_id"], strict=True))
    labels = source_labels(model)
    return [{"label": label, "group": pair[0], "run_id": pair[1], "cells": pairs.count(pair)} for pair, label in labels.items() if len(labels) > 1]


def _cells(
    model: Model, states: dict[tuple[str, str], str], labels: dict[tuple[str, str], str], anchors: dict[tuple[str, str], str]
) -> list[dict[str, Any]]:
    found = []
    for row in overview.cell_rows(model):
        key = (row["run_id"], row["cell_id"])
        state = states[key]
        found.append({**row, "state": state, "state_word": STATES[state], "source": labels[row["group"], row["run_id"]], "anchor": anchors.get(key, "")})
    return found


def _run(model: Model, run: Any) -> dict[str, Any]:
    document = run.document
    return {
        "id": run.run_id,
        "path": run.path,
        "status": document.get("status", "unknown") if run.is_evaluated else "results of the legacy suite",
        "started": time_text(document.get("started")),
        "ended": time_text(document.get("ended")),
        "what": "; ".join(overview.target_texts(model, run)),
        "start": overview.start_text(model, run.run_id),
        "facts": [
            (title, flat(document.get(key) or {})) for title, key in (("Fingerprint", "fingerprint"), ("Configuration", "config")) if document.get(key)
        ],
        "settings": flat(document.get("plan", {}).get("settings", {})),
    }


def _operations(model: Model, labels: dict[tuple[str, str], str]) -> list[list[str]]:
    """Return the operations of every cell that was measured, with the cell and, where there are several sources, the source."""
    measured = model.operations[model.operations["n"].notna()]
    named = zip(measured["group"], measured["run_id"], measured["cell_id"], overview.operation_rows(measured), strict=True)
    return [([labels[group, run_id]] if len(labels) > 1 else []) + [cell_id, *row] for group, run_id, cell_id, row in named]


def _table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any] | None:
    return {"caption": caption, "columns": columns, "rows": rows} if rows else None


def _fairness(model: Model) -> dict[str, Any] | None:
    """Return how even the tenants of each cell are."""
    cells = model.cells[model.cells[list(FAIRNESS.values())].notna().any(axis=1) & (model.cells["tenants"] > 1)]
    rows = [[row.cell_id, str(row.tenants), *(number(getattr(row, name)) for name in FAIRNESS.values())] for row in cells.itertuples()]
    return _table("How even the tenants of a cell are: Jain's index is 1 where all are equal", _FAIRNESS_COLUMNS, rows)


def _sections(figures: Sequence[Figure], tables: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    """Return the sections that have a figure or a table, and the figures of the overview."""
    drawn = {title: [figure for figure in figures if figure.section == title] for title in (_OVERVIEW, *SECTIONS)}
    sections = [{"id": title.lower().replace(" ", "-"), "title": title, "figures": drawn[title], "table": tables.get(title)} for title in SECTIONS]
    return {"sections": [section for section in sections if section["figures"] or section["table"]], "overview_figures": drawn[_OVERVIEW]}
