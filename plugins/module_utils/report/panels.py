# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels: functions that draw one frame into one axes and return it. Missing is marked, never zero; what is not valid is told apart."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Load, Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import SOUND

try:
    import numpy as np
    import pandas as pd
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch, Rectangle
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator
    from matplotlib.transforms import blended_transform_factory
except ImportError:
    pd = None

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame


@dataclass
class Axis:
    """A categorical axis: the levels in order, their tick labels and the axis label."""

    column: str
    levels: list[Any]
    ticks: list[str]
    label: str

    def place(self, value: Any) -> int:
        """The position of a level."""
        return self.levels.index(value)


@dataclass
class Seen:
    """Which marks a figure holds, so that its legend explains those and no others."""

    marks: set[str] = field(default_factory=set)


def tenant_axis(model: Model) -> Axis:
    """Tenant levels at equal distances: 1, 10, 100 and 500 are told apart alike."""
    return Axis("tenants", model.tenants, [str(level) for level in model.tenants], "tenants")


def load_axis(model: Model) -> Axis:
    """Load levels at equal distances."""
    loads = model.loads
    profiles = {load.profile for load in loads}
    if profiles == {"closed"}:
        return Axis("load", loads, [f"{load.value:g}" for load in loads], "concurrent users")
    if profiles == {"open"}:
        return Axis("load", loads, [f"{load.value:g}" for load in loads], "journeys started per second")
    return Axis("load", loads, [f"{load.value:g}{'' if load.profile == 'closed' else '/s'}" for load in loads], "users, or journeys started per second (/s)")


def level_name(axis: Axis, value: Any) -> str:
    """A level with its unit, for legends."""
    if isinstance(value, Load):
        return value.text
    return f"{value} tenant{'' if value == 1 else 's'}"


def draw_lines(ax: Axes, frame: DataFrame, column: str, x: Axis, by: Axis, groups: Sequence[str], seen: Seen, low_n: str = "") -> Axes:
    """Lines over `x`, one per level of `by` (colour) and group (line and marker); points are repeats.

    The line joins the medians of the sound repeats. `low_n` names the statistics whose few samples make a point hollow.
    """
    colours = style.level_colours(len(by.levels))
    for g, group in enumerate(groups):
        for s, level in enumerate(by.levels):
            rows = frame[(frame["group"] == group) & (frame[by.column] == level)]
            if not rows.empty:
                _draw_series(ax, rows, column, x, _Look(colours[s], g, s, len(by.levels)), seen, low_n)
    return categories(ax, x)


@dataclass
class _Look:
    colour: Any
    group: int
    series: int
    count: int


def _draw_series(ax: Axes, rows: DataFrame, column: str, x: Axis, look: _Look, seen: Seen, low_n: str) -> None:
    places = rows[x.column].map(x.place).to_numpy()
    values = rows[column].to_numpy(dtype=float)
    sound = rows["verdict"].isin(SOUND).to_numpy() & ~np.isnan(values)
    medians = [np.median(values[sound & (places == place)]) if (sound & (places == place)).any() else np.nan for place in range(len(x.levels))]
    if np.count_nonzero(~np.isnan(medians)) > 1:
        ax.plot(range(len(x.levels)), medians, color=look.colour, linestyle=style.GROUP_LINES[look.group % 4], zorder=2)
    for place, value, is_sound, row in zip(places, values, sound, rows.itertuples(), strict=True):
        if np.isnan(value):
            continue
        _draw_point(ax, place, value, is_sound, row, look, seen, low_n)
    for place in sorted(set(places)):
        if np.isnan(values[places == place]).all():
            offset = (look.series - (look.count - 1) / 2) * min(0.14, 0.6 / look.count)
            ax.plot(
                place + offset, 0.035, transform=blended_transform_factory(ax.transData, ax.transAxes), marker="x", markersize=5.5,
                markeredgewidth=1.6, color=look.colour, zorder=4, clip_on=False,
            )
            seen.marks.add("missing")


