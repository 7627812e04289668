# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""summary.md: the verdict, the objectives and the cells, for terminals, pull requests and CI pages. Texts are shown, never rendered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import markdown, markdown_code
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.capacity import RESOURCE_COLUMNS, capacity_sections
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.findings import key_findings
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.overview import CELL_COLUMNS, cell_rows, start_text, target_texts
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.points import POINT_COLUMNS, noise_sentence, point_rows, points_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import NONE, number, time_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.verdict import Verdict

STEP_SUMMARY_BYTES = 1024**2
_CUT = b"\n\nThe summary is too long to be shown here; summary.md of the report has all of it.\n"
_NOTES = (
    "Latencies are milliseconds over all outcomes, pooled over all requests of the cell. ± is the larger half of the 95 % interval within the window; "
    "without it the window is too short for one. "
    "`~` rests on few samples, `–` means no value (the reason is in `report_missing.csv`)."
)


def summary_markdown(model: Model, verdict: Verdict, files: Sequence[str]) -> str:
    """Return the summary as Markdown."""
    lines = [f"# {markdown(verdict.summary)}", ""]
    lines += [markdown(verdict.answer), ""] if verdict.answer != verdict.summary else []
    for run in model.runs:
        started = f", started {time_text(run.document['started'])}" if run.document.get("started") else ""
        status = markdown(str(run.document.get("status", "unknown"))) if run.is_evaluated else "results of the legacy suite"
        lines.append(f"- Run {markdown_code(run.run_id)}: {status}{started}")
        lines += [f"  - Measured: {markdown(target)}" for target in target_texts(model, run)]
        lines += [f"  - {markdown(start)}" for start in filter(None, [start_text(model, run.run_id)])]
    for search in capacity_sections(model):
        lines += ["", "## Search for the capacity", "", *(f"- {key}: {markdown(value)}" for key, value in search["facts"])]
        if search["resources"]:
            rows = [[markdown(value) for value in row] for row in search["resources"]]
            lines += ["", f"Likely cause: {markdown(search['cause'])}.", "", *table(RESOURCE_COLUMNS, rows)]
    points = points_of(model)
    noise = noise_sentence(model, points)
    lines += ["", markdown(noise)] if noise else []
    lines += _list("Why", map(markdown, verdict.reasons)) + _objectives(verdict) + _list("Key findings", map(markdown, key_findings(model)))
    rows = [[markdown(value) for value in row] for row in point_rows(points)]
    lines += ["", "## Points and their repeats", "", *table(POINT_COLUMNS, rows)] if rows else []
    lines += ["", "## Cells", "", *_cells(model), "", _NOTES]
    notes = [f"{markdown_code(row['cell_id'])}: {markdown(text)}" for row in cell_rows(model) for text in row["warnings"]]
    lines += _list("Warnings", [*notes, *map(markdown, model.warnings)]) + _list("Files", [f"[{markdown(name)}]({quote(name)})" for name in files])
    return "\n".join(lines) + "\n"


def append_step_summary(path: Path, summary: str) -> list[str]:
    """Append a summary to the file that a CI server shows beside a job, as GitHub does with GITHUB_STEP_SUMMARY; return warnings.

    A file that cannot be written is one: the report is elsewhere too. GitHub shows nothing of a file of more than 1 MiB
    (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands), so the summary is cut at the end of a line.
    """
    try:
        room = STEP_SUMMARY_BYTES - (path.stat().st_size if path.exists() else 0)
        data = summary.encode()
        if len(data) > room:
            data = data[: max(0, room - len(_CUT))].rpartition(b"\n")[0] + _CUT
        with path.open("ab") as stream:
            stream.write(data)
    except OSError as error:
        return [f"Step summary {path}: cannot be written ({error.strerror}). Unset report_step_summary_file, or name a file in a directory that exists."]
    return []


def _objectives(verdict: Verdict) -> list[str]:
    if not verdict.objectives:
        return []
    rows = [
        [
            markdown(row["name"]), row["status"], f"{row['met']} of {row['count']}", number(row["value"]), markdown_code(row["cell"]),
            markdown(row["limit"]), markdown(row["metric"]), markdown(row["severity"]),
        ]
        for row in verdict.objective_summary()
    ]
    return ["", "## Objectives", "", *table(("objective", "status", "met in cells", "worst", "in cell", "limit", "metric", "severity"), rows)]


def _cells(model: Model) -> list[str]:
    rows = cell_rows(model)
    header: list[str] = list(CELL_COLUMNS)
    grouped, several = any(row["group"] for row in rows), len(model.runs) > 1
    header = (["run"] if several else []) + (["factors"] if grouped else []) + header
    texts = [([row["run_id"]] if several else []) + ([row["group"]] if grouped else []) + row["values"] for row in rows]
    return table(header, [[markdown(str(value)) for value in row] for row in texts])


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table of cells that are Markdown; numbers are aligned to the right by their first row."""
    texts = list(rows)
    ruler = ["---:" if texts and (texts[0][i][:1].isdigit() or texts[0][i] == NONE) else "---" for i in range(len(header))]
    return [f"| {' | '.join(line)} |" for line in [list(header), ruler, *texts]]


def _list(title: str, items: Iterable[str]) -> list[str]:
    lines = [f"- {item}" for item in items]
    return ["", f"## {title}", "", *lines] if lines else []
