# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""junit.xml: cells and objectives as test cases, for CI servers. A case is red exactly where the exit code of the run says that something is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import search_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.verdict import objective_sentence
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import MISSING, NOT_JUDGED, ReportedRun
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import NONE, flat, is_known, number, time_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import WORDS

try:
    import junitparser
except ImportError:
    junitparser = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from junitparser import TestSuite
    from junitparser.junitparser import FinalResult, TestCase

# Of the whole run, beside the classes that are called after cells.
RUN_CLASS = "run"
_FIGURES = {"n": "requests in the window", "error_ratio": "share of failed requests", "goodput_per_s": "successful/s", "p50": "P50 ms", "p95": "P95 ms"}
_FINGERPRINT = ("mlflow", "database", "k6", "prometheus", "kernel", "cores")
_ON_PURPOSE = "A search probes beyond the limit on purpose, so this decides nothing."


def junit_xml(model: Model) -> str:
    """Return the document: a suite for each run, a case for each cell (class: its id) and each objective of each cell, and what ended the run (class `run`).

    failure: an invalid cell, a missed objective of severity error, a search without an answer; error: a failed cell, an objective of severity error
    without a value, a run that has not ended or ended early; skipped: what was not run or not judged, and what does not decide the exit code: objectives
    of severity warning, and probes of a search. Times are seconds. The format is that of Apache Ant, which junitparser writes.
    """
    suites = []
    for run in model.runs:
        suite = junitparser.TestSuite(run.run_id)
        for name, value in _properties(run):
            suite.add_property(name, value)
        started = time_text(run.document.get("started"))
        if started != NONE:
            suite.timestamp = started.removesuffix(" UTC").replace(" ", "T")
        suite.add_testcases([*_run_cases(run), *_cell_cases(model, run)])
        suites.append(suite)
    return document_text(suites)


def document_text(suites: Iterable[TestSuite]) -> str:
    """Return the document with its suites, of which the cases are counted."""
    document = junitparser.JUnitXml("perfscale.mlflow")
    for suite in suites:
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    text = document.tostring().decode()  # type: ignore[no-untyped-call]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _properties(run: ReportedRun) -> Iterator[tuple[str, str]]:
    fingerprint = {name: value for name, value in (run.document.get("fingerprint") or {}).items() if name in _FINGERPRINT}
    yield "results", run.path
    yield from flat({"preset": (run.document.get("config") or {}).get("preset"), **fingerprint})


def _is_search(run: ReportedRun) -> bool:
    return bool(search_of(run.document.get("plan") or {}))


def _run_cases(run: ReportedRun) -> Iterator[TestCase]:
    if not run.is_evaluated:
        return
    abort_reason, is_complete = run.document.get("abort_reason"), run.document.get("status") == "complete"
    why = f"Run {run.run_id}: ended early: {abort_reason}" if abort_reason else ""
    if not why and not is_complete:
        why = f"Run {run.run_id}: has not ended, or planned cells have no record. Run it again with the same run_id."
    yield create_case(RUN_CLASS, "the run is complete", create_result("Error", why, "incomplete") if why else None)
    if _is_search(run):
        search = run.document.get("search") or {}
        sentence = search.get("sentence", "The search has not ended.")
        result = None if search.get("answered") else create_result("Failure", sentence, "no answer")
        yield create_case(RUN_CLASS, "the search has an answer", result, output=sentence)


def _cell_cases(model: Model, run: ReportedRun) -> Iterator[TestCase]:
    judged: dict[str, list[dict[str, Any]]] = {}
    for row in run.document.get("objectives", []):
        judged.setdefault(row["cell"], []).append(row)
    # Only valid cells are judged; the others have the same cases, so that none disappears from a CI server's history.
    every = list(dict.fromkeys(_objective_name(row) for rows in judged.values() for row in rows))
    is_search = _is_search(run)
    for cell in model.cells[model.cells["run_id"] == run.run_id].to_dict("records"):
        yield create_case(cell["cell_id"], "the measurement is valid", _cell_result(cell, is_search), cell["took_s"], _cell_output(cell))
        rows = judged.get(cell["cell_id"])
        if rows is None:
            why = f"Not judged: the cell is {WORDS[cell['verdict']]}."
            yield from (create_case(cell["cell_id"], name, create_result("Skipped", why, "not judged")) for name in every)
        else:
            yield from (create_case(cell["cell_id"], _objective_name(row), _objective_result(row, is_search), output=_value(row)) for row in rows)


def _cell_result(cell: dict[str, Any], is_search: bool) -> FinalResult | None:
    verdict = cell["verdict"]
    if verdict == "valid":
        return None
    why = " ".join(cell["reasons"]) or f"The cell is {WORDS[verdict]}."
    if verdict in (MISSING, NOT_JUDGED):
        return create_result("Skipped", why, WORDS[verdict])
    if is_search:
        return create_result("Skipped", f"{why} {_ON_PURPOSE}", verdict)
    return create_result("Failure" if verdict == "invalid" else "Error", why, verdict)


def _objective_result(row: dict[str, Any], is_search: bool) -> FinalResult | None:
    if row["status"] == "met":
        return None
    why = objective_sentence(row, number(row["value"]))
    if is_search:
        return create_result("Skipped", f"{why} {_ON_PURPOSE}", row["status"])
    if row["severity"] != "error":
        return create_result("Skipped", f"{why} Its severity is {row['severity']}, so it does not decide the exit code.", row["status"])
    return create_result("Failure" if row["status"] == "missed" else "Error", why, row["status"])


def _objective_name(row: dict[str, Any]) -> str:
    return f"{row['name']}: {row['metric']} {row['limit']}"


def _value(row: dict[str, Any]) -> str:
    return f"{row['metric']} {number(row['value'])}, limit {row['limit']}"


def _cell_output(cell: dict[str, Any]) -> str:
    figures = [f"{title}: {number(float(cell[name]))}" for name, title in _FIGURES.items() if is_known(cell[name])]
    return "\n".join([*figures, *(f"Warning: {warning}" for warning in cell["warnings"])])


def create_case(class_name: str, name: str, result: FinalResult | None = None, seconds: Any = None, output: str = "") -> TestCase:
    case = junitparser.TestCase(name, class_name, max(0.0, round(seconds, 3)) if is_known(seconds) else 0.0)
    if result is not None:
        case.result = [result]
    if output:
        case.system_out = output
    return case


def create_result(kind: str, why: str, type_: str) -> FinalResult:
    """Return a result whose text is its message too: Jenkins shows the message, GitLab the text."""
    result: FinalResult = getattr(junitparser, kind)(why, type_)
    result.text = why
    return result
