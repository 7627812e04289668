# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The twelve charts under the names of the old suite, and drawing them all on two cores."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import chart_dashboard, chart_latency, chart_resources, chart_throughput, style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Chart:
    """A chart: its section in the page, what it shows (the text for those who do not see it), and how it is drawn."""

    section: str
    shows: str
    draw: Callable[[Model], Figure]


CHARTS = {
    "chart_summary_dashboard": Chart(
        "Overview", "verdict of each cell; by load: throughput, P95, failed requests, CPU of MLflow and of the generator", chart_dashboard.summary_dashboard,
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
# Expensive ones first, so that two processes end together.
_BY_COST = (
    "chart_response_times_p95_heatmap", "chart_passed_counts", "chart_response_times_by_concurrency", "chart_response_times_by_tenants",
    "chart_cpu_utilization", "chart_memory_utilization",
)
# Inherited by the forked workers: a model is not pickled, and each worker sends back bytes only.
_model: Model | None = None


def draw_all(model: Model, processes: int | None = None) -> dict[str, bytes]:
    """Returns every chart as PNG by name, drawn in up to two processes."""
    global _model  # noqa: PLW0603
    _model = model
    names = [*_BY_COST, *(name for name in CHARTS if name not in _BY_COST)]
    try:
        if (processes or min(2, os.cpu_count() or 1)) < 2:
            drawn = [_draw(name) for name in names]
        else:
            with multiprocessing.get_context("fork").Pool(2) as pool:
                drawn = pool.map(_draw, names, chunksize=1)
    finally:
        _model = None
    pictures = dict(zip(names, drawn, strict=True))
    return {name: pictures[name] for name in CHARTS}


def _draw(name: str) -> bytes:
    with style.applied():
        return style.png_bytes(CHARTS[name].draw(_model))
