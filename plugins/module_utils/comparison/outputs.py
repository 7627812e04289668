# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a comparison and of a history for other programs and for people: CSV, Markdown and JUnit XML."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import csv_cell, markdown, markdown_code
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.document import DEFAULT_TOLERANCE, change_size, change_text, row_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.metrics import TITLES
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.verdicts import FASTER, SAME, SEVERITIES, SLOWER, UNDECIDED
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.junit import create_case, create_result, document_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.markdown import table
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import NONE, number

if TYPE_CHECKING:
    from junitparser.junitparser import FinalResult, TestCase

try:
    import junitparser
except ImportError:
    junitparser = None  # type: ignore[assignment]

COLUMNS = (
    "point", "family", "of", "metric", "unit", "better", "scale", "severity", "baseline", "baseline_repeats", "candidate", "candidate_repeats", "change",
    "low", "high", "p", "verdict", "repeats_needed", "is_regression", "reason",
)  # fmt: skip
TABLE_COLUMNS = ("point", "number", "baseline", "candidate", "change (95 %)", "verdict", "would decide")
_SIDES = ("baseline", "candidate")
_SERIES_COLUMNS = ("point", "family", "of", "metric", "run_id", "started", "value")
_ORDER = (SLOWER, FASTER, UNDECIDED, SAME)
CHANGES_MAX = 20
# A pull request shows the numbers of all requests and whatever changed.
_SHOWN_FAMILY = "total"


OPTIONS = {
    "results_directory": {"type": "path", "required": True},
    "metrics": {"type": "dict", "required": True},
    "tolerance": {"type": "float", "default": DEFAULT_TOLERANCE},
    "severity": {"type": "str", "choices": list(SEVERITIES), "default": SEVERITIES[0]},
    "schema_directory": {"type": "path", "required": True},
    "template_directory": {"type": "path", "required": True},
}
"""The options that the modules of a comparison and of a history share."""


def missing_library() -> str | None:
    """Return the first library that is missing for a comparison or a history, or None."""
    return next((name for name in ("scipy", "jsonschema", "pandas", "jinja2", "junitparser") if find_spec(name) is None), None)


def comparison_csv(document: dict[str, Any]) -> str:
    """Return every row of a comparison."""
    rows = [
        {**row, **{side: row[side]["mean"] for side in _SIDES}, **{f"{side}_repeats": len(row[side]["values"]) for side in _SIDES}} for row in document["rows"]
    ]
    return _csv(COLUMNS, ([row[name] for name in COLUMNS] for row in rows))


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if value is None else csv_cell(value) for value in row] for row in rows)
    return text.getvalue()


def table_rows(rows: Iterable[dict[str, Any]]) -> list[list[str]]:
    """Return the rows as people read them, in TABLE_COLUMNS."""
    return [
        [row["point"], row_text(row), *(_value(row, row[side]["mean"]) for side in _SIDES), change_text(row), row["verdict"], _decides(row)] for row in rows
    ]


def _value(row: dict[str, Any], value: float | None) -> str:
    if value is None:
        return NONE
    if row["metric"] == "error_ratio":
        return f"{number(100 * value)} %"
    return f"{number(value / 2**20)} MiB" if row["unit"] == "bytes" else f"{number(value)} {row['unit']}"


def _decides(row: dict[str, Any]) -> str:
    """Return how many repeats of each side would decide."""
    if row["verdict"] != UNDECIDED:
        return NONE
    needed = row["repeats_needed"]
    return row["reason"] if row["reason"] else f"{needed} repeats" if needed else "more than 100 repeats"


def comparison_markdown(document: dict[str, Any]) -> str:
    """Return the comparison for a pull request: the answer, the numbers of all requests and every change; the other numbers are counted."""
    status = "Passed" if document["status"] == "passed" else "Failed"
    lines = [f"# {status}: {markdown(document['sentence'])}", ""]
    lines += [f"- {side}: {', '.join(map(markdown_code, document[side]['runs']))}, {document[side]['cells']} valid cells" for side in _SIDES]
    lines += [f"- {markdown(text)}" for text in summary_texts(document)]
    lines += _shown_table(document)
    counts = [[family, *(str(found[verdict]) for verdict in _ORDER)] for family, found in document["counts"].items()]
    lines += ["", "## All numbers", "", *table(("family", *_ORDER), counts)]
    for title, key in (("Compared", "compared"), ("Accepted differences", "accepted"), ("Other differences", "others")):
        found = [[markdown(row[name]) for name in ("key", *_SIDES)] for row in document[key]]
        lines += ["", f"## {title}", "", *table(("key", *_SIDES), found)] if found else []
    lines += ["", "## Notes", "", *(f"- {markdown(text)}" for text in document["warnings"])] if document["warnings"] else []
    return "\n".join(lines) + "\n"


