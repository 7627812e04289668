# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts of throughput: successful requests per second beside the share that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import CATEGORIES
from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.heat_map import draw_heat_map, limits_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.panels import (
    Axis,
    Seen,
    add_legend,
    draw_line_panel,
    load_axis,
    tenant_axis,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import percent
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import category_goodput, goodput_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The width of a heat map of two in a row.
_HALF_IN = 4.5


def rps_by_concurrency(model: Model) -> Figure:
    """Draw goodput by load, of the whole cell and by category, and the share that failed."""
    return _rates(model, load_axis(model), tenant_axis(model))


def rps_by_tenants(model: Model) -> Figure:
    """Draw goodput by tenants, of the whole cell and by category, and the share that failed."""
    return _rates(model, tenant_axis(model), load_axis(model))


def _rates(model: Model, x: Axis, by: Axis) -> Figure:
    figure, axes = style.create_figure(
        style.Frame(2, 3, 2.35, gap_x=0.7, gap_y=0.75), f"Throughput by {x.label}", f"{goodput_text(model)} Failed requests stand beside it.",
    )
    seen = Seen()
    panels = [
        ("All operations  (higher is better)", model.cells, "goodput_per_s", "requests/s"),
        ("Failed requests  (lower is better)", model.cells.assign(failed_percent=model.cells["error_ratio"] * 100), "failed_percent", "% of requests"),
        *((f"{name.capitalize()} operations", category_goodput(model, name), "goodput_per_s", "requests/s") for name in CATEGORIES),
    ]
    places = [axes[0], axes[1], axes[3], axes[4], axes[5]]
    for ax, (title, frame, column, unit) in zip(places, panels, strict=True):
        ax.set_title(title)
        draw_line_panel(ax, frame, column, x, by, model.groups, seen, unit, "no rates recorded")
    _operations_of_categories(axes[2])
    add_legend(figure, by, model.groups, seen)
    return figure


def _operations_of_categories(ax: Axes) -> None:
    ax.axis("off")
    lines = ["Categories"]
    for name, operations in CATEGORIES.items():
        lines.append(f"\n{name}")
        lines += [", ".join(operations[i:i + 2]) for i in range(0, len(operations), 2)]
    ax.text(0, 1, "\n".join(lines), va="top", fontsize=8, color=style.FAINT, linespacing=1.35, transform=ax.transAxes)


def throughput_heatmap(model: Model) -> Figure:
    """Draw goodput and the share that failed by tenants and load, side by side."""
    x, y = load_axis(model), tenant_axis(model)
    groups = model.groups
    room = style.group_room(groups, _HALF_IN)
    figure, axes = style.create_figure(
        style.Frame(len(groups), 2, 0.7 + 0.48 * len(y.levels), gap_x=0.9, gap_y=0.9 + room, top=1.15 + room), "Throughput by tenants and load",
        f"{goodput_text(model)} The median of the repeats of each cell.",
    )
    seen = Seen()
    cells = model.cells.assign(failed_percent=model.cells["error_ratio"] * 100)
    goodput, failing = limits_of([cells], "goodput_per_s", from_zero=True), limits_of([cells], "failed_percent", from_zero=True)
    for row, group in enumerate(groups):
        rows = cells[cells["group"] == group]
        left, right = axes[2 * row], axes[2 * row + 1]
        draw_heat_map(left, rows, "goodput_per_s", x, y, style.MORE_IS_BETTER, goodput, seen)
        left.set_title(style.with_group("Requests/s that succeeded  (higher is better)", group, _HALF_IN))
        draw_heat_map(right, rows, "failed_percent", x, y, style.LESS_IS_BETTER, (0, max(failing[1], 1)), seen, write=percent)
        right.set_title(style.with_group("% of requests that failed  (lower is better)", group, _HALF_IN))
        for ax in (left, right):
            ax.set_xlabel(x.label)
            ax.set_ylabel(y.label)
    add_legend(figure, None, groups, seen)
    return figure
