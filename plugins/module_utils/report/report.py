# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of one or several runs: reads the sources, builds the model, writes the requested formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_bytes, write_json, write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import VERDICT_FILE
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.markdown import append_step_summary, summary_markdown
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model, build_model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.sources import read_sources
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.tables import all_tables, csv_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.verdict import Verdict, overall_verdict

FORMATS = ("csv", "markdown", "junit", "openmetrics", "charts", "html")
JUNIT_NAME = "junit.xml"
OPENMETRICS_NAME = "metrics.prom"


def create_report(
    sources: Sequence[str],
    output_dir: str | Path,
    formats: Sequence[str],
    schema_dir: Path | str,
    template_directory: str | Path = "",
    write: bool = True,
    cell_parts: bool = True,
    step_summary_file: str = "",
) -> dict[str, Any]:
    """Write the report and return {files: names in output_dir, cells: their number, status, summary, answer, warnings}.

    verdict.json is always written; without `write` nothing is, and without `cell_parts` the page has no part for every cell. `schema_dir` is
    files/schemas, `template_directory` holds the templates of the page (files/report). The Markdown summary is appended to `step_summary_file`, if one is
    given. Raises ReportError when nothing usable is found or a template is missing, and FileWriteError when a file of the report cannot be written; every
    file is either complete or unchanged.
    """
    model = build_model(read_sources(sources, schema_dir))
    verdict = overall_verdict(model)
    files = _write(model, verdict, Path(output_dir), formats, Path(template_directory), cell_parts) if write else []
    notes = append_step_summary(Path(step_summary_file), summary_markdown(model, verdict, [])) if write and step_summary_file else []
    texts = {"summary": verdict.summary, "answer": verdict.answer}
    return {"files": files, "cells": len(model.cells), "status": verdict.status, **texts, "warnings": [*model.warnings, *notes]}


def _write(model: Model, verdict: Verdict, output: Path, formats: Sequence[str], templates: Path, cell_parts: bool) -> list[str]:
    write_json(output / VERDICT_FILE, verdict.document())
    files = [VERDICT_FILE]
    if "csv" in formats:
        files += _write_tables(model, output)
    # Each library is loaded only where its format is wanted.
    if "junit" in formats:
        from ansible_collections.perfscale.mlflow.plugins.module_utils.report.junit import junit_xml

        write_text(output / JUNIT_NAME, junit_xml(model))
        files.append(JUNIT_NAME)
    if "openmetrics" in formats:
        from ansible_collections.perfscale.mlflow.plugins.module_utils.report.openmetrics import openmetrics_text

        write_text(output / OPENMETRICS_NAME, openmetrics_text(model, verdict))
        files.append(OPENMETRICS_NAME)
    if "charts" in formats:
        # Loading matplotlib costs more than tables and page, which are rewritten after every cell.
        from ansible_collections.perfscale.mlflow.plugins.module_utils.report.charts import draw_all

        files += _write_pictures(draw_all(model), output)
    files += [name for kind, name in (("markdown", "summary.md"), ("html", "index.html")) if kind in formats]
    if "markdown" in formats:
        write_text(output / "summary.md", summary_markdown(model, verdict, files))
    if "html" in formats:
        from ansible_collections.perfscale.mlflow.plugins.module_utils.report.page import page_html
        from ansible_collections.perfscale.mlflow.plugins.module_utils.report.run_list import write_run_list

        write_text(output / "index.html", page_html(model, verdict, files, templates, output, cell_parts))
        model.warnings.extend(filter(None, [write_run_list(output, templates)]))
    return files


def _write_tables(model: Model, output: Path) -> list[str]:
    tables = all_tables(model)
    for name, table in tables.items():
        write_text(output / name, csv_text(table))
    return list(tables)


def _write_pictures(pictures: dict[str, bytes], output: Path) -> list[str]:
    for name, picture in pictures.items():
        write_bytes(output / f"{name}.png", picture)
    return [f"{name}.png" for name in pictures]
