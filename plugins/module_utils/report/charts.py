# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The twelve charts under the names of the legacy suite, the dashboard among them, and drawing them all on two cores."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import (
    chart_capacity,
    chart_latency,
    chart_resources,
    chart_scalability,
    chart_tenants,
    chart_throughput,
    style,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.heat_map import draw_verdicts
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportError
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.panels import (
    Seen,
    add_legend,
    draw_lines,
    from_zero,
    load_axis,
    log_milliseconds,
    mark_empty,
    tenant_axis,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.scalability import has_scalability
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import MLFLOW, component_frame, goodput_text, why_empty

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Chart:
    """A chart: its section in the page, what it shows (the text for those who do not see it), and how it is drawn."""

    section: str
    shows: str
    draw: Callable[[Model], Figure]


def summary_dashboard(model: Model) -> Figure:
    """Draw six panels with the main figures of the run."""
    x, by = load_axis(model), tenant_axis(model)
    figure, axes = style.create_figure(
        style.Frame(2, 3, 2.5, gap_x=0.7, gap_y=0.8), "Overview", f"{goodput_text(model)} P95 pools all requests of a cell, whatever their outcome.",
    )
    seen = Seen()
    draw_verdicts(axes[0], model.cells, x, by)
    axes[0].set_title("Verdict of each cell")
    axes[0].set_ylabel(by.label)
    axes[0].set_xlabel(x.label)
    cells = model.cells.assign(failed_percent=model.cells["error_ratio"] * 100, generator_percent=model.cells["generator_cpu_share"] * 100)
    mlflow = component_frame(model, MLFLOW)
    panels = [
        ("Throughput  (higher is better)", cells, "goodput_per_s", "successful requests/s", "no rates recorded"),
        ("Response time  (lower is better)", cells, "p95", "P95 of all requests (ms)", "no latency over all requests"),
        ("Failed requests  (lower is better)", cells, "failed_percent", "% of requests", "no requests recorded"),
        ("CPU of MLflow", mlflow, "cpu_cores_mean", "mean CPU (cores)", why_empty(mlflow)),
        ("Load generator  (lower is better)", cells, "generator_percent", "CPU of its cores (%)", "not recorded"),
    ]
    for ax, (title, frame, column, unit, reason) in zip(axes[1:], panels, strict=True):
        ax.set_title(title)
        if mark_empty(ax, frame, column, reason):
            continue
        draw_lines(ax, frame, column, x, by, model.groups, seen, low_n="p95" if column == "p95" else "")
        if column == "p95":
            log_milliseconds([ax], frame, [column])
        else:
            from_zero(ax)
        ax.set_ylabel(unit)
        ax.set_xlabel(x.label)
    add_legend(figure, by, model.groups, seen)
    return figure


CHARTS = {
    "chart_summary_dashboard": Chart(
        "Overview", "verdict of each cell; by load: throughput, P95, failed requests, CPU of MLflow and of the generator", summary_dashboard,
    ),
    "chart_throughput_heatmap": Chart(
        "Throughput", "successful requests per second, and the share of failed ones, for each number of tenants and load", chart_throughput.throughput_heatmap,
    ),
    "chart_rps_by_concurrency": Chart(
        "Throughput", "successful requests per second by load, one line per number of tenants, in all and by category", chart_throughput.rps_by_concurrency,
    ),
    "chart_rps_by_tenants": Chart(
        "Throughput", "successful requests per second by number of tenants, one line per load, in all and by category", chart_throughput.rps_by_tenants,
    ),
    "chart_response_times_p95_heatmap": Chart(
        "Response times", "P95 of all requests for each number of tenants and load, and of each operation by cell", chart_latency.response_times_p95_heatmap,
    ),
    "chart_response_times_by_concurrency": Chart(
        "Response times", "P95 and P50 of each operation by load, one line per number of tenants", chart_latency.response_times_by_concurrency,
    ),
    "chart_response_times_by_tenants": Chart(
        "Response times", "P95 and P50 of each operation by number of tenants, one line per load", chart_latency.response_times_by_tenants,
    ),
    "chart_passed_counts": Chart("Requests", "passed and failed requests of each operation in each cell", chart_latency.passed_counts),
    "chart_cpu_utilization": Chart("Resources", "mean and peak CPU of each component in each cell", chart_resources.cpu_utilization),
    "chart_memory_utilization": Chart("Resources", "mean and peak memory of each component in each cell", chart_resources.memory_utilization),
    "chart_mlflow_cpu_by_concurrency": Chart(
        "Resources", "CPU of MLflow by load: mean, peak and per request, one line per number of tenants", chart_resources.mlflow_cpu_by_concurrency,
    ),
    "chart_mlflow_cpu_by_tenants": Chart(
        "Resources", "CPU of MLflow by number of tenants: mean, peak and per request, one line per load", chart_resources.mlflow_cpu_by_tenants,
    ),
}
# Those that only some runs have, and what says whether one does.
FURTHER = {
    "chart_capacity": (
        Chart("Capacity", "latency and requests per second of every probe over its load, the limit and the interval of the answer", chart_capacity.capacity),
        chart_capacity.has_capacity,
    ),
    "chart_scalability": (
        Chart("Scalability", "throughput over concurrent users with the fitted Universal Scalability Law and its knee", chart_scalability.scalability),
        has_scalability,
    ),
    "chart_tenants": (
        Chart("Tenants", "P95 of every tenant beside that of the median tenant, for the cells with the least even tenants", chart_tenants.tenants),
        chart_tenants.has_tenants,
    ),
}
# Expensive ones first, so that two processes end together.
_BY_COST = (
    "chart_response_times_p95_heatmap", "chart_passed_counts", "chart_response_times_by_concurrency", "chart_response_times_by_tenants",
    "chart_cpu_utilization", "chart_memory_utilization",
)
# Inherited by the forked workers: a model is not pickled, and each worker sends back bytes only.
_model: Model


def names_of(model: Model) -> list[str]:
    """Return the names of the charts that a report of the model has, in their order."""
    return [*(name for name, (_chart, applies) in FURTHER.items() if applies(model)), *CHARTS]


def draw_all(model: Model, processes: int | None = None) -> dict[str, bytes]:
    """Return every chart as PNG by name, drawn in up to two processes. Raises ReportError where one of them was killed."""
    global _model  # noqa: PLW0603
    _model = model
    names = names_of(model)
    by_cost = [*_BY_COST, *(name for name in names if name not in _BY_COST)]
    try:
        if (processes or min(2, os.cpu_count() or 1)) < 2:
            drawn = [_draw(name) for name in by_cost]
        else:
            # Unlike multiprocessing.Pool it ends when one of its processes was killed.
            with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
                drawn = list(pool.map(_draw, by_cost))
    except BrokenProcessPool as error:
        raise ReportError("Charts: a process that draws them was killed. Free memory, or set report_formats to csv and markdown.") from error
    finally:
        del _model
    pictures = dict(zip(by_cost, drawn, strict=True))
    return {name: pictures[name] for name in names}


def chart(name: str) -> Chart:
    """Return the chart of a name."""
    return CHARTS[name] if name in CHARTS else FURTHER[name][0]


def _draw(name: str) -> bytes:
    with style.applied():
        return style.png_bytes(chart(name).draw(_model))
