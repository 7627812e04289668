# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bars by cell: one slot per tenants and load, tenants written below, groups side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.panels import Seen, load_axis
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import SOUND

try:
    import numpy as np
except ImportError:
    np = None

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


class Slots:
    """The places of the cells on the x axis, with a gap between tenant levels."""

    def __init__(self, model: Model) -> None:
        axis = load_axis(model)
        self.label = f"{axis.label}, by tenants"
        self.groups = model.groups
        self.place: dict[tuple[int, Any], float] = {}
        self.ticks: list[str] = []
        self.levels: list[tuple[float, str]] = []
        position = 0.0
        for tenants in model.tenants:
            loads = [load for load in model.loads if ((model.cells["tenants"] == tenants) & (model.cells["load"] == load)).any()]
            for load in loads:
                self.place[tenants, load] = position
                self.ticks.append(axis.ticks[axis.place(load)])
                position += 1
            self.levels.append((position - 1 - (len(loads) - 1) / 2, str(tenants)))
            position += 0.6
        self.end = position - 0.6

    def offset(self, group: str) -> float:
        """How far a group's bar stands from the slot's middle."""
        return (self.groups.index(group) - (len(self.groups) - 1) / 2) * self.width

    @property
    def width(self) -> float:
        """The width of one bar."""
        return 0.8 / len(self.groups)


def draw_bars(ax: Axes, frame: DataFrame, column: str, slots: Slots, seen: Seen, peak: str = "", scale: float = 1.0) -> Axes:
    """A bar per cell: the median of the repeats, which are dots when there are several; `peak` is a line above it.

    A cell without a value is a dotted grey gap of full height, one that is not valid is hatched.
    """
    for (tenants, load, group), rows in frame.groupby(["tenants", "load", "group"], sort=False):
        at = slots.place[tenants, load] + slots.offset(group)
        values = rows[column].dropna().to_numpy(dtype=float) * scale
        if not len(values):
            _gap(ax, at, slots.width)
            seen.marks.add("absent")
            continue
        sound = rows["verdict"].isin(SOUND).any()
        colour = style.GROUP_COLOURS[slots.groups.index(group) % 4]
        ax.bar(at, np.median(values), slots.width * 0.92, color=colour, edgecolor="white" if sound else style.INK, linewidth=0.5, hatch=None if sound else style.HATCH)
        seen.marks |= set() if sound else {"hatched"}
        if len(values) > 1:
            ax.plot([at] * len(values), values, ".", color=style.INK, markersize=3, zorder=4)
        peaks = rows[peak].dropna().to_numpy(dtype=float) * scale if peak else np.array([])
        if len(peaks):
            ax.hlines(peaks.max(), at - slots.width * 0.46, at + slots.width * 0.46, color=style.PEAK_COLOUR, linewidth=1.6, zorder=3)
    return ax


def stack_bars(ax: Axes, frame: DataFrame, columns: Sequence[tuple[str, str]], slots: Slots, seen: Seen) -> Axes:
    """Stacked bars per cell of (column, colour), summed over the repeats; a failed count is also written above the bar."""
    for (tenants, load, group), rows in frame.groupby(["tenants", "load", "group"], sort=False):
        at = slots.place[tenants, load] + slots.offset(group)
        if rows[columns[0][0]].isna().all():
            _gap(ax, at, slots.width)
            seen.marks.add("absent")
            continue
        sound = rows["verdict"].isin(SOUND).any()
        below = 0.0
        for column, colour in columns:
            height = float(rows[column].sum())
            ax.bar(at, height, slots.width * 0.92, bottom=below, color=colour, edgecolor="white" if sound else style.INK, linewidth=0.4, hatch=None if sound else style.HATCH)
            below += height
        seen.marks |= set() if sound else {"hatched"}
        failed = int(rows["failed"].sum())
        if failed:
            ax.annotate(str(failed), (at, below), xytext=(0, 1.5), textcoords="offset points", ha="center", va="bottom", fontsize=6.5, color=style.BAD, fontweight="bold")
    return ax


def label_slots(ax: Axes, slots: Slots, ticks: bool = True) -> Axes:
    """Labels the slots with the load and, below, the tenants."""
    ax.set_xlim(-0.6, slots.end - 0.4)
    ax.set_xticks(list(slots.place.values()), slots.ticks if ticks else [])
    if ticks:
        for middle, tenants in slots.levels:
            ax.annotate(
                f"{tenants} tenant{'' if tenants == '1' else 's'}" if len(slots.levels) < 4 else tenants,
                (middle, 0), xycoords=("data", "axes fraction"), xytext=(0, -20), textcoords="offset points", ha="center", va="top", fontsize=8.5,
                fontweight="bold", color=style.FAINT, annotation_clip=False,
            )
    return ax


def _gap(ax: Axes, at: float, width: float) -> None:
    ax.axvspan(at - width * 0.46, at + width * 0.46, facecolor=style.ABSENT, edgecolor=style.ABSENT_EDGE, hatch=style.HATCH_ABSENT, linewidth=0.5)
