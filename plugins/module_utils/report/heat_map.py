# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Heat maps: a value per tenants and load, or per operation and cell."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.panels import Axis, Seen
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import number
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import VALID_STATUSES, WORDS, bucketed

try:
    import matplotlib as mpl
    import numpy as np
    from matplotlib.patches import Rectangle
except ImportError:
    mpl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


# Below this font size there is room for one short number only.
_SMALL = 8


def draw_heat_map(
    ax: Axes, frame: DataFrame, column: str, x: Axis, y: Axis, palette: str, limits: tuple[float, float], seen: Seen,
    write: Callable[[float], str] = number, font: float = 10.5, log: bool = False, low_n: str = "",
) -> Axes:
    """Colour and write the median of the repeats of every cell; with several repeats their range stands below.

    A cell without a value is grey and dotted with its verdict, one that is not valid is hatched; a combination that was
    never planned stays white. `low_n` names the statistic whose few samples give a value a tilde. Without a `font` size nothing is written.
    """
    scale, colours = _scale(limits, log), mpl.colormaps[palette]
    faces = np.zeros((len(y.levels), len(x.levels), 4))
    for (column_level, row_level), rows in bucketed(frame, (x.column, y.column), (column, "verdict", "low_n")).items():
        i, j = x.place(column_level), y.place(row_level)
        valid = [value for value, verdict, _low in rows if verdict in VALID_STATUSES and not math.isnan(value)]
        values = valid or [value for value, _verdict, _low in rows if not math.isnan(value)]
        if not values:
            _absent(ax, i, j, rows[-1][1], font, seen)
            continue
        middle = statistics.median(values)
        faces[j, i] = colours(0.06 + 0.86 * scale(middle))
        few = low_n and any(low_n in low or f"ok_{low_n}" in low for _value, _verdict, low in rows)
        text = write(middle) + ("~" if few else "") + (_range(write(min(values)), write(max(values))) if font > _SMALL else "")
        if not valid:
            ax.add_patch(Rectangle((i - 0.5, j - 0.5), 1, 1, fill=False, edgecolor=style.INK, hatch=style.HATCH))
            seen.marks.add("hatched")
        if not font:
            continue
        if valid:
            ax.text(i, j, text, ha="center", va="center", fontsize=font, color="white" if _luminance(faces[j, i]) < 0.5 else style.INK)
        else:
            ax.text(i, j, text, ha="center", va="center", fontsize=font, bbox=_label_box())
    edges = np.arange(len(x.levels) + 1) - 0.5, np.arange(len(y.levels) + 1) - 0.5
    ax.pcolormesh(*edges, faces, edgecolors="white", linewidth=1.5, zorder=0)
    return _frame(ax, x, y)


def draw_verdicts(ax: Axes, frame: DataFrame, x: Axis, y: Axis) -> Axes:
    """Write the worst verdict of the repeats of every cell."""
    order = ["failed", "invalid", "missing", "valid", "not_judged"]
    for (column_level, row_level), rows in bucketed(frame, (x.column, y.column), ("verdict",)).items():
        i, j = x.place(column_level), y.place(row_level)
        verdicts = [verdict for (verdict,) in rows]
        worst = min(verdicts, key=order.index)
        ax.add_patch(Rectangle((i - 0.5, j - 0.5), 1, 1, facecolor=style.VERDICT_COLOURS[worst], edgecolor="white", linewidth=1.5))
        text = WORDS[worst] + (f"\n{verdicts.count(worst)} of {len(verdicts)}" if len(verdicts) > 1 else "")
        ax.text(i, j, text, ha="center", va="center", fontsize=9, color="white" if worst in ("valid", "failed") else style.INK)
    return _frame(ax, x, y)


def limits_of(frames: Sequence[DataFrame], column: str, from_zero: bool = False, spread: float = 1.0) -> tuple[float, float]:
    """Return the range of the values over several frames, so that panels share one scale.

    Its ends have at least the ratio `spread`, so that values which differ by noise only have similar colours.
    """
    values = [value for frame in frames for value in frame[column].dropna()]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if from_zero:
        return 0.0, high
    missing = math.sqrt(max(1.0, spread * low / high)) if low > 0 else 1.0
    return low / missing, high * missing


def _range(low: str, high: str) -> str:
    return "" if low == high else f"\n{low}–{high}"


def _scale(limits: tuple[float, float], log: bool) -> Callable[[float], float]:
    """Return a function from a value to its place between the limits, 0 to 1."""
    bend = (lambda value: math.log(max(value, 1e-3))) if log else float
    low, high = bend(limits[0]), bend(limits[1])
    return lambda value: min(1.0, max(0.0, (bend(value) - low) / (high - low))) if high > low else 0.5


def _absent(ax: Axes, i: int, j: int, verdict: str, font: float, seen: Seen) -> None:
    ax.add_patch(Rectangle((i - 0.5, j - 0.5), 1, 1, facecolor=style.ABSENT, edgecolor=style.ABSENT_EDGE, hatch=style.HATCH_ABSENT))
    if font > _SMALL:
        word = WORDS[verdict] if verdict in ("failed", "missing") else "no value"
        ax.text(i, j, word, ha="center", va="center", fontsize=9, bbox=_label_box())
    seen.marks.add("absent")


def _label_box() -> dict[str, Any]:
    return {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.2}


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
