# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""index.html: one file without external resources, starting with the verdict."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import capacity, overview, points
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.charts import chart
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.findings import key_findings
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import flat, number, time_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.verdict import Verdict
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import goodput_text, outcomes_text

try:
    import jinja2
except ImportError:
    jinja2 = None  # type: ignore[assignment]


def page_html(model: Model, verdict: Verdict, pictures: dict[str, bytes], files: list[str], templates: Path) -> str:
    """Return the page; `pictures` are the charts by name, `files` the names that lie beside the page.

    `templates` is the directory with index.html.j2 and page.css (files/report). Raises ReportError when one of them is missing.
    """
    loader = jinja2.FileSystemLoader(templates)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["number"] = number
    resource_columns, resources = overview.resource_table(model.resources)
    measured = points.points_of(model)
    page: str = _template(environment, templates).render(
        verdict=verdict, searches=capacity.capacity_sections(model), capacity_resources=capacity.RESOURCE_COLUMNS, capacity_probes=capacity.PROBE_COLUMNS,
        runs=[{**_run(run), "start": overview.start_text(model, run.run_id)} for run in model.runs],
        findings=key_findings(model), warnings=model.warnings,
        noise=points.noise_sentence(model, measured), point_columns=points.POINT_COLUMNS, points=points.point_rows(measured),
        cell_columns=overview.CELL_COLUMNS, cells=overview.cell_rows(model), several_runs=len(model.runs) > 1, grouped=len(model.groups) > 1,
        operation_columns=overview.OPERATION_COLUMNS, operations=_operations(model), outcomes=outcomes_text(model), goodput=goodput_text(model),
        journey_columns=overview.JOURNEY_COLUMNS, journeys=overview.journey_rows(model.journeys),
        resource_columns=resource_columns, resources=resources, sections=_sections(pictures), files=files,
    )
    return page


def _template(environment: jinja2.Environment, templates: Path) -> jinja2.Template:
    missing = [name for name in ("index.html.j2", "page.css") if not (templates / name).is_file()]
    if missing:
        raise ReportError(f"Template {templates / missing[0]}: file not found. Set template_directory to files/report of the collection.")
    return environment.get_template("index.html.j2")


def _run(run: Any) -> dict[str, Any]:
    document = run.document
    return {
        "id": run.run_id,
        "path": run.path,
        "status": document.get("status", "unknown") if run.is_evaluated else "results of the legacy suite",
        "started": time_text(document.get("started")),
        "ended": time_text(document.get("ended")),
        "facts": [
            (title, flat(document.get(key) or {})) for title, key in (("Fingerprint", "fingerprint"), ("Configuration", "config")) if document.get(key)
        ],
        "settings": flat(document.get("plan", {}).get("settings", {})),
    }


def _operations(model: Model) -> list[dict[str, Any]]:
    """Return the operations of every cell that was measured."""
    measured = model.operations[model.operations["n"].notna()]
    return [
        {"run_id": run_id, "cell_id": cell_id, "group": rows["group"].iloc[0], "rows": overview.operation_rows(rows)}
        for (run_id, cell_id), rows in measured.groupby(["run_id", "cell_id"], sort=False)
    ]


def _sections(pictures: dict[str, bytes]) -> list[dict[str, Any]]:
    sections: dict[str, list[dict[str, str]]] = {}
    for name, picture in pictures.items():
        drawn = chart(name)
        encoded = base64.b64encode(picture).decode("ascii")
        sections.setdefault(drawn.section, []).append({"name": name, "shows": drawn.shows, "source": f"data:image/png;base64,{encoded}"})
    return [{"title": title, "charts": charts} for title, charts in sections.items()]
