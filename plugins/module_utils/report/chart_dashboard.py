# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard: verdicts, throughput, response time, failures and CPU on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.heat_map import draw_verdicts
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.panels import (
    Seen,
    add_legend,
    draw_lines,
    from_zero,
    load_axis,
    log_milliseconds,
    say_empty,
    tenant_axis,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import MLFLOW, component_frame, goodput_text, why_empty

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def summary_dashboard(model: Model) -> Figure:
    """Six panels: what the run says in one look."""
    x, by = load_axis(model), tenant_axis(model)
    figure, axes = style.make_figure(
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
        ("Load generator  (lower is sounder)", cells, "generator_percent", "CPU of its cores (%)", "not recorded"),
    ]
    for ax, (title, frame, column, unit, reason) in zip(axes[1:], panels, strict=True):
        ax.set_title(title)
        if say_empty(ax, frame, column, reason):
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
