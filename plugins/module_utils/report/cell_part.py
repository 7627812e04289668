# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the page about one cell: what happened in it over time, how its latencies are distributed, its tenants, its verdict, and its files."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import printable
from ansible_collections.perfscale.mlflow.plugins.module_utils.report import overview
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.answer import STATES, cell_states, miss_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.cell_files import CellFiles, listed_files, log_ends, read_cell_files
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.figures import Figure
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.svg import TICK, Panel, Plot, Series, legend_svg, plot_svg
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import count, number, time_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import ordered_operations, source_labels

if TYPE_CHECKING:
    from pandas import DataFrame

DRAWN_MAX = 48
"""So many cells have figures and tables, those first that miss, are invalid or failed; more would make the page too large to open."""
FAILURE_COLUMNS = ("operation", "cause", "requests")
ROW_COLUMNS = ("table", "before", "after", "added")
SHARD_COLUMNS = ("shard", "node", "state", "requests", "per s", "P50 ms", "P95 ms", "failed", "delay P99 ms", "CPU s", "memory MiB", "start skew s")
ATTEMPT_COLUMNS = ("attempt", "began", "seconds", "outcome", "reason")
_MIB = 1024**2
_ROLES = {"mlflow": "mlflow", "postgresql": "postgresql", "k6_benchmark": "generator"}
_OBJECTIVE_SIGNS = {"met": "meets", "missed": "misses", "unknown": "unjudged"}
_URGENT = ("misses", "invalid")


@dataclass(frozen=True)
class CellPart:
    """Everything about one cell: plain rows of text, and figures as SVG."""

    anchor: str
    title: str
    state: str
    evidence: str
    reasons: list[str]
    warnings: list[str]
    objectives: list[tuple[str, str, str]]
    figures: list[Figure]
    missing: list[str]
    tables: list[tuple[str, Sequence[str], list[list[str]], int]]
    """caption, columns, rows, and how many of the columns are texts."""
    files: list[tuple[str, str]]
    logs: list[tuple[str, str]]


def cell_anchors(model: Model) -> dict[tuple[str, str], str]:
    """Return the id of every cell's part within the page."""
    keys = list(zip(model.cells["run_id"], model.cells["cell_id"], strict=True))
    several = len(model.runs) > 1
    return {key: f"cell-{place}-{key[1]}" if several else f"cell-{key[1]}" for place, key in enumerate(keys)}


def cell_parts(model: Model, output: Path) -> list[CellPart]:
    """Return a part for every cell that was attempted, in the order of the report; links are relative to the report's directory.

    Beyond DRAWN_MAX cells a part has the verdict and the files alone.
    """
    states, anchors, labels = cell_states(model), cell_anchors(model), source_labels(model)
    attempted = [row for row in model.cells.itertuples() if row.verdict != "missing"]
    ranked = sorted(attempted, key=lambda row: states[row.run_id, row.cell_id] not in _URGENT)
    drawn = {(row.run_id, row.cell_id) for row in ranked[:DRAWN_MAX]}
    frames = [_by_cell(frame) for frame in (model.operations, model.journeys, model.resources, model.per_tenant)]
    objectives: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in model.runs:
        for result in run.document.get("objectives", []):
            objectives.setdefault((run.run_id, result["cell"]), []).append(result)
    order = ordered_operations(model)
    parts = []
    for row in attempted:
        key = (row.run_id, row.cell_id)
        name = f"{labels[row.group, row.run_id]} {row.cell_id}".strip()
        mine = [frame.get(key) for frame in frames]
        parts.append(_part(row, name, model.records[key], states[key], anchors[key], key in drawn, mine, objectives.get(key, []), output, order))
    return parts


def _by_cell(frame: DataFrame) -> dict[Any, DataFrame]:
    return dict(list(frame.groupby(["run_id", "cell_id"], sort=False)))


def _part(
    row: Any, name: str, record: Mapping[str, Any], state: str, anchor: str, is_drawn: bool, frames: Sequence[DataFrame | None],
    objectives: Sequence[dict[str, Any]], output: Path, order: Sequence[str],
) -> CellPart:  # fmt: skip
    operations, journeys, resources, tenants = frames
    directory = Path(row.path)
    content = read_cell_files(directory, record) if is_drawn else CellFiles(missing=[f"figures and tables, which the page has for {DRAWN_MAX} cells at most"])
    figures = [_timeline(anchor, name, content, record), _histograms(anchor, name, content, operations, order)]
    figures += [_tenants(anchor, name, tenants)] if is_drawn else []
    missed = [miss_text(result) for result in objectives if result["status"] == "missed"]
    files = listed_files(directory)
    return CellPart(
        anchor, name, state, "; ".join(missed) or ("" if row.verdict != "failed" else "failed: there is no measurement"), row.reasons, row.warnings,
        [(_OBJECTIVE_SIGNS[result["status"]], STATES[_OBJECTIVE_SIGNS[result["status"]]], _objective(result)) for result in objectives],
        [figure for figure in figures if figure], content.missing, _tables(record, operations, journeys, resources) if is_drawn else [],
        [(str(path.relative_to(directory)), quote(os.path.relpath(path, output))) for path in files],
        [(str(path.relative_to(directory)), printable(text)) for path, text in log_ends(files).items()] if row.verdict == "failed" else [],
    )  # fmt: skip


