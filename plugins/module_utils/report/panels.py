# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels: functions that draw one frame into one axes and return it. Missing is marked, never zero; what is not valid is marked."""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Load, Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import VALID_STATUSES, bucketed

try:
    import numpy as np
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch, Rectangle
    from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator
    from matplotlib.transforms import blended_transform_factory
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame


# Half the way between two levels is 0.5; more failed requests than this share ring a point.
_DODGE = 0.07
_FAILING = 0.01
# Of the legend: a character, the key beside a text with the gap to the next, a row; and what stays below a chart without one.
_LEGEND_CHARACTER_IN, _KEY_IN, _LEGEND_ROW_IN, _MARGIN_IN = 0.078, 0.65, 0.21, 0.15


@dataclass
class Axis:
    """A categorical axis: the levels in order, their tick labels and the axis label."""

    column: str
    levels: list[Any]
    ticks: list[str]
    label: str

    def place(self, value: Any) -> int:
        """Return the position of a level."""
        return self.levels.index(value)


@dataclass
class Seen:
    """Which marks a figure holds, so that its legend explains those and no others."""

    marks: set[str] = field(default_factory=set)


def tenant_axis(model: Model) -> Axis:
    """Return the axis of tenant levels, at equal distances: 1, 10, 100 and 500 are equally legible."""
    return Axis("tenants", model.tenants, [str(level) for level in model.tenants], "tenants")


def load_axis(model: Model) -> Axis:
    """Return the axis of load levels, at equal distances."""
    loads = model.loads
    profiles = {load.profile for load in loads}
    if profiles == {"closed"}:
        return Axis("load", loads, [f"{load.value:g}" for load in loads], "concurrent users")
    if profiles == {"open"}:
        return Axis("load", loads, [f"{load.value:g}" for load in loads], "journeys started per second")
    return Axis("load", loads, [f"{load.value:g}{'' if load.profile == 'closed' else '/s'}" for load in loads], "users, or journeys started per second (/s)")


def level_name(axis: Axis, value: Any) -> str:
    """Return a level with its unit, for legends."""
    if isinstance(value, Load):
        return value.text
    return f"{value} tenant{'' if value == 1 else 's'}"


def draw_lines(ax: Axes, frame: DataFrame, column: str, x: Axis, by: Axis, groups: Sequence[str], seen: Seen, low_n: str = "") -> Axes:
    """Draw lines over `x`, one per level of `by` (colour) and group (line and marker); points are repeats.

    The line joins the medians of the valid repeats and has a gap where there are none. `low_n` names the statistic whose few
    samples make a point hollow. Series stand a little beside each other, so that equal values stay visible.
    """
    colours = style.level_colours(len(by.levels))
    failing: list[tuple[float, float]] = []
    # Users and journeys per second are different loads: no line joins them.
    for (group, level, _profile), rows in bucketed(frame, ("group", by.column, "profile"), (x.column, column, "verdict", "low_n", "error_ratio")).items():
        g, s = groups.index(group) % 4, by.place(level)
        marks = _Marks(rows, x, low_n, _dodge(by, s))
        options = {"color": colours[s], "markersize": 5, "markeredgewidth": 1.3, "zorder": 3}
        if len(marks.line) > 1:
            ax.plot(*marks.medians(), color=colours[s], linestyle=style.GROUP_LINES[g], zorder=2)
        for kind, points in marks.points.items():
            _plot_points(ax, kind, points, options, style.GROUP_MARKERS[g])
        seen.marks |= set(marks.points)
        failing += marks.failing
    if failing:
        ax.plot(*zip(*failing, strict=True), "o", markersize=11, markerfacecolor="none", markeredgecolor=style.BAD, markeredgewidth=1.3, zorder=3)
        seen.marks.add("failing")
    return categories(ax, x)


def draw_medians(ax: Axes, frame: DataFrame, column: str, x: Axis, by: Axis, groups: Sequence[str], seen: Seen) -> Axes:
    """Draw thin lines behind those of draw_lines: the P50, which needs the fewest samples and so is available when a P95 is not."""
    colours = style.level_colours(len(by.levels))
    for (group, level, _profile), rows in bucketed(frame, ("group", by.column, "profile"), (x.column, column, "verdict", "low_n", "error_ratio")).items():
        s = by.place(level)
        marks = _Marks(rows, x, "", _dodge(by, s))
        points = [*marks.points.get("valid", []), *marks.points.get("not_valid", [])]
        if points:
            ax.plot(*zip(*points, strict=True), "_", color=colours[s], markersize=8, markeredgewidth=1.2, zorder=1)
            seen.marks.add("median")
        if len(marks.line) > 1:
            ax.plot(*marks.medians(), color=colours[s], linestyle=style.GROUP_LINES[groups.index(group) % 4], linewidth=0.7, alpha=0.7, zorder=1)
    return ax


