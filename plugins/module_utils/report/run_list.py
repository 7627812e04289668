# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""index.html of a results directory: the runs in it, the newest first, each with its verdict, its answer and a link to its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, read_json, write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import printable, printable_parts
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import VERDICT_FILE
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.page import template
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import time_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.verdict import STATUS_WORDS

NAME = "index.html"
# What tells a list of ours from a page that somebody else put there.
_MARK = '<meta name="generator" content="perfscale.mlflow list of runs">'
_FIRST_BYTES = 2000
_NO_REPORT = "no report yet"


def write_run_list(report: Path, templates: Path) -> str:
    """Write the list of the runs beside the run whose report is in `report`; return why it was not written as a sentence, or an empty text.

    A report that is not inside a run has no results directory, and gets no list. Raises ReportError without a template.
    """
    run = report.resolve().parent
    if not (run / "run.json").is_file():
        return ""
    path = run.parent / NAME
    if not _is_ours(path):
        return f"File {path}: is in the way of the list of runs, and stays. Move it away."
    try:
        write_text(path, template("runs.html.j2", templates).render(mark=_MARK, runs=_runs(run.parent, report.name), status_words=STATUS_WORDS))
    except FileWriteError as error:
        return f"List of runs: not written. {error}"
    return ""


def _is_ours(path: Path) -> bool:
    """Return whether a file is absent or a list that was written here."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return _MARK in stream.read(_FIRST_BYTES)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _runs(results: Path, report_name: str) -> list[dict[str, Any]]:
    found = [_row(child, report_name) for child in results.iterdir() if not child.is_symlink() and (child / "run.json").is_file()]
    return sorted(found, key=lambda row: (row["stamp"], row["name"]), reverse=True)


def _row(run: Path, report_name: str) -> dict[str, Any]:
    """Return one row; of a run or a report that cannot be read the name alone."""
    document, verdict = _document(run / "run.json"), _document(run / report_name / VERDICT_FILE)
    plan = _part(document, "plan")
    settings = _part(plan, "settings")
    factors = _part(_part(settings, "context"), "factors")
    started = document.get("started")
    stamp = float(started) if isinstance(started, (int, float)) and 0 <= started < 1e11 else 0.0
    cells = plan.get("cells")
    parts = [plan.get("name"), factors.get("db_backend"), f"{len(cells)} cells" if isinstance(cells, list) else None]
    page = run / report_name / NAME
    status, answer = verdict.get("status"), verdict.get("answer")
    return {
        "name": printable(run.name),
        "stamp": stamp,
        "started": time_text(stamp),
        "what": ", ".join(str(part) for part in parts if part),
        "status": status if isinstance(status, str) and status in STATUS_WORDS else "",
        "answer": answer if isinstance(answer, str) and answer else _NO_REPORT,
        "link": quote(f"{run.name}/{report_name}/{NAME}") if page.is_file() else "",
    }


def _document(path: Path) -> dict[str, Any]:
    try:
        document = printable_parts(read_json(path))
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _part(document: dict[str, Any], name: str) -> dict[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}