def _objective(result: Mapping[str, Any]) -> str:
    return f"{result['name']}: {result['metric']} {number(result['value'])}, limit {result['limit']} ({result['severity']})"


def _timeline(anchor: str, name: str, content: CellFiles, record: Mapping[str, Any]) -> Figure | None:
    """Return throughput, latency, failures, CPU and memory over one axis of time, with warm-up and window marked."""
    window = record.get("window")
    if not window or not (content.seconds or content.components):
        return None
    seconds, columns = content.seconds, content.per_second
    panels = []
    if seconds:
        latencies = [
            Series("P95", seconds, columns["p95_ms"], role="p95"),
            Series("P50", seconds, columns["p50_ms"], role="p50", dash=1),
        ]
        panels.append(Panel("completed requests per second", [Series("completed", seconds, columns["completed"], role="ink")], "/s", 70))
        panels.append(Panel("latency in ms", latencies, "ms", 90))
        if any(value > 0 for value in columns["failed"]):
            panels.append(Panel("failed requests per second", [Series("failed", seconds, columns["failed"], role="misses", kind="area")], "/s", 45))
    for metric, title, unit, scale in (("cpu", "CPU in cores", "cores", 1.0), ("memory", "memory in MiB", "MiB", 1 / _MIB)):
        found = content.components.get(metric, {})
        series = [
            Series(component, stamps, [value * scale for value in values], role=_ROLES.get(component, "component"), dash=0 if component in _ROLES else place)
            for place, (component, (stamps, values)) in enumerate(found.items())
        ]
        if series:
            panels.append(Panel(title, series, unit, 80))
    length = float(window["end"]) - float(window["start"])
    first, last = min([0.0, *seconds]), max([length, *seconds])
    spans = [(first, 0.0, "warmup", "warm-up")] if first < 0 else []
    spans += [(0.0, length, "window", "window"), *([(length, last, "warmup", "end")] if last > length * 1.02 else [])]
    shown = [series for panel in panels for series in panel.series]
    alt = f"Cell {name} over time. " + ". ".join(f"{panel.title}: {_ranges(panel)}" for panel in panels) + "."
    grouped = f" One mark covers {content.bucket_s} s: the mean rate, the median P50 and the highest P95 of its seconds." if content.bucket_s > 1 else ""
    failed = "" if not seconds or any(value > 0 for value in columns["failed"]) else " No request failed."
    plot = Plot(panels, "seconds since the beginning of the window", (first, last), spans=spans, width=760, alt=alt)
    legend = [(legend_svg(one), one.name) for one in {one.name: one for one in shown}.values()]
    return Figure(f"{anchor}-time", "", "Over time", f"By the end of a request.{grouped}{failed}", [plot_svg(plot)], legend)


def _ranges(panel: Panel) -> str:
    parts = []
    for series in panel.series:
        known = [value for value in series.y if not math.isnan(value)]
        if known:
            parts.append(f"{series.name} {number(min(known))} to {number(max(known))}")
    return ", ".join(parts) or "no values"


def _histograms(anchor: str, name: str, content: CellFiles, operations: DataFrame | None, order: Sequence[str]) -> Figure | None:
    """Return one row per operation: how many of its requests took how long, on one logarithmic axis, with P50 and P95."""
    if not content.histograms or operations is None:
        return None
    edges = content.edges
    middles = [math.sqrt(low * high) for low, high in pairwise(edges)]
    numbers = {row.operation: row for row in operations.itertuples()}
    panels = []
    for operation in [*(known for known in order if known in content.histograms), *(other for other in content.histograms if other not in order)]:
        counts = content.histograms[operation]
        total = sum(counts)
        notes = [
            f"{amount} of {total} requests at {number(low)} to {number(high)} ms, {100 * below / total:.0f} % at or below"
            for amount, below, (low, high) in zip(counts, accumulate(counts), pairwise(edges), strict=True)
        ]
        series = [Series(operation, middles, [float(amount) for amount in counts], role="ink", kind="area", notes=notes)]
        row = numbers.get(operation)
        for statistic, role in (("p50", "p50"), ("p95", "p95")):
            value = getattr(row, statistic, math.nan)
            if not math.isnan(value) and edges[0] <= value <= edges[-1]:
                series.append(Series(statistic.upper(), [value], [0.0], role=role, shape=TICK, kind="marks"))
        panels.append(Panel(operation, series, "requests", 22, is_row=True))
    known = [f"{operation} {number(row.p50)} and {number(row.p95)}" for operation, row in numbers.items() if operation in content.histograms]
    plot = Plot(
        panels, "latency in ms (logarithmic)", (edges[0], edges[-1]), x_log=True, left=170, width=760,
        alt=f"Distribution of the latency of each operation of cell {name}. P50 and P95 in ms: {'; '.join(known)}.",
    )  # fmt: skip
    legend = [(legend_svg(Series(text, [], [], role=role, shape=TICK, kind="marks")), text) for text, role in (("P50", "p50"), ("P95", "p95"))]
    caption = f"Requests that started in the window, in {len(middles)} bins of equal ratio; every row has its own height."
    return Figure(f"{anchor}-latency", "", "Distribution of latency by operation", caption, [plot_svg(plot)], legend)


