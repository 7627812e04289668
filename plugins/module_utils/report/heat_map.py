# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Heat maps: a value per tenants and load, or per operation and cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.panels import Axis, Seen
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import number
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import SOUND, WORDS

try:
    import matplotlib as mpl
    import numpy as np
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.patches import Rectangle
except ImportError:
    mpl = None

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


def draw_heat_map(
    ax: Axes, frame: DataFrame, column: str, x: Axis, y: Axis, palette: str, limits: tuple[float, float], seen: Seen,
    write: Callable[[float], str] = number, font: float = 10.5, log: bool = False,
) -> Axes:
    """Colours and writes the median of the repeats of every cell; with several repeats their range stands below.

    A cell without a value is grey and dotted with its verdict, one that is not valid is hatched; a combination that was
    never planned stays white.
    """
    norm = _norm(limits, log)
    colours = mpl.colormaps[palette]
    for (column_level, row_level), rows in frame.groupby([x.column, y.column], sort=False):
        i, j = x.place(column_level), y.place(row_level)
        values = rows.loc[rows["verdict"].isin(SOUND), column].dropna()
        unsound = values.empty
        if unsound:
            values = rows[column].dropna()
        if values.empty:
            _absent(ax, i, j, rows["verdict"].iloc[-1], font, seen)
            continue
        middle = float(values.median())
        colour = colours(0.06 + 0.86 * norm(middle))
        _box(ax, i, j, facecolor=colour, hatch=style.HATCH if unsound else None, edgecolor=style.INK if unsound else "white")
        ink = "white" if _luminance(colour) < 0.45 else style.INK
        text = write(middle) + (f"\n{write(values.min())}–{write(values.max())}" if len(values) > 1 and font > 8 else "")
        ax.text(i, j, text, ha="center", va="center", color=style.INK if unsound else ink, fontsize=font, bbox=_label_box() if unsound else None)
        seen.marks |= {"hatched"} if unsound else set()
    return _frame(ax, x, y)


def draw_verdicts(ax: Axes, frame: DataFrame, x: Axis, y: Axis) -> Axes:
    """Writes the worst verdict of the repeats of every cell."""
    order = ["failed", "invalid", "missing", "valid", "not_judged"]
    for (column_level, row_level), rows in frame.groupby([x.column, y.column], sort=False):
        i, j = x.place(column_level), y.place(row_level)
        worst = min(rows["verdict"], key=order.index)
        _box(ax, i, j, facecolor=style.VERDICT_COLOURS[worst], edgecolor="white", hatch=None)
        valid = int((rows["verdict"] == worst).sum())
        text = WORDS[worst] + (f"\n{valid} of {len(rows)}" if len(rows) > 1 else "")
        ax.text(i, j, text, ha="center", va="center", fontsize=9, color="white" if worst in ("valid", "failed") else style.INK)
    return _frame(ax, x, y)


def limits_of(frames: Sequence[DataFrame], column: str, from_zero: bool = False) -> tuple[float, float]:
    """The range of the values over several frames, so that panels share one scale."""
    values = [value for frame in frames for value in frame[column].dropna()]
    if not values:
        return 0.0, 1.0
    return (0.0 if from_zero else min(values)), max(values)


def _norm(limits: tuple[float, float], log: bool) -> Any:
    low, high = limits
    if log:
        low = max(low, 1e-3)
        return LogNorm(low, max(high, low * 1.01), clip=True)
    return Normalize(low, high if high > low else low + 1, clip=True)


def _absent(ax: Axes, i: int, j: int, verdict: str, font: float, seen: Seen) -> None:
    _box(ax, i, j, facecolor=style.ABSENT, edgecolor=style.ABSENT_EDGE, hatch=style.HATCH_ABSENT)
    word = WORDS[verdict] if verdict in ("failed", "missing") else "no value"
    ax.text(i, j, word if font > 8 else "–", ha="center", va="center", fontsize=min(font, 9), color=style.INK, bbox=_label_box())
    seen.marks.add("absent")


def _label_box() -> dict[str, Any]:
    return {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.2}


def _box(ax: Axes, i: int, j: int, **look: Any) -> None:
    ax.add_patch(Rectangle((i - 0.5, j - 0.5), 1, 1, linewidth=1.5, **look))


def _frame(ax: Axes, x: Axis, y: Axis) -> Axes:
    ax.grid(False)
    ax.set_xlim(-0.5, len(x.levels) - 0.5)
    ax.set_ylim(len(y.levels) - 0.5, -0.5)
    ax.set_xticks(range(len(x.levels)), x.ticks)
    ax.set_yticks(range(len(y.levels)), y.ticks)
    ax.tick_params(left=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def _luminance(colour: Sequence[float]) -> float:
    return float(np.dot(colour[:3], (0.299, 0.587, 0.114)))