def _draw_point(ax: Axes, place: float, value: float, is_sound: bool, row: Any, look: _Look, seen: Seen, low_n: str) -> None:
    is_low = bool(low_n) and any(name in row.low_n for name in (low_n, f"ok_{low_n}"))
    marker = style.GROUP_MARKERS[look.group % 4] if is_sound else "X"
    ax.plot(
        place, value, marker=marker, markersize=5 if is_sound else 8, markeredgewidth=1.3, zorder=3, color=look.colour,
        markerfacecolor="white" if is_low else look.colour, markeredgecolor=look.colour if is_sound else style.BAD,
    )
    seen.marks |= ({"low_n"} if is_low else set()) | (set() if is_sound else {"unsound"})
    if getattr(row, "error_ratio", 0) > 0.01:
        ax.plot(place, value, marker="o", markersize=11, markerfacecolor="none", markeredgecolor=style.BAD, markeredgewidth=1.3, zorder=3)
        seen.marks.add("failing")


def categories(ax: Axes, x: Axis) -> Axes:
    """Labels a categorical axis."""
    ax.set_xlim(-0.45, len(x.levels) - 0.55)
    ax.xaxis.set_major_locator(FixedLocator(range(len(x.levels))))
    ax.xaxis.set_ticklabels(x.ticks)
    return ax


def from_zero(ax: Axes) -> Axes:
    """Starts a linear axis at zero with room above the largest value."""
    top = ax.dataLim.y1
    ax.set_ylim(0, top * 1.15 if np.isfinite(top) and top > 0 else 1)
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_formatter(FuncFormatter(_tick))
    return ax


def _tick(value: float, _place: int) -> str:
    return f"{value:,.10g}".replace(",", "\u202f")


def log_milliseconds(axes: Sequence[Axes], frame: DataFrame, column: str) -> None:
    """One logarithmic scale for all the panels, with labels at 1, 2 and 5."""
    values = frame[column].dropna()
    values = values[values > 0]
    low, high = (values.min() / 1.5, values.max() * 1.5) if len(values) else (1, 1000)
    for ax in axes:
        ax.set_yscale("log")
        ax.set_ylim(low, high)
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(FuncFormatter(_tick))


def say_empty(ax: Axes, frame: DataFrame, column: str, reason: str) -> bool:
    """Replaces a panel without any value by a dotted one that says why; returns whether it did."""
    if frame[column].notna().any():
        return False
    title = ax.get_title(loc="left")
    ax.clear()
    ax.set_title(title)
    ax.add_patch(Rectangle((0, 0), 1, 1, transform=ax.transAxes, facecolor=style.ABSENT, edgecolor=style.ABSENT_EDGE, hatch=style.HATCH_ABSENT))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(0.5, 0.5, textwrap.fill(reason, 32), transform=ax.transAxes, ha="center", va="center", bbox={"facecolor": "white", "edgecolor": "none", "pad": 4})
    return True


def add_legend(figure: Figure, by: Axis | None, groups: Sequence[str], seen: Seen, extra: Sequence[Any] = ()) -> None:
    """Explains colours, groups and those marks that occur, in one strip below the panels."""
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
    height = figure.get_size_inches()[1]
    columns = min(6, max(1, len(handles)))
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.1 / style.WIDTH_IN, 0.06 / height), ncols=columns, handlelength=2.2, columnspacing=1.6)


def _mark_handles(seen: Seen) -> list[Any]:
    known = {
        "low_n": Line2D([], [], color=style.FAINT, marker="o", markerfacecolor="white", linestyle="", label="few samples"),
        "failing": Line2D([], [], color=style.BAD, marker="o", markerfacecolor="none", markersize=10, linestyle="", label="over 1 % failed"),
        "unsound": Line2D([], [], color=style.FAINT, marker="X", markeredgecolor=style.BAD, markersize=8, linestyle="", label="cell not valid"),
        "missing": Line2D([], [], color=style.FAINT, marker="x", markeredgewidth=1.6, linestyle="", label="no value"),
        "hatched": Patch(facecolor="white", edgecolor=style.INK, hatch=style.HATCH, label="cell not valid"),
        "absent": Patch(facecolor=style.ABSENT, edgecolor=style.ABSENT_EDGE, hatch=style.HATCH_ABSENT, label="no value"),
    }
    return [handle for name, handle in known.items() if name in seen.marks]
