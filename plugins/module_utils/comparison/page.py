# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""index.html of a comparison and of a history, in the style of the report: one file without external resources, starting with the answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.document import change_text, row_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.metrics import TITLES
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.outputs import (
    CHANGE_COLUMNS,
    TABLE_COLUMNS,
    change_rows,
    comparison_csv,
    comparison_junit,
    comparison_markdown,
    history_csv,
    history_junit,
    history_markdown,
    shown_rows,
    summary_texts,
    table_rows,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.verdicts import FASTER, SAME, SLOWER, UNDECIDED, VERDICTS
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import write_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.answer import MEETS, MISSES, UNJUDGED
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.figures import Figure
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.page import ICONS, template
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.svg import Panel, Plot, Series, described, plot_svg
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.verdict import STATUS_WORDS

_STATES = {SLOWER: MISSES, FASTER: MEETS, SAME: MEETS, UNDECIDED: UNJUDGED}
# Names of so many points fit below a figure; of more there are numbers, and the marks have the names.
_NAMES_MAX = 6
_CIRCLE = 0
_MIB = 2**20
_UNITS = {"bytes": ("MiB", _MIB)}
_FIGURES_MAX = 60
_SPANS = {"regression": "warmup"}


def comparison_html(document: dict[str, Any], files: Sequence[str], templates: Path) -> str:
    """Return the page of a comparison; `templates` is files/report. Raises ReportError when a template is missing."""
    families = [
        (family, [(_STATES[row["verdict"]], texts) for row, texts in zip(rows, table_rows(rows), strict=True)])
        for family in document["counts"] if (rows := [row for row in document["rows"] if row["family"] == family])
    ]  # fmt: skip
    titles = {"compared": "Compared", "accepted": "Accepted: differences that otherwise forbid a comparison", "others": "Every other difference"}
    page: str = template("comparison.html.j2", templates).render(
        document=document, status_word=STATUS_WORDS[document["status"]], texts=summary_texts(document),
        count_columns=("family", *VERDICTS), counts=[[family, *(found[verdict] for verdict in VERDICTS)] for family, found in document["counts"].items()],
        figures=comparison_figures(document), columns=TABLE_COLUMNS, families=families, icons=ICONS,
        tolerance=f"{100 * document['settings']['tolerance']:g}", files=list(files),
        differences=[
            (title, [[row["key"], row["baseline"], row["candidate"]] for row in document[key]]) for key, title in titles.items() if document[key]
        ],
    )  # fmt: skip
    return page


def comparison_figures(document: dict[str, Any]) -> list[Figure]:
    """Return a figure for each ratio of the total: the change at every point with its interval, and the band in which it counts as the same."""
    found = []
    tolerance = 100 * document["settings"]["tolerance"]
    for metric in dict.fromkeys(row["metric"] for row in document["rows"] if row["family"] == "total" and row["scale"] == "ratio"):
        rows = [row for row in document["rows"] if row["family"] == "total" and row["metric"] == metric and row["change"] is not None]
        if rows:
            found.append(_change_figure(rows, tolerance))
    return found


def _change_figure(rows: Sequence[dict[str, Any]], tolerance: float) -> Figure:
    places = [float(place) for place in range(1, len(rows) + 1)]
    values, low, high = ([_percent(row[key]) for row in rows] for key in ("change", "low", "high"))
    notes = [f"{row['point']}: {change_text(row)}, {row['verdict']}" for row in rows]
    series = Series("change", places, values, shape=_CIRCLE, kind="marks", low=low, high=high, notes=notes)
    known = [value for value in (*values, *low, *high, 1.5 * tolerance, -1.5 * tolerance) if not math.isnan(value)]
    lines = [(tolerance, f"+{tolerance:g} %"), (0.0, ""), (-tolerance, f"-{tolerance:g} %")]
    title = f"{TITLES[rows[0]['metric']]} of all requests ({rows[0]['better']} is better)"
    panel = Panel("change in %, candidate against baseline", [series], "%", 210, middle=lines, ends=(1.08 * min(known), 1.08 * max(known)))
    names = {place: row["point"] for place, row in zip(places, rows, strict=True)} if len(rows) <= _NAMES_MAX else {}
    alt = f"{title}. " + "; ".join(f"{row['point']} {change_text(row)}" for row in rows)
    plot = Plot([panel], "point of the matrix", (0.5, len(rows) + 0.5), places, names=names, alt=alt)
    caption = "Bars are 95 % intervals; an interval within the dotted lines counts as the same."
    return Figure(f"change-{rows[0]['metric']}", "", title, caption, [plot_svg(plot)], [])


def _percent(ratio: float | None) -> float:
    return math.nan if ratio is None else 100 * (ratio - 1)


def history_html(document: dict[str, Any], files: Sequence[str], templates: Path) -> str:
    """Return the page of a history; `templates` is files/report. Raises ReportError when a template is missing."""
    fallback = document["fallback"]
    changes = change_rows(document)
    page: str = template("history.html.j2", templates).render(
        document=document, status_word=STATUS_WORDS[document["status"]], changes=changes, change_columns=CHANGE_COLUMNS,
        compared=table_rows(shown_rows(fallback)) if fallback else [], columns=TABLE_COLUMNS, figures=history_figures(document), icons=ICONS, files=list(files),
    )  # fmt: skip
    return page


def history_figures(document: dict[str, Any]) -> list[Figure]:
    """Return a figure for each series of the total and of whatever changed, regressions that decide first; at most 60, history.csv has all."""

    def rank(series: dict[str, Any]) -> int:
        return min((0 if change["decides"] and change["state"] == "regression" else 1 for change in series["changes"]), default=2)

    shown = [series for series in document["series"] if series["family"] == "total" or series["changes"]]
    return [_series_figure(place, series) for place, series in enumerate(sorted(shown, key=rank)[:_FIGURES_MAX], 1)]


def _series_figure(place: int, series: dict[str, Any]) -> Figure:
    unit, divisor = _UNITS.get(series["unit"], (series["unit"], 1))
    runs = [value["run_id"] for value in series["values"]]
    line = Series("value", [float(at) for at in range(1, len(runs) + 1)], [value["value"] / divisor for value in series["values"]], shape=_CIRCLE, notes=runs)
    at = [runs.index(change["run_id"]) + 1 for change in series["changes"]]
    spans = [
        (start - 0.5, end - 0.5, _SPANS.get(change["state"], "interval"), f"{_percent(change['after'] / change['before']):+.1f} %, {change['state']}")
        for start, end, change in zip(at, [*at[1:], len(runs) + 1], series["changes"], strict=False)
    ]  # fmt: skip
    title = f"{row_text(series)} at {series['point']}"
    panel = Panel(f"{unit} ({series['better']} is better)", [line], unit, 170)
    plot = Plot([panel], "run, the oldest first", (0.5, len(runs) + 0.5), spans=spans, alt=f"{title}. {described([line], unit)}")
    return Figure(f"series-{place}", "", title, series["note"], [plot_svg(plot)], [])


def write_comparison(output: Path, document: dict[str, Any], schema_dir: Path | str, templates: Path) -> list[str]:
    """Write comparison.json, its tables, test cases and page, and return their names. Raises FileWriteError and ReportError."""
    return _write(output, "comparison", document, (comparison_csv, comparison_markdown, comparison_junit), comparison_html, schema_dir, templates)


def write_history(output: Path, document: dict[str, Any], schema_dir: Path | str, templates: Path) -> list[str]:
    """Write history.json, its tables, test cases and page, and return their names. Raises FileWriteError and ReportError."""
    return _write(output, "history", document, (history_csv, history_markdown, history_junit), history_html, schema_dir, templates)


def _write(
    output: Path, kind: str, document: dict[str, Any], writers: Sequence[Callable[[dict[str, Any]], str]],
    page: Callable[[dict[str, Any], Sequence[str], Path], str], schema_dir: Path | str, templates: Path,
) -> list[str]:  # fmt: skip
    files = [f"{kind}.csv", f"{kind}.md", "junit.xml"]
    texts = [writer(document) for writer in writers]
    html = page(document, [f"{kind}.json", *files], templates)
    write_record(output / f"{kind}.json", document, kind, schema_dir)
    for name, text in zip([*files, "index.html"], [*texts, html], strict=True):
        write_text(output / name, text)
    return [f"{kind}.json", *files, "index.html"]