def _dodge(by: Axis, place: int) -> float:
    """Return how far a series stands beside the middle of a level."""
    return (place - (len(by.levels) - 1) / 2) * min(_DODGE, 0.3 / len(by.levels))


class _Marks:
    """The marks of one series: the points by kind (valid, low_n, not_valid, missing), those that fail, and the line's medians."""

    def __init__(self, rows: Sequence[tuple[Any, ...]], x: Axis, low_n: str, offset: float) -> None:
        self.points: dict[str, list[tuple[float, float]]] = {}
        self.failing: list[tuple[float, float]] = []
        self.line: dict[int, list[float]] = {}
        self.offset = offset
        places: dict[int, bool] = {}
        for level, value, verdict, low, error_ratio in rows:
            place = x.place(level)
            places[place] = places.get(place, False) or not math.isnan(value)
            if math.isnan(value):
                continue
            is_low = bool(low_n) and (low_n in low or f"ok_{low_n}" in low)
            kind = "not_valid" if verdict not in VALID_STATUSES else "low_n" if is_low else "valid"
            self.points.setdefault(kind, []).append((place + offset, value))
            if kind != "not_valid":
                self.line.setdefault(place, []).append(value)
            if error_ratio > _FAILING:
                self.failing.append((place + offset, value))
        absent = [(place + 2 * offset, 0.035) for place, present in places.items() if not present]
        if absent:
            self.points["missing"] = absent

    def medians(self) -> tuple[list[float], list[float]]:
        """Return the line: NaN between levels that have no valid value breaks it."""
        places = range(min(self.line), max(self.line) + 1)
        return [place + self.offset for place in places], [statistics.median(self.line.get(place, [math.nan])) for place in places]


def _plot_points(ax: Axes, kind: str, points: list[tuple[float, float]], options: dict[str, Any], marker: str) -> None:
    colour = options["color"]
    kinds: dict[str, dict[str, Any]] = {
        "valid": {"marker": marker},
        "low_n": {"marker": marker, "markerfacecolor": "white"},
        "not_valid": {"marker": "X", "markersize": 8, "markeredgecolor": style.BAD},
        "missing": {"marker": "x", "markersize": 5.5, "markeredgewidth": 1.6, "clip_on": False},
    }
    if kind == "missing":
        kinds[kind]["transform"] = blended_transform_factory(ax.transData, ax.transAxes)
    ax.plot(*zip(*points, strict=True), linestyle="", **(options | {"markeredgecolor": colour} | kinds[kind]))


def categories(ax: Axes, x: Axis) -> Axes:
    """Label a categorical axis."""
    ax.set_xlim(-0.45, len(x.levels) - 0.55)
    ax.xaxis.set_major_locator(FixedLocator(range(len(x.levels))))
    ax.xaxis.set_major_formatter(FixedFormatter(x.ticks))
    return ax


def draw_line_panel(ax: Axes, frame: DataFrame, column: str, x: Axis, by: Axis, groups: Sequence[str], seen: Seen, unit: str, why: str) -> None:
    """Draw lines from zero with the names of both axes, or `why` there are no values."""
    if not mark_empty(ax, frame, column, why):
        draw_lines(ax, frame, column, x, by, groups, seen)
        from_zero(ax)
        ax.set_ylabel(unit)
        ax.set_xlabel(x.label)


def from_zero(ax: Axes) -> Axes:
    """Start a linear axis at zero with room above the largest value."""
    top = ax.dataLim.y1
    ax.set_ylim(0, top * 1.15 if np.isfinite(top) and top > 0 else 1)
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_formatter(FuncFormatter(_tick))
    return ax


def _tick(value: float, _place: int) -> str:
    return f"{value:,.10g}".replace(",", "\u202f")


