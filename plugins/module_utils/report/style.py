# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The style of charts: colours with fixed meanings, fonts, the figure's frame, and saving as a small PNG."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

try:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image
except ImportError:
    mpl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette, distinguishable for colour-blind readers; each colour has one meaning in every chart.
GOOD, DOUBTFUL, BAD = "#0072B2", "#E69F00", "#D55E00"
MEAN_COLOUR, PEAK_COLOUR = "#0072B2", "#1A1A1A"
INK, FAINT, GRID, ABSENT = "#1A1A1A", "#5F6368", "#E3E6EA", "#ECEEF1"
ABSENT_EDGE = "#C9CED4"
VERDICT_COLOURS = {"valid": GOOD, "invalid": DOUBTFUL, "failed": BAD, "missing": ABSENT, "not_judged": "#B8BEC6"}
# More is better: blue; less is better: orange. Dark always means much.
MORE_IS_BETTER, LESS_IS_BETTER = "Blues", "Oranges"
GROUP_MARKERS = ("o", "s", "^", "D")
GROUP_LINES: tuple[Literal["-", "--", "-.", ":"], ...] = ("-", "--", "-.", ":")
GROUP_COLOURS = (GOOD, "#CC79A7", "#009E73", "#8C6D1F")
HATCH, HATCH_ABSENT = "////", "...."
DPI = 120
WIDTH_IN = 11.0
# Characters of the subtitle that fit into one line.
_LINE = 150
# A character and a line of a panel's title.
_CHARACTER_IN, _TITLE_LINE_IN = 0.085, 0.17
_COLOURS_OF_A_CHART = 128

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans", "font.size": 9, "text.color": INK, "axes.labelcolor": FAINT, "axes.labelsize": 9,
    "axes.edgecolor": "#9AA0A6", "axes.linewidth": 0.8, "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left",
    # A fixed place: searching one costs a third of the drawing.
    "axes.titley": 1.0,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.grid.axis": "y", "axes.axisbelow": True,
    "grid.color": GRID, "grid.linewidth": 0.8, "xtick.color": FAINT, "ytick.color": FAINT, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5,
    "xtick.major.size": 0, "ytick.major.size": 3, "ytick.minor.size": 0, "lines.linewidth": 1.6, "legend.frameon": False, "legend.fontsize": 9,
    "hatch.linewidth": 0.7, "path.simplify": True,
}


@contextmanager
def applied() -> Iterator[None]:
    """Create and draw charts in this context; nothing outside it changes, and no matplotlibrc of a user or a working directory counts."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


@dataclass
class Frame:
    """The outer measures of a figure in inches."""

    rows: int
    columns: int
    panel_height: float
    left: float = 0.75
    right: float = 0.2
    top: float = 1.15
    bottom: float = 0.95
    gap_x: float = 0.35
    gap_y: float = 0.5
    width_ratios: tuple[float, ...] | None = None


def create_figure(frame: Frame, title: str, subtitle: str) -> tuple[Figure, list[Axes]]:
    """Return a figure with a grid of panels (row by row) below a title and a line about what is shown."""
    lines = textwrap.wrap(subtitle, _LINE)
    top = frame.top + 0.18 * (len(lines) - 1)
    height = top + frame.bottom + frame.rows * frame.panel_height + (frame.rows - 1) * frame.gap_y
    figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    panel_width = (WIDTH_IN - frame.left - frame.right - (frame.columns - 1) * frame.gap_x) / frame.columns
    grid = figure.add_gridspec(
        frame.rows, frame.columns, left=frame.left / WIDTH_IN, right=1 - frame.right / WIDTH_IN, top=1 - top / height,
        bottom=frame.bottom / height, wspace=frame.gap_x / panel_width, hspace=frame.gap_y / frame.panel_height, width_ratios=frame.width_ratios,
    )
    axes = grid.subplots(squeeze=False)
    figure.text(0.2 / WIDTH_IN, 1 - 0.18 / height, title, fontsize=14, fontweight="bold", va="top")
    figure.text(0.2 / WIDTH_IN, 1 - 0.48 / height, "\n".join(lines), fontsize=9.5, color=FAINT, va="top", linespacing=1.4)
    return figure, list(axes.flat)


def with_group(title: str, group: str, panel_in: float) -> str:
    """Return a panel's title with its group, if it has one, below it, in lines that fit into a panel of so many inches."""
    return "\n".join([title, *textwrap.wrap(group, int(panel_in / _CHARACTER_IN))])


def group_room(groups: Sequence[str], panel_in: float) -> float:
    """Return the inches that the longest group takes in titles of panels of so many inches."""
    return _TITLE_LINE_IN * max((with_group("", group, panel_in).count("\n") for group in groups), default=0)


def add_room_below(figure: Figure, inches: float) -> None:
    """Increase the height of a figure, or decrease it by a negative number; everything in it stays as it is."""
    width, height = figure.get_size_inches()
    taller = height + inches
    for ax in figure.axes:
        left, bottom, across, up = ax.get_position().bounds
        ax.set_position((left, (bottom * height + inches) / taller, across, up * height / taller))
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position((x, (y * height + inches) / taller))
    figure.set_size_inches(width, taller)


def level_colours(count: int) -> list[Any]:
    """Return colours for ordered levels, from dark (few) to light (many), all of them visible on white."""
    ramp = mpl.colormaps["viridis"]
    return [ramp(0.08 + 0.74 * (i / (count - 1) if count > 1 else 0.3)) for i in range(count)]


def png_bytes(figure: Figure) -> bytes:
    """Draw a figure as a PNG with a palette: a fifth of the size, with no visible difference."""
    canvas: Any = figure.canvas  # of create_figure: an Agg canvas, whose methods have no types
    canvas.draw()
    picture = Image.frombytes("RGBA", canvas.get_width_height(), canvas.buffer_rgba().tobytes()).convert("RGB")
    out = io.BytesIO()
    picture.quantize(_COLOURS_OF_A_CHART, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(out, "png", optimize=False, compress_level=6)
    return out.getvalue()
