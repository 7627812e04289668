# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bars by cell: one slot per tenants and load, tenants written below, groups side by side."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.panels import Seen, load_axis
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import VALID_STATUSES, bucketed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


# More labels are not legible, and each of them takes longer to draw than its bar.
_TICKS_MAX = 80


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
        """Return how far a group's bar stands from the slot's middle."""
        return (self.groups.index(group) - (len(self.groups) - 1) / 2) * self.width

    @property
    def width(self) -> float:
        """The width of one bar."""
        return 0.8 / len(self.groups)


def draw_bars(ax: Axes, frame: DataFrame, column: str, slots: Slots, seen: Seen, peak: str = "", scale: float = 1.0) -> Axes:
    """Draw a bar per cell: the median of the repeats, which are dots when there are several; `peak` is a line above it.

    A cell without a value is a dotted grey gap of full height, one that is not valid is hatched.
    """
    bars = _Bars(ax, slots, seen)
    for key, rows in bucketed(frame, ("tenants", "load", "group"), (column, "verdict", peak or column)).items():
        at = bars.place(key)
        values = [value * scale for value, _verdict, _peak in rows if not math.isnan(value)]
        if not values:
            bars.add_gap(at)
            continue
        is_valid = any(verdict in VALID_STATUSES for _value, verdict, _peak in rows)
        bars.add(at, statistics.median(values), style.GROUP_COLOURS[slots.groups.index(key[2]) % 4], is_valid)
        if len(values) > 1:
            ax.plot([at] * len(values), values, ".", color=style.INK, markersize=3, zorder=4)
        peaks = [value * scale for _value, _verdict, value in rows if peak and not math.isnan(value)]
        if peaks:
            ax.hlines(max(peaks), at - slots.width * 0.46, at + slots.width * 0.46, color=style.PEAK_COLOUR, linewidth=1.6, zorder=3)
    return bars.draw()


def stack_counts(ax: Axes, frame: DataFrame, slots: Slots, seen: Seen) -> Axes:
    """Draw passed and failed requests stacked per cell, summed over the repeats; the failed ones are also counted above the bar."""
    bars = _Bars(ax, slots, seen)
    for key, rows in bucketed(frame, ("tenants", "load", "group"), ("ok", "failed", "verdict")).items():
        at = bars.place(key)
        counted = [(ok, failed) for ok, failed, _verdict in rows if not math.isnan(ok + failed)]
        if not counted:
            bars.add_gap(at)
            continue
        is_valid = any(verdict in VALID_STATUSES for _ok, _failed, verdict in rows)
        passed, failed = (sum(values) for values in zip(*counted, strict=True))
        bars.add(at, passed, style.GOOD, is_valid)
        if failed:
            bars.add(at, failed, style.BAD, is_valid, passed)
            ax.text(at, passed + failed, f"{failed:.0f}", ha="center", va="bottom", fontsize=6.5, color=style.BAD, fontweight="bold")
    return bars.draw()


class _Bars:
    """Bars of a panel; those of the same style are drawn at once."""

    def __init__(self, ax: Axes, slots: Slots, seen: Seen) -> None:
        self.ax, self.slots, self.seen = ax, slots, seen
        self.alike: dict[tuple[str, bool], list[tuple[float, float, float]]] = {}

    def place(self, key: tuple[Any, ...]) -> float:
        tenants, load, group = key
        return self.slots.place[tenants, load] + self.slots.offset(group)

    def add(self, at: float, height: float, colour: str, is_valid: bool, bottom: float = 0.0) -> None:
        self.alike.setdefault((colour, is_valid), []).append((at, height, bottom))

    def add_gap(self, at: float) -> None:
        half = self.slots.width * 0.46
        self.ax.axvspan(at - half, at + half, facecolor=style.ABSENT, edgecolor=style.ABSENT_EDGE, hatch=style.HATCH_ABSENT, linewidth=0.5)
        self.seen.marks.add("absent")

    def draw(self) -> Axes:
        for (colour, is_valid), bars in self.alike.items():
            places, heights, bottoms = zip(*bars, strict=True)
            edge: dict[str, Any] = {} if is_valid else {"edgecolor": style.INK, "hatch": style.HATCH, "linewidth": 0.5}
            self.ax.bar(places, heights, self.slots.width * 0.92, bottom=bottoms, color=colour, **edge)
            self.seen.marks |= set() if is_valid else {"hatched"}
        return self.ax


def label_slots(ax: Axes, slots: Slots, ticks: bool = True, panel_chars: int = 60) -> Axes:
    """Label the slots, not all of many, with the load and, below, the tenants; small where they would not fit into `panel_chars` characters."""
    ax.set_xlim(-0.6, slots.end - 0.4)
    if not ticks:
        ax.set_xticks([])
    else:
        step = -(-len(slots.place) // _TICKS_MAX)
        ax.set_xticks(list(slots.place.values())[::step], slots.ticks[::step])
        ax.tick_params(axis="x", labelsize=8.5 if len(slots.place) * 3 < panel_chars else 6)
        for middle, tenants in slots.levels:
            ax.annotate(
                f"{tenants} tenant{'' if tenants == '1' else 's'}" if len(slots.levels) < 4 else tenants,
                (middle, 0), xycoords=("data", "axes fraction"), xytext=(0, -20), textcoords="offset points", ha="center", va="top", fontsize=8.5,
                fontweight="bold", color=style.FAINT, annotation_clip=False,
            )
    return ax
