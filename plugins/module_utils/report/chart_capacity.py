# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a search for the capacity: what every probe measured over its load, the limit, and the interval of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model

try:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
except ImportError:
    Line2D = None  # type: ignore[assignment, misc]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKS = {"holds": ("o", style.GOOD, "holds"), "fails": ("X", style.BAD, "fails"), "hopeless": ("v", style.DOUBTFUL, "hopeless, stopped early")}


def has_capacity(model: Model) -> bool:
    """Return whether a run of the report is a search of which a probe was measured."""
    return any(run.capacity and run.capacity["probes"] for run in model.runs)


def capacity(model: Model) -> Figure:
    """Draw a row for each search: latency or requests per second over the load of its probes, on logarithmic scales."""
    found = [run for run in model.runs if run.capacity and run.capacity["probes"]]
    figure, axes = style.create_figure(
        style.Frame(len(found), 2, 3.0, gap_x=0.8, gap_y=0.8, bottom=1.0), "Capacity", "One mark per probe; the band is the 95 % interval of the answer.",
    )
    for row, run in enumerate(found):
        document = run.capacity or {}
        limits = list(document["search"]["limits"].items())
        name, limit = limits[0] if limits else ("", None)
        points = [(probe["load"], probe["values"].get(name), _kind(probe)) for probe in document["probes"] if probe["verdict"] != "invalid"]
        _draw(axes[2 * row], document, points, name or "no latency is limited", "ms", limit)
        rates = [(probe["load"], probe["rate_per_s"], _kind(probe)) for probe in document["probes"] if probe["verdict"] != "invalid"]
        _draw(axes[2 * row + 1], document, rates, "Throughput", "requests/s", None)
    handles: list[Any] = [Line2D([], [], linestyle="", marker=marker, color=colour, label=text) for marker, colour, text in _MARKS.values()]
    handles += [Line2D([], [], color=style.INK, linestyle="--", label="limit"), Patch(facecolor=style.GOOD, alpha=0.18, label="95 % interval")]
    figure.legend(handles=handles, loc="lower left", ncols=5, bbox_to_anchor=(0.01, 0.01))
    return figure


def _kind(probe: Mapping[str, Any]) -> str:
    return "hopeless" if probe["is_hopeless"] else str(probe["verdict"])


def _draw(ax: Axes, document: Mapping[str, Any], points: list[tuple[float, float | None, str]], title: str, unit: str, limit: float | None) -> None:
    known = [(load, value, kind) for load, value, kind in points if value]
    ax.set_title(title)
    ax.set_xlabel(document["unit"])
    ax.set_ylabel(unit)
    for load, value, kind in known:
        marker, colour, _text = _MARKS[kind]
        ax.plot([load], [value], linestyle="", marker=marker, color=colour, markersize=6, zorder=3)
    if known:
        ax.set_xscale("log")
        ax.set_yscale("log")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
            axis.set_minor_locator(NullLocator())
    if document["crossing"]:
        ax.axvspan(document["crossing"]["low"], document["crossing"]["high"], color=style.GOOD, alpha=0.18, zorder=0)
    if limit is not None:
        ax.axhline(limit, color=style.INK, linestyle="--", linewidth=1, zorder=1)
