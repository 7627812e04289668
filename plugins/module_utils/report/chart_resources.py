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
    draw_line_panel,
    from_zero,
    load_axis,
    mark_empty,
    tenant_axis,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import MLFLOW, component_frame, why_empty

try:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
except ImportError:
    Line2D = Patch = None  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

MIB = 1024**2


def cpu_utilization(model: Model) -> Figure:
    """Draw mean and peak CPU of every component, by cell."""
    return _components(model, "cpu", "CPU of each component", "cores", 1.0)


def memory_utilization(model: Model) -> Figure:
    """Draw mean and peak memory of every component, by cell."""
    return _components(model, "memory", "Memory of each component", "MiB", 1 / MIB)


def _components(model: Model, kind: str, title: str, unit: str, scale: float) -> Figure:
    shown, empty = components(model, kind)
    columns = 1 if len(shown) == 1 else 2
    slots, seen = Slots(model), Seen()
    without = f" Without any figure: {'; '.join(empty)}." if empty else ""
    figure, axes = style.create_figure(
        style.Frame(-(-len(shown) // columns), columns, 1.9, gap_x=0.75, gap_y=0.9, bottom=1.1), title,
        f"Bars: mean over the window, summed over the component's instances. Lines: its peak. What is missing is a dotted gap, never zero.{without}",
    )
    for i, (ax, name) in enumerate(zip(axes, shown, strict=False)):
        frame = component_frame(model, name)
        mean, peak = _keys(kind, frame)
        ax.set_title(name)
        if not mark_empty(ax, frame, mean, why_empty(frame)):
            in_percent = mean.startswith("cpu_utilization")
            draw_bars(ax, frame, mean, slots, seen, peak, 100 if in_percent else scale)
            from_zero(ax)
            ax.set_ylabel("CPU (% of all cores)" if in_percent else f"{'CPU' if kind == 'cpu' else 'memory'} ({unit})")
            label_slots(ax, slots)
            if i + columns >= len(shown):
                ax.set_xlabel(slots.label, labelpad=24)
    for ax in axes[len(shown):]:
        ax.set_visible(False)
    key = [Patch(color=style.GROUP_COLOURS[i % 4], label=f"mean{', ' + group if group else ''}") for i, group in enumerate(model.groups)]
    add_legend(figure, None, model.groups, seen, [*key, Line2D([], [], color=style.PEAK_COLOUR, label="peak")])
    return figure


def _keys(kind: str, frame: DataFrame) -> tuple[str, str]:
    """Return the columns of mean and peak; a cluster's CPU is known as a share only."""
    if kind == "memory":
        return "memory_bytes_mean", "memory_bytes_peak"
    share_only = frame["cpu_cores_mean"].isna().all() and frame["cpu_utilization_mean"].notna().any()
    return ("cpu_utilization_mean", "cpu_utilization_peak") if share_only else ("cpu_cores_mean", "cpu_cores_peak")


def components(model: Model, kind: str) -> tuple[list[str], list[str]]:
    """Return the components with a figure in any cell, MLflow first and always, and the others with the reason."""
    shown, empty = [], []
    for name in dict.fromkeys([MLFLOW, *model.resources["component"]]):
        frame = component_frame(model, name)
        if name == MLFLOW or frame[_keys(kind, frame)[0]].notna().any():
            shown.append(name)
        elif kind == "cpu" or name != "cluster":
            empty.append(f"{name} ({why_empty(frame).partition(':')[0]})")
    return shown, empty


def mlflow_cpu_by_concurrency(model: Model) -> Figure:
    """Draw MLflow's CPU by load: mean, peak, and CPU time per request."""
    return _mlflow_cpu(model, load_axis(model), tenant_axis(model))


def mlflow_cpu_by_tenants(model: Model) -> Figure:
    """Draw MLflow's CPU by tenants: mean, peak, and CPU time per request."""
    return _mlflow_cpu(model, tenant_axis(model), load_axis(model))


def _mlflow_cpu(model: Model, x: Axis, by: Axis) -> Figure:
    figure, axes = style.create_figure(
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
        draw_line_panel(ax, frame, column, x, by, model.groups, seen, unit, why_empty(frame))
    add_legend(figure, by, model.groups, seen)
    return figure
