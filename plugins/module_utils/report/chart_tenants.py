# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants as the subject: the P95 of every tenant beside that of the others, for up to 500 tenants and a few cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import VALID_STATUSES

try:
    from matplotlib.ticker import FuncFormatter, MaxNLocator
except ImportError:
    FuncFormatter = MaxNLocator = None  # type: ignore[assignment, misc]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

TENANTS_MAX = 500
_CELLS_MAX = 6
_NAMED = 3
# A tenant at this ratio to the median one or beyond is drawn as one that stands out.
_STANDS_OUT = 2.0


def has_tenants(model: Model) -> bool:
    """Return whether a valid cell has a P95 of several tenants."""
    return bool(_shown(model))


def tenants(model: Model) -> Figure:
    """Draw a panel for each cell, those with the least even tenants first: the P95 of its tenants in order, the median, and who stands out."""
    shown = _shown(model)
    rows = -(-len(shown) // 2)
    figure, axes = style.create_figure(
        style.Frame(rows, 2, 2.4, gap_x=0.8, gap_y=0.8),
        "Tenants", "P95 of every tenant with at least 20 requests, from the fastest to the slowest; the line is the median tenant.",
    )  # fmt: skip
    for ax, (name, frame) in zip(axes, shown, strict=False):
        _draw(ax, name, frame)
    for ax in axes[len(shown):]:
        ax.set_axis_off()
    return figure


def _shown(model: Model) -> list[tuple[str, DataFrame]]:
    frame = model.per_tenant
    frame = frame[frame["p95_ms"].notna() & frame["verdict"].isin(VALID_STATUSES)]
    groups = [(f"{run_id} {cell_id}" if len(model.runs) > 1 else cell_id, rows) for (run_id, cell_id), rows in frame.groupby(["run_id", "cell_id"])]
    several = [(name, rows) for name, rows in groups if 1 < len(rows) <= TENANTS_MAX]
    return sorted(several, key=lambda pair: -float(pair[1]["p95_ms"].max() / pair[1]["p95_ms"].median()))[:_CELLS_MAX]


def _draw(ax: Axes, name: str, frame: DataFrame) -> None:
    ordered = frame.sort_values("p95_ms")
    values, names = list(ordered["p95_ms"]), list(ordered["tenant"])
    middle = float(ordered["p95_ms"].median())
    colours = [style.BAD if value >= _STANDS_OUT * middle else style.GOOD for value in values]
    ax.scatter(range(1, len(values) + 1), values, c=colours, s=14, zorder=3)
    ax.axhline(middle, color=style.FAINT, linewidth=1, zorder=1)
    for place in range(len(values) - 1, max(-1, len(values) - 1 - _NAMED), -1):
        if values[place] >= _STANDS_OUT * middle:
            ax.annotate(names[place], (place + 1, values[place]), xytext=(-6, 0), textcoords="offset points", ha="right", va="center", fontsize=8)
    ax.set_title(name)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.set_xlabel("tenants, by P95")
    ax.set_ylabel("P95 (ms)")
    ax.set_ylim(0, max(values) * 1.15)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:,.10g}".replace(",", "\u202f")))