def log_milliseconds(axes: Sequence[Axes], frame: DataFrame, columns: Sequence[str], labelled: Sequence[Axes] | None = None) -> None:
    """Set one logarithmic scale for all the panels, with labels at 1, 2 and 5; those not among `labelled` get the grid only."""
    values = [value for column in columns for value in frame[column] if value > 0]
    low, high = (min(values) / 1.5, max(values) * 1.5) if values else (1, 1000)
    locator = LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,))
    ticks = [value for value in locator.tick_values(low, high) if low <= value <= high]
    for ax in axes:
        ax.set_yscale("log")
        ax.set_ylim(low, high)
        ax.yaxis.set_minor_locator(NullLocator())
        if labelled is None or ax in labelled:
            ax.yaxis.set_major_locator(FixedLocator(ticks))
            ax.yaxis.set_major_formatter(FuncFormatter(_tick))
        else:
            # Ticks are the most expensive part of a panel, and its neighbour to the left has them.
            ax.yaxis.set_major_locator(NullLocator())
            ax.hlines(ticks, 0, 1, transform=ax.get_yaxis_transform(), color=style.GRID, linewidth=0.8, zorder=0)


def mark_empty(ax: Axes, frame: DataFrame, column: str, reason: str) -> bool:
    """Fill the panel of a frame without any value with dots and the reason; return whether it did."""
    if frame[column].notna().any():
        return False
    ax.grid(False)
    ax.add_patch(Rectangle((0, 0), 1, 1, transform=ax.transAxes, facecolor=style.ABSENT, edgecolor=style.ABSENT_EDGE, hatch=style.HATCH_ABSENT))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(0.5, 0.5, textwrap.fill(reason, 32), transform=ax.transAxes, ha="center", va="center", bbox={"facecolor": "white", "edgecolor": "none", "pad": 4})
    return True


def add_legend(figure: Figure, by: Axis | None, groups: Sequence[str], seen: Seen, extra: Sequence[Any] = ()) -> None:
    """Explain colours, groups and those marks that occur, in one strip below the panels; without any the strip is gone."""
    handles: list[Any] = []
    if by is not None:
        colours = style.level_colours(len(by.levels))
        handles += [Line2D([], [], color=colours[i], marker="o", markersize=5, label=level_name(by, level)) for i, level in enumerate(by.levels)]
        if len(groups) > 1:
            handles += [
                Line2D([], [], color=style.FAINT, linestyle=style.GROUP_LINES[i % 4], marker=style.GROUP_MARKERS[i % 4], markersize=5, label=group)
                for i, group in enumerate(groups)
            ]
    handles += [*extra, *_mark_handles(seen)]
    if not handles:
        style.add_room_below(figure, _MARGIN_IN - figure.get_tightbbox().y0)
        return
    # As many columns as the longest text leaves room for; rows beyond the one that a frame has room for increase the height of the figure.
    widest = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, min(6, len(handles), int(style.WIDTH_IN / (_KEY_IN + _LEGEND_CHARACTER_IN * widest))))
    style.add_room_below(figure, _LEGEND_ROW_IN * (-(-len(handles) // columns) - 1))
    height = figure.get_size_inches()[1]
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.1 / style.WIDTH_IN, 0.06 / height), ncols=columns, handlelength=2.2, columnspacing=1.6)


def _mark_handles(seen: Seen) -> list[Any]:
    known = {
        "median": Line2D([], [], color=style.FAINT, marker="_", markersize=8, linewidth=0.7, label="P50"),
        "low_n": Line2D([], [], color=style.FAINT, marker="o", markerfacecolor="white", linestyle="", label="few samples"),
        "failing": Line2D([], [], color=style.BAD, marker="o", markerfacecolor="none", markersize=10, linestyle="", label="over 1 % failed"),
        "not_valid": Line2D([], [], color=style.FAINT, marker="X", markeredgecolor=style.BAD, markersize=8, linestyle="", label="cell not valid"),
        "missing": Line2D([], [], color=style.FAINT, marker="x", markeredgewidth=1.6, linestyle="", label="no value"),
        "hatched": Patch(facecolor="white", edgecolor=style.INK, hatch=style.HATCH, label="cell not valid"),
        "absent": Patch(facecolor=style.ABSENT, edgecolor=style.ABSENT_EDGE, hatch=style.HATCH_ABSENT, label="no value"),
    }
    return [handle for name, handle in known.items() if name in seen.marks]