def shown_rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the numbers of all requests, and the largest changes of others, at most CHANGES_MAX."""
    changed = [row for row in document["rows"] if row["family"] != _SHOWN_FAMILY and row["verdict"] in (SLOWER, FASTER)]
    return [*(row for row in document["rows"] if row["family"] == _SHOWN_FAMILY), *sorted(changed, key=change_size, reverse=True)[:CHANGES_MAX]]


def _shown_table(document: dict[str, Any]) -> list[str]:
    rows = [[markdown(text) for text in row] for row in table_rows(shown_rows(document))]
    changed = sum(row["family"] != _SHOWN_FAMILY and row["verdict"] in (SLOWER, FASTER) for row in document["rows"])
    more = ["", f"The {CHANGES_MAX} largest of {changed} changes beside those of all requests; comparison.csv has every number."]
    return ["", *table(TABLE_COLUMNS, rows), *(more if changed > CHANGES_MAX else [])]


def summary_texts(document: dict[str, Any]) -> list[str]:
    """Return the changes of all requests over all points, where they are tested, and the power of this comparison."""
    changes = [f"{TITLES[row['metric']]} {change_text({**row, 'scale': 'ratio'})}" for row in document["overall"]]
    found = ", ".join(f"{100 * row['share_found']:.0f} % of those of {row['family']}" for row in document["power"])
    power = [f"Power: if all numbers changed by {100 * document['power'][0]['change']:.0f} %, this comparison would find {found}."] if found else []
    return [f"Over all points: {', '.join(changes)}.", *power] if changes else power


def comparison_junit(document: dict[str, Any]) -> str:
    """Return a suite for each family and a case for each number (class: its point).

    failure: slower, with a severity that decides; skipped: undecided, and slower without deciding.
    """
    suites = []
    for family in document["counts"]:
        suite = junitparser.TestSuite(family)
        suite.add_testcases([_case(row) for row in document["rows"] if row["family"] == family])
        suites.append(suite)
    return document_text(suites)


def _case(row: dict[str, Any]) -> TestCase:
    name = f"{row_text(row)}: {row['metric']}"
    what = f"{row_text(row)} at {row['point']}: {change_text(row)}, {row['verdict']}."
    if row["is_regression"]:
        return create_case(row["point"], name, create_result("Failure", what, SLOWER))
    if row["verdict"] == UNDECIDED:
        return create_case(row["point"], name, create_result("Skipped", f"{what} Would decide: {_decides(row)}.", UNDECIDED))
    if row["verdict"] == SLOWER:
        return create_case(row["point"], name, create_result("Skipped", f"{what} Its severity is {row['severity']}, so it does not decide.", SLOWER))
    return create_case(row["point"], name, output=what)


def history_csv(document: dict[str, Any]) -> str:
    """Return every value of every series of a history."""
    return _csv(
        _SERIES_COLUMNS,
        (
            [series["point"], series["family"], series["of"], series["metric"], value["run_id"], value["started"], value["value"]]
            for series in document["series"] for value in series["values"]
        ),
    )  # fmt: skip


def change_rows(document: dict[str, Any]) -> list[list[str]]:
    """Return the change points of a history as people read them: run, point, number, before, after, change, state."""
    return [
        [
            change["run_id"], series["point"], row_text(series), _value(series, change["before"]), _value(series, change["after"]),
            f"{100 * (change['after'] / change['before'] - 1):+.1f} %", change["state"] + (f": {change['reason']}" if change["reason"] else ""),
        ]
        for series in document["series"] for change in series["changes"]
    ]  # fmt: skip


CHANGE_COLUMNS = ("first run", "point", "number", "before", "after", "change", "state")


def history_markdown(document: dict[str, Any]) -> str:
    """Return the history as Markdown: the answer, the change points, and the comparison that it falls back to."""
    lines = [f"# {'Passed' if document['status'] == 'passed' else 'Failed'}: {markdown(document['sentence'])}", ""]
    lines.append(f"- runs: {', '.join(map(markdown_code, document['runs']))}")
    rows = [[markdown(text) for text in row] for row in change_rows(document)]
    lines += ["", "## Changes", "", *table(CHANGE_COLUMNS, rows)] if rows else []
    if document["fallback"]:
        lines += ["", "## Comparison with the last good run", "", markdown(document["fallback"]["sentence"]), *_shown_table(document["fallback"])]
    lines += ["", "## Notes", "", *(f"- {markdown(text)}" for text in document["warnings"])] if document["warnings"] else []
    return "\n".join(lines) + "\n"


def _series_result(series: dict[str, Any]) -> FinalResult | None:
    opened = [change for change in series["changes"] if change["state"] == "regression" and change["decides"]]
    if opened:
        texts = [(change["run_id"], _value(series, change["before"]), _value(series, change["after"])) for change in opened]
        why = "; ".join(f"changed at run {run_id} from {before} to {after}" for run_id, before, after in texts)
        return create_result("Failure", f"{row_text(series)} at {series['point']}: {why}.", "regression")
    return create_result("Skipped", series["note"], "not enough history") if series["note"] else None


def history_junit(document: dict[str, Any]) -> str:
    """Return a suite with a case for each series (class: its point), and those of the comparison that it falls back to.

    failure: an open regression; skipped: not enough history.
    """
    suite = junitparser.TestSuite("history")
    for series in document["series"]:
        suite.add_testcase(create_case(series["point"], f"{row_text(series)}: {series['metric']}", _series_result(series)))
    fallback = document["fallback"]
    compared = junitparser.TestSuite("comparison with the last good run")
    compared.add_testcases([_case(row) for row in fallback["rows"]] if fallback else [])
    return document_text([suite, compared] if fallback else [suite])
