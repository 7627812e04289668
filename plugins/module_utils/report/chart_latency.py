# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts of response times and request counts by operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.bars import Slots, label_slots, stack_counts
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.heat_map import draw_heat_map, limits_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import CATEGORY_OF, Load, Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.panels import (
    Axis,
    Seen,
    add_legend,
    draw_lines,
    draw_medians,
    from_zero,
    load_axis,
    log_milliseconds,
    mark_empty,
    tenant_axis,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.points import least_spread, noise_by_metric, points_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import ordered_operations, outcomes_text, shown_latency

try:
    from matplotlib.patches import Patch
except ImportError:
    Patch = None  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpecBase
    from pandas import DataFrame

_COLUMNS = 4
_COLUMNS_WRITTEN = 60
# The width of the heat maps of all groups together.
_POOLED_IN = 8.6
_PLAIN = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}


def response_times_by_concurrency(model: Model) -> Figure:
    """Draw P95 by load: one panel per operation, one line per tenant level."""
    return _by_operation(model, load_axis(model), tenant_axis(model))


def response_times_by_tenants(model: Model) -> Figure:
    """Draw P95 by tenants: one panel per operation, one line per load level."""
    return _by_operation(model, tenant_axis(model), load_axis(model))


def _by_operation(model: Model, x: Axis, by: Axis) -> Figure:
    names = ordered_operations(model)
    rows = -(-len(names) // _COLUMNS)
    figure, axes = style.create_figure(
        style.Frame(rows, _COLUMNS, 1.75, gap_x=0.12, gap_y=0.34),
        f"Response time of each operation by {x.label}",
        f"P95 (points) and P50 (dashes) in milliseconds, logarithmic, one scale for all panels (lower is better). {outcomes_text(model)}",
    )
    seen = Seen()
    frame = shown_latency(model).assign(middle=shown_latency(model, "p50")["shown"])
    log_milliseconds(axes, frame, ["middle", "shown"], labelled=axes[::_COLUMNS])
    for i, (ax, name) in enumerate(zip(axes, names, strict=False)):
        rows_of = frame[frame["operation"] == name]
        draw_medians(ax, rows_of, "middle", x, by, model.groups, seen)
        draw_lines(ax, rows_of, "shown", x, by, model.groups, seen, low_n="p95")
        if rows_of["shown"].isna().all():
            ax.text(0.5, 0.96, _why_no_p95(rows_of), transform=ax.transAxes, ha="center", va="top", fontsize=8, color=style.FAINT, bbox=_PLAIN)
        _title(ax, name)
        if i % _COLUMNS == 0:
            ax.set_ylabel("time (ms)")
        if i + _COLUMNS >= len(names):
            ax.set_xlabel(x.label)
        else:
            ax.set_xticks([])
    for ax in axes[len(names):]:
        ax.set_visible(False)
    add_legend(figure, by, model.groups, seen)
    return figure


def _why_no_p95(rows: DataFrame) -> str:
    return "too few samples for a P95" if (rows["n"].fillna(0) > 0).any() else "no samples"


def _title(ax: Axes, name: str) -> None:
    ax.set_title(name)
    ax.set_title(CATEGORY_OF.get(name, "other"), loc="right", fontsize=8, fontweight="normal", color=style.FAINT)


def response_times_p95_heatmap(model: Model) -> Figure:
    """Draw P95 of all requests by tenants and load; below it every operation by cell."""
    groups = model.groups
    operations = ordered_operations(model)
    top, bottom = 0.5 + 0.42 * len(model.tenants), 0.26 * len(operations)
    figure, axes = style.create_figure(
        style.Frame(1, 1, top + bottom + 1.0, left=1.75, top=1.15 + style.group_room(groups, _POOLED_IN / len(groups))), "Response time: where it is spent",
        "P95 in milliseconds (lower is better, darker is slower; ~ few samples). Above: all requests of a cell pooled. Below: each operation. "
        f"{outcomes_text(model)}",
    )
    grid = axes[0].get_subplotspec()
    if grid is None:
        raise TypeError("the frame of this chart has no grid to divide")
    axes[0].remove()
    outer = grid.subgridspec(2, 1, height_ratios=(top, bottom), hspace=0.85 / ((top + bottom) / 2))
    seen = Seen()
    x, y = load_axis(model), tenant_axis(model)
    spread = least_spread(noise_by_metric(points_of(model))["p95"])
    _pooled(figure, outer[0].subgridspec(1, len(groups), wspace=0.12), model, (x, y), spread, seen)
    frame = shown_latency(model)
    # One column per tenants, load and group, written as in the bar charts.
    columns = list(dict.fromkeys(_cell_order(model)))
    frame = frame.assign(slot=list(zip(frame["tenants"], frame["load"], frame["group"], strict=True)))
    slot_axis = Axis("slot", columns, [x.ticks[x.place(load)] for _tenants, load, _group in columns], "")
    ax = figure.add_subplot(outer[1])
    draw_heat_map(
        ax, frame, "shown", slot_axis, Axis("operation", operations, operations, ""), style.LESS_IS_BETTER,
        limits_of([frame], "shown", spread=spread), seen, font=_font(len(columns)), log=True, low_n="p95",
    )
    ax.set_title("Each operation, by cell", pad=18 if len(groups) > 1 else None)
    _name_columns(ax, columns, len(groups) > 1)
    ax.set_xlabel(f"{x.label}, by tenants", labelpad=20)
    add_legend(figure, None, groups, seen)
    return figure


def _font(columns: int) -> float:
    """Return the size of the texts of so many columns, 0 where none would be legible."""
    return 8 if columns <= 16 else 6 if columns <= _COLUMNS_WRITTEN else 0


def _pooled(figure: Figure, grid: GridSpecBase, model: Model, axes: tuple[Axis, Axis], spread: float, seen: Seen) -> None:
    limits = limits_of([model.cells], "p95", spread=spread)
    x, y = axes
    for i, group in enumerate(model.groups):
        ax = figure.add_subplot(grid[0, i])
        rows = model.cells[model.cells["group"] == group]
        ax.set_title(style.with_group("All requests pooled", group, _POOLED_IN / len(model.groups)))
        draw_heat_map(ax, rows, "p95", x, y, style.LESS_IS_BETTER, limits, seen, log=True, low_n="p95")
        ax.set_xlabel(x.label)
        if i == 0:
            ax.set_ylabel(y.label)


def _cell_order(model: Model) -> list[tuple[int, Load, str]]:
    cells = model.cells.sort_values(["tenants", "load", "group"], kind="stable")
    return list(zip(cells["tenants"], cells["load"], cells["group"], strict=True))


def _name_columns(ax: Axes, columns: list[tuple[int, Load, str]], with_groups: bool) -> None:
    """Write the tenants below each block of columns, and separate the blocks."""
    tenants = [column[0] for column in columns]
    for level in dict.fromkeys(tenants):
        first, count = tenants.index(level), tenants.count(level)
        if first:
            ax.axvline(first - 0.5, color="white", linewidth=5)
        ax.annotate(
            f"{level} tenant{'' if level == 1 else 's'}", (first + (count - 1) / 2, 0), xycoords=("data", "axes fraction"), xytext=(0, -18),
            textcoords="offset points", ha="center", va="top", fontsize=8.5, fontweight="bold", color=style.FAINT, annotation_clip=False,
        )
    if with_groups:
        for i, column in enumerate(columns):
            ax.annotate(column[2], (i, 1), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points", ha="center", va="bottom", fontsize=6)


def passed_counts(model: Model) -> Figure:
    """Draw requests that passed and failed: one panel per operation, one bar per cell."""
    names = ordered_operations(model)
    slots, seen = Slots(model), Seen()
    figure, axes = style.create_figure(
        style.Frame(-(-len(names) // _COLUMNS), _COLUMNS, 1.55, gap_x=0.42, gap_y=0.34, bottom=1.15), "Requests that passed and failed, by operation",
        "Requests started in the window, per cell and summed over repeats; failed ones are counted in figures above the bar.",
    )
    for i, (ax, name) in enumerate(zip(axes, names, strict=False)):
        rows = model.operations[model.operations["operation"] == name]
        _title(ax, name)
        last = i + _COLUMNS >= len(names)
        if not mark_empty(ax, rows, "n", "no requests recorded"):
            stack_counts(ax, rows, slots, seen)
            from_zero(ax)
        label_slots(ax, slots, ticks=last, panel_chars=30)
        if i % _COLUMNS == 0:
            ax.set_ylabel("requests")
        if last:
            ax.set_xlabel(slots.label, labelpad=24)
    for ax in axes[len(names):]:
        ax.set_visible(False)
    add_legend(figure, None, model.groups, seen, [Patch(color=style.GOOD, label="passed"), Patch(color=style.BAD, label="failed")])
    return figure
