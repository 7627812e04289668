# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""index.html: one file that needs nothing else, starting with the verdict."""

from __future__ import annotations

import base64
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import overview
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.charts import CHARTS
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.findings import key_findings
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.page_style import CSS
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.page_template import TEMPLATE
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import flat, number, time_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.verdict import Verdict
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import goodput_text, outcomes_text

try:
    import jinja2
except ImportError:
    jinja2 = None


def page_html(model: Model, verdict: Verdict, pictures: dict[str, bytes], files: list[str]) -> str:
    """Returns the page; `pictures` are the charts by name, `files` the names that lie beside the page."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["number"] = number
    resource_columns, resources = overview.resource_table(model.resources)
    return environment.from_string(TEMPLATE).render(
        css=CSS, verdict=verdict, runs=[_run(run) for run in model.runs], findings=key_findings(model), warnings=model.warnings,
        cell_columns=overview.CELL_COLUMNS, cells=overview.cell_rows(model), several_runs=len(model.runs) > 1, grouped=len(model.groups) > 1,
        operation_columns=overview.OPERATION_COLUMNS, operations=_operations(model), outcomes=outcomes_text(model), goodput=goodput_text(model),
        resource_columns=resource_columns, resources=resources, sections=_sections(pictures), files=files,
    )


def _run(run: Any) -> dict[str, Any]:
    document = run.document
    return {
        "id": run.run_id,
        "path": run.path,
        "status": document.get("status", "unknown") if run.judged else "results of the old suite",
        "started": time_text(document.get("started")),
        "ended": time_text(document.get("ended")),
        "facts": [
            (title, flat(document.get(key) or {})) for title, key in (("Fingerprint", "fingerprint"), ("Configuration", "config")) if document.get(key)
        ],
        "settings": flat(document.get("plan", {}).get("settings", {})),
    }


def _operations(model: Model) -> list[dict[str, Any]]:
    """The operations of every cell that was measured."""
    measured = model.operations[model.operations["n"].notna()]
    return [
        {"run_id": run_id, "cell_id": cell_id, "group": rows["group"].iloc[0], "rows": overview.operation_rows(rows)}
        for (run_id, cell_id), rows in measured.groupby(["run_id", "cell_id"], sort=False)
    ]


def _sections(pictures: dict[str, bytes]) -> list[dict[str, Any]]:
    sections: dict[str, list[dict[str, str]]] = {}
    for name, picture in pictures.items():
        chart = CHARTS[name]
        encoded = base64.b64encode(picture).decode("ascii")
        sections.setdefault(chart.section, []).append({"name": name, "shows": chart.shows, "source": f"data:image/png;base64,{encoded}"})
    return [{"title": title, "charts": charts} for title, charts in sections.items()]