def _tenants(anchor: str, name: str, tenants: DataFrame | None) -> Figure | None:
    """Return the P95 of every tenant, from the fastest to the slowest, beside that of the median tenant."""
    known = tenants[tenants["p95_ms"].notna()].sort_values("p95_ms") if tenants is not None else None
    if known is None or len(known) < 2:
        return None
    values = [float(value) for value in known["p95_ms"]]
    middle = float(known["p95_ms"].median())
    series = Series(
        "P95", [float(place) for place in range(1, len(values) + 1)], values, role="p95", shape=0 if len(values) <= 60 else None,
        kind="marks" if len(values) <= 60 else "dots", notes=[str(tenant) for tenant in known["tenant"]],
    )  # fmt: skip
    panel = Panel("P95 in ms", [series], "ms", 120, middle=[(middle, f"median tenant {number(middle)} ms")])
    slowest = f"{known['tenant'].iloc[-1]} {number(values[-1])} ms"
    plot = Plot(
        [panel], "tenants, from the fastest to the slowest", (0.5, len(values) + 0.5), width=760,
        alt=f"P95 of {len(values)} tenants of cell {name}: fastest {number(values[0])} ms, median {number(middle)} ms, slowest {slowest}.",
    )  # fmt: skip
    return Figure(f"{anchor}-tenants", "", "P95 of every tenant", f"Tenants with enough requests for a P95; slowest: {slowest}.", [plot_svg(plot)], [])


def _tables(
    record: Mapping[str, Any], operations: DataFrame | None, journeys: DataFrame | None, resources: DataFrame | None
) -> list[tuple[str, Sequence[str], list[list[str]], int]]:
    tables: list[tuple[str, Sequence[str], list[list[str]], int]] = []
    measured = operations[operations["n"].notna()] if operations is not None else None
    if measured is not None and len(measured):
        tables.append(("Operations: requests that started in the window", overview.OPERATION_COLUMNS, overview.operation_rows(measured), 2))
        failures = [
            [row.operation, cause, count(amount)] for row in measured.itertuples() for cause, amount in sorted(row.failed_by.items(), key=lambda pair: -pair[1])
        ]
        if failures:
            tables.append(("Failed requests by cause", FAILURE_COLUMNS, failures, 2))
    if journeys is not None:
        rows = [row[1:] for row in overview.journey_rows(journeys)]
        tables.append(("Journeys: durations of the completed ones, with the pauses inside", overview.JOURNEY_COLUMNS[1:], rows, 1))
    if resources is not None:
        columns, rows = overview.resource_table(resources)
        tables.append(("Components: sums over the instances, over the window", columns[1:], [row[1:] for row in rows], 2))
    tables += _record_tables(record)
    return tables


def _record_tables(record: Mapping[str, Any]) -> list[tuple[str, Sequence[str], list[list[str]], int]]:
    """Return the tables of what the record alone has: shards, rows of the database, attempts."""
    tables: list[tuple[str, Sequence[str], list[list[str]], int]] = []
    if record.get("shards"):
        tables.append(("Generators that shared the load: percentiles of the cell are those of all requests", SHARD_COLUMNS, _shard_rows(record), 3))
    counted = record.get("rows") or {}
    before, after = counted.get("before") or {}, counted.get("after") or {}
    if before or after:
        rows = [
            [name, count(before.get(name)), count(after.get(name)), count(after[name] - before[name] if name in after and name in before else None)]
            for name in dict.fromkeys([*before, *after])
        ]
        tables.append(("Rows of the database", ROW_COLUMNS, rows, 1))
    attempts = [
        [
            str(attempt.get("n", "")), time_text(attempt.get("started")), number(_seconds(attempt)), str(attempt.get("outcome", "")),
            str(attempt.get("reason") or "–"),
        ]
        for attempt in record.get("attempts") or []
    ]  # fmt: skip
    return [*tables, ("Attempts", ATTEMPT_COLUMNS, attempts, 0)] if attempts else tables


def _shard_rows(record: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            str(shard["shard"]), str(shard["node"] or "–"), "complete" if shard["is_complete"] else f"incomplete ({shard['reason'] or 'reason unknown'})",
            count(shard["n"]), number(shard["rate_per_s"]), number(shard["p50_ms"]), number(shard["p95_ms"]), count(shard["failed"]),
            number(shard.get("lateness_ms_p99")), number(shard.get("cpu_s")), number(_mebibytes(shard.get("memory_bytes_max"))), number(shard["start_skew_s"]),
        ]
        for shard in record["shards"]["members"]
    ]  # fmt: skip


def _mebibytes(amount: float | None) -> float | None:
    return None if amount is None else amount / _MIB


def _seconds(attempt: Mapping[str, Any]) -> float | None:
    started, ended = attempt.get("started"), attempt.get("ended")
    return ended - started if started and ended else None
