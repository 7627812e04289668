# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts of CPU and memory: every component by cell, and MLflow's CPU against the load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.bars import Slots, draw_bars, label_slots
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.panels import (
    Axis,
    Seen,
    add_legend,
    draw_lines,
    from_zero,
    load_axis,
    say_empty,
    tenant_axis,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import MLFLOW, component_frame, why_empty

try:
    import pandas as pd
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
except ImportError:
    pd = None

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIB = 1024**2


def cpu_utilization(model: Model) -> Figure:
    """Mean and peak CPU of every component, by cell."""
    return _components(model, "cpu", "CPU of each component", "cores", 1.0)


def memory_utilization(model: Model) -> Figure:
    """Mean and peak memory of every component, by cell."""
    return _components(model, "memory", "Memory of each component", "MiB", 1 / MIB)


def _components(model: Model, kind: str, title: str, unit: str, scale: float) -> Figure:
    names = components(model, kind)
    columns = 1 if len(names) == 1 else 2
    slots, seen = Slots(model), Seen()
    figure, axes = style.make_figure(
        style.Frame(-(-len(names) // columns), columns, 1.9, gap_x=0.75, gap_y=0.9), title,
        "Bars: mean over the window, summed over the component's instances. Lines: its peak. A component without metrics is a dotted gap, never zero.",
    )
    for i, (ax, name) in enumerate(zip(axes, names, strict=False)):
        frame = component_frame(model, name)
        in_percent = kind == "cpu" and frame["cpu_utilization_mean"].notna().any()
        mean, peak = ("cpu_utilization_mean", "cpu_utilization_peak") if in_percent else _keys(kind)
        ax.set_title(name)
        if not say_empty(ax, frame, mean, why_empty(frame)):
            draw_bars(ax, frame, mean, slots, seen, peak, 100 if in_percent else scale)
            from_zero(ax)
            ax.set_ylabel(f"{kind.upper() if kind == 'cpu' else kind} ({'% of all cores' if in_percent else unit})")
        label_slots(ax, slots)
        if i + columns >= len(names):
            ax.set_xlabel(slots.label, labelpad=18)
    for ax in axes[len(names):]:
        ax.set_visible(False)
    key = [Patch(color=style.GROUP_COLOURS[i % 4], label=f"mean{', ' + group if group else ''}") for i, group in enumerate(model.groups)]
    add_legend(figure, None, model.groups, seen, [*key, Line2D([], [], color=style.PEAK_COLOUR, label="peak")])
    return figure


def _keys(kind: str) -> tuple[str, str]:
    return ("cpu_cores_mean", "cpu_cores_peak") if kind == "cpu" else ("memory_bytes_mean", "memory_bytes_peak")


def components(model: Model, kind: str) -> list[str]:
    """The components of the chart, MLflow first; the cluster has no memory figure."""
    names = list(dict.fromkeys([MLFLOW, *model.resources["component"]]))
    return [name for name in names if kind == "cpu" or name != "cluster"]


def mlflow_cpu_by_concurrency(model: Model) -> Figure:
    """MLflow's CPU by load: mean, peak, and CPU time per request."""
    return _mlflow_cpu(model, load_axis(model), tenant_axis(model))


def mlflow_cpu_by_tenants(model: Model) -> Figure:
    """MLflow's CPU by tenants: mean, peak, and CPU time per request."""
    return _mlflow_cpu(model, tenant_axis(model), load_axis(model))


def _mlflow_cpu(model: Model, x: Axis, by: Axis) -> Figure:
    figure, axes = style.make_figure(
        style.Frame(1, 3, 2.7, gap_x=0.7), f"CPU of MLflow by {x.label}",
        "Summed over its instances. CPU per request is mean CPU divided by requests per second, failed ones included (lower is better).",
    )
    seen = Seen()
    frame = component_frame(model, MLFLOW)
    frame = frame.assign(cpu_ms=frame["cpu_cores_mean"] / frame["rate_per_s"].where(frame["rate_per_s"] > 0) * 1000)
    panels = [
        ("Mean over the window", "cpu_cores_mean", "CPU (cores)"), ("Peak", "cpu_cores_peak", "CPU (cores)"),
        ("Per request", "cpu_ms", "CPU time (ms/request)"),
    ]
    for ax, (title, column, unit) in zip(axes, panels, strict=True):
        ax.set_title(title)
        ax.set_ylabel(unit)
        ax.set_xlabel(x.label)
        draw_lines(ax, frame, column, x, by, model.groups, seen)
        if not say_empty(ax, frame, column, why_empty(frame)):
            from_zero(ax)
    add_legend(figure, by, model.groups, seen)
    return figure
