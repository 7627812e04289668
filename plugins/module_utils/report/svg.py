# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the page as inline SVG: panels of series over one axis.

What is drawn here is complete without JavaScript. Every element also carries its data (`data-x`, `data-y`, `data-low`, `data-high`), from which
files/report/page.js places it again when the width, the zoom or the scale changes.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import number

LEFT, RIGHT, TOP, BOTTOM, GAP, SPAN_ROW = 58, 16, 26, 44, 34, 16
_SHAPES = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "M-3.6 -3.6h7.2v7.2h-7.2z", "M0 -4.8L4.6 3.6H-4.6z", "M0 -5L5 0L0 5L-5 0z",
    "M0 4.8L4.6 -3.6H-4.6z", "M-1.6 -4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z",
    "M-1 -15h2V3h-2z",
)  # fmt: skip
_INVALID_SHAPE = "M-5.5 -5.5h11v11h-11z"
TICK = -1
_DASHES = ("", "7 3", "2 3", "9 3 2 3")
# Above so many marks one path draws them all.
_MARKS_MAX = 60
Numbers = Sequence[float]


@dataclass(frozen=True)
class Series:
    """One line, area or set of dots; NaN is a gap.

    `kind` is line, marks, dots or area. `role` is the CSS class of its colour, `tone` its place (0 to 1) in the ramp of ordered levels; `shape` and
    `dash` tell it apart without colour. `low` and `high` are its interval, drawn as bars at marks, else as a band. Places in `invalid` are marked and
    left out of the line. `notes` are further texts by place, for the readout.
    """

    name: str
    x: Numbers
    y: Numbers
    role: str = "level"
    tone: float = 1.0
    shape: int | None = None
    dash: int = 0
    kind: str = "line"
    low: Numbers = ()
    high: Numbers = ()
    invalid: frozenset[int] = frozenset()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Panel:
    """One y axis with its series; `limits` are (value, text) of the lines of objectives, `middle` of a line for orientation; `log` starts with such a scale."""

    title: str
    series: Sequence[Series]
    unit: str = ""
    height: int = 150
    limits: Sequence[tuple[float, str]] = ()
    middle: Sequence[tuple[float, str]] = ()
    log: bool = False
    ends: tuple[float, float] | None = None
    """The ends of the y axis; from the values where it is None."""
    is_row: bool = False
    """A row has its title at the left and no ticks."""


@dataclass(frozen=True)
class Plot:
    """Panels one below the other over one x axis; `spans` are (from, to, CSS class, text) of periods that are marked in all panels."""

    panels: Sequence[Panel]
    x_title: str
    x_range: tuple[float, float] | None = None
    x_ticks: Sequence[float] = ()
    x_log: bool = False
    spans: Sequence[tuple[float, float, str, str]] = ()
    width: int = 640
    alt: str = ""
    left: int = LEFT
    names: dict[float, str] = field(default_factory=dict)
    """Labels of all x ticks, where these are no numbers."""


class _Scale:
    """From values to pixels."""

    def __init__(self, ends: tuple[float, float], pixels: tuple[float, float], log: bool) -> None:
        low, high = ends
        self.log = log and low > 0
        self.low, self.high = (low, high) if high > low else (low, low + (abs(low) or 1.0))
        self.start, self.end = pixels

    def __call__(self, value: float) -> float:
        bend = math.log if self.log else float
        low, high = bend(self.low), bend(self.high)
        share = (bend(max(value, self.low / 10)) - low) / (high - low) if self.log else (value - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def ticks(self, wanted: int) -> list[float]:
        """Return round values between the ends."""
        return log_ticks(self.low, self.high) if self.log else linear_ticks(self.low, self.high, wanted)


def linear_ticks(low: float, high: float, wanted: int) -> list[float]:
    """Return at most about `wanted` multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= raw * 0.999), 10 * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{place * step:.10g}") for place in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten, with their double and fivefold where they are few."""
    decades = math.log10(high / low)
    factors = (1,) if decades > 4 else (1, 3) if decades > 2 else (1, 2, 5) if decades > 0.5 else (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [float(f"{factor * 10.0**power:.10g}") for power in powers for factor in factors]
    return [value for value in found if low <= value <= high]


def tick_text(value: float) -> str:
    """Return a tick label without trailing zeros: 0.05, 20, 1 500."""
    return f"{value:,.10g}".replace(",", "\u202f")


def plot_svg(plot: Plot) -> str:
    """Return the plot as an svg element."""
    heights = [panel.height for panel in plot.panels]
    gaps = [0 if panel.is_row else GAP for panel in plot.panels[1:]]
    # The names of spans have a row of their own above the title of the first panel.
    top = float(TOP + (SPAN_ROW if plot.spans else 0))
    height = round(top) + sum(heights) + sum(gaps) + BOTTOM
    x_ends = plot.x_range or _ends([value for panel in plot.panels for series in panel.series for value in series.x])
    x = _Scale(x_ends, (plot.left, plot.width - RIGHT), plot.x_log)
    parts = [
        f'<svg class="chart" viewBox="0 0 {plot.width} {height}" role="img" aria-label="{_attribute(plot.alt)}" data-left="{plot.left}" data-right="{RIGHT}" '
        f'data-x0="{_short(x.low)}" data-x1="{_short(x.high)}"{" data-xlog" if x.log else ""} data-ticks="{_join(plot.x_ticks)}" '
        f'{_names(plot)}'
        f'data-unit="{_attribute(plot.x_title)}">'
    ]  # fmt: skip
    bottom = height - BOTTOM
    for start, end, kind, text in plot.spans:
        parts.append(_span(x, start, end, kind, text, top, bottom))
    for place, panel in enumerate(plot.panels):
        top += 0 if place == 0 else gaps[place - 1]
        parts.append(_panel(panel, x, plot, top))
        top += panel.height
    ticks = [*plot.x_ticks] or x.ticks(max(2, (plot.width - plot.left) // 90))
    parts.append(f'<g class="x-ticks" data-top="{bottom:g}">')
    parts += [
        f'<text x="{_px(x(value))}" y="{bottom + 16:g}" text-anchor="middle">{_text(plot.names.get(value, tick_text(value)))}</text>'
        for value in ticks if x.low <= value <= x.high
    ]
    middle = _px((plot.left + plot.width - RIGHT) / 2)
    parts.append(f'</g><text class="x-title" x="{middle}" y="{bottom + 35:g}" text-anchor="middle">{_text(plot.x_title)}</text></svg>')
    return "".join(parts)


def _names(plot: Plot) -> str:
    """Return the names of the ticks, in their order, as an attribute; nothing where they have none."""
    return f'data-names="{_attribute("|".join(plot.names[value].replace("|", "/") for value in plot.x_ticks))}" ' if plot.names else ""


def _panel(panel: Panel, x: _Scale, plot: Plot, top: float) -> str:
    y = _Scale(panel.ends or _y_ends(panel), (top + panel.height, top), panel.log)
    title = (
        f'<text class="row-title" x="{plot.left - 8}" y="{top + panel.height - 4:g}" text-anchor="end">{_text(panel.title)}</text>' if panel.is_row
        else f'<text class="y-title" x="0" y="{top - 10:g}">{_text(panel.title)}</text>'
    )
    parts = [
        f'<g class="panel{" row" if panel.is_row else ""}" data-top="{top:g}" data-height="{panel.height}" data-y0="{_short(y.low)}" data-y1="{_short(y.high)}"'
        f'{" data-ylog" if y.log else ""} data-unit="{_attribute(panel.unit)}" data-title="{_attribute(panel.title)}">{title}<g class="y-ticks">'
    ]
    if panel.is_row:
        parts.append(f'<path class="grid" d="M{plot.left} {top + panel.height:g}H{plot.width - RIGHT}"/>')
    else:
        for value in y.ticks(max(2, panel.height // 40)):
            at = _px(y(value))
            parts.append(f'<path class="grid" d="M{plot.left} {at}H{plot.width - RIGHT}"/>')
            parts.append(f'<text x="{plot.left - 8}" y="{at}" dy=".32em" text-anchor="end">{tick_text(value)}</text>')
    parts.append("</g>")
    for kind, value, text in [*(("limit", *line) for line in panel.limits), *(("limit middle", *line) for line in panel.middle)]:
        at = _px(y(value))
        parts.append(
            f'<g class="{kind}" data-y="{_short(value)}"><path d="M{plot.left} {at}H{plot.width - RIGHT}"/>'
            f'<text x="{plot.width - RIGHT}" y="{at}" dy="-.35em" text-anchor="end">{_text(text)}</text></g>'
        )
    marked = sum(1 for series in panel.series if series.shape is not None)
    for place, series in enumerate(panel.series):
        shift = (place - (marked - 1) / 2) * min(4.0, 12.0 / marked) if series.shape is not None and marked > 1 else 0.0
        parts.append(_series(series, x, y, shift))
    parts.append("</g>")
    return "".join(parts)


def _series(series: Series, x: _Scale, y: _Scale, shift: float) -> str:
    """Return a group with the line, the interval and the marks of a series."""
    data = [f'data-x="{_join(series.x)}"', f'data-y="{_join(series.y)}"']
    data += [f'data-low="{_join(series.low)}"', f'data-high="{_join(series.high)}"'] if len(series.low) else []
    data += [f'data-invalid="{_join(sorted(series.invalid))}"'] if series.invalid else []
    data += [f'data-notes="{_attribute("|".join(text.replace("|", "/") for text in series.notes))}"'] if any(series.notes) else []
    data += [f'data-shift="{shift:g}"'] if shift else []
    dash = f' stroke-dasharray="{_DASHES[series.dash % len(_DASHES)]}"' if series.dash % len(_DASHES) else ""
    parts = [f'<g class="series {series.role} {series.kind}" style="--tone:{series.tone:.2g}" data-name="{_attribute(series.name)}" {" ".join(data)}>']
    places = [place for place, value in enumerate(series.y) if not math.isnan(value)]
    points = [
        None if math.isnan(value) or place in series.invalid else (x(at), y(value)) for place, (at, value) in enumerate(zip(series.x, series.y, strict=True))
    ]
    if len(series.low):
        parts.append(_interval(series, x, y, shift))
    if series.kind == "area":
        parts.append(f'<path class="area" d="{_area(points, y.start)}"/>')
    elif series.kind == "dots":
        parts.append(f'<path class="dots" d="{"".join(f"M{_px(point[0])} {_px(point[1])}h0" for point in points if point)}"/>')
    elif series.kind == "line":
        parts.append(f'<path class="line"{dash} d="{_line(points)}"/>')
    if series.shape is not None and len(places) <= _MARKS_MAX:
        for place in places:
            is_invalid = place in series.invalid
            shape = _INVALID_SHAPE if is_invalid else _shape(series.shape)
            note = f" ({series.notes[place]})" if place < len(series.notes) and series.notes[place] else ""
            title = f"{series.name}: {number(series.y[place])} at {tick_text(series.x[place])}{note}"
            parts.append(
                f'<path class="mark{" invalid" if is_invalid else ""}" data-place="{place}" d="{shape}" '
                f'transform="translate({_px(x(series.x[place]) + shift)} {_px(y(series.y[place]))})"><title>{_text(title)}</title></path>'
            )
    parts.append("</g>")
    return "".join(parts)


def _shape(place: int) -> str:
    """Return a mark: those of levels repeat after six, the last one is a tick that stands on its axis."""
    return _SHAPES[-1] if place == TICK else _SHAPES[place % (len(_SHAPES) - 1)]


def _interval(series: Series, x: _Scale, y: _Scale, shift: float) -> str:
    known = [
        (x(at), y(low), y(high))
        for at, low, high in zip(series.x, series.low, series.high, strict=True) if not (math.isnan(low) or math.isnan(high))
    ]
    if series.shape is None:
        up = [f"{_px(at)} {_px(high)}" for at, _low, high in known]
        down = [f"{_px(at)} {_px(low)}" for at, low, _high in reversed(known)]
        return f'<path class="band" d="{"M" + "L".join(up + down) + "z" if known else ""}"/>'
    drawn = "".join(f"M{_px(at + shift)} {_px(low)}V{_px(high)}m-4 0h8M{_px(at + shift - 4)} {_px(low)}h8" for at, low, high in known)
    return f'<path class="bars" d="{drawn}"/>'


def _line(points: Iterable[tuple[float, float] | None]) -> str:
    parts: list[str] = []
    is_open = False
    for point in points:
        if point:
            parts.append(f"{'L' if is_open else 'M'}{_px(point[0])} {_px(point[1])}")
        is_open = point is not None
    return "".join(parts)


def _area(points: Sequence[tuple[float, float] | None], floor: float) -> str:
    known = [point for point in points if point]
    return f"M{_px(known[0][0])} {_px(floor)}L{'L'.join(f'{_px(at)} {_px(high)}' for at, high in known)}L{_px(known[-1][0])} {_px(floor)}z" if known else ""


def _span(x: _Scale, start: float, end: float, kind: str, text: str, top: float, bottom: float) -> str:
    left, right = x(max(start, x.low)), x(min(end, x.high))
    return (
        f'<g class="span {kind}" data-x0="{_short(start)}" data-x1="{_short(end)}"><rect x="{_px(left)}" y="{top - 4:g}" width="{_px(max(0, right - left))}" '
        f'height="{bottom - top + 4:g}"/><text x="{_px(right - 4)}" y="11" text-anchor="end">{_text(text)}</text></g>'
    )


def _y_ends(panel: Panel) -> tuple[float, float]:
    """Return the ends of the y axis: from zero where it is linear, with the limits and intervals inside."""
    values = [value for series in panel.series for numbers in (series.y, series.low, series.high) for value in numbers if not math.isnan(value)]
    values += [value for value, _text_of in panel.limits]
    if panel.log:
        positive = [value for value in values if value > 0]
        return (min(positive) * 0.8, max(positive) * 1.25) if positive else (1.0, 10.0)
    top = max(values, default=1.0)
    return min(0.0, *values) if values else 0.0, top * (1.0 if panel.is_row else 1.08) if top > 0 else 1.0


def _ends(values: Sequence[float]) -> tuple[float, float]:
    known = [value for value in values if not math.isnan(value)]
    return (min(known), max(known)) if known else (0.0, 1.0)


INVALID_SVG = (
    '<svg class="key" viewBox="0 0 28 14" width="28" height="14" aria-hidden="true"><g class="series">'
    f'<path class="mark invalid" d="{_INVALID_SHAPE}" transform="translate(14 7)"/></g></svg>'
)


def legend_svg(series: Series) -> str:
    """Return the sample of a series for a legend."""
    dash = f' stroke-dasharray="{_DASHES[series.dash % len(_DASHES)]}"' if series.dash % len(_DASHES) else ""
    mark = f'<path class="mark" d="{_shape(series.shape)}" transform="translate(14 7)"/>' if series.shape is not None else ""
    return (
        f'<svg class="key" viewBox="0 0 28 14" width="28" height="14" aria-hidden="true"><g class="series {series.role}" style="--tone:{series.tone:.2g}">'
        f'<path class="line"{dash} d="M1 7H27"/>{mark}</g></svg>'
    )


def described(series: Sequence[Series], unit: str, named: int = 8) -> str:
    """Return the ends of every series as a text for those who do not see it."""
    parts = []
    for one in series[:named]:
        known = [(at, value) for at, value in zip(one.x, one.y, strict=True) if not math.isnan(value)]
        if known:
            (first, low), (last, high) = known[0], known[-1]
            ends = f"{number(low)} {unit} at {tick_text(first)}" + (f", {number(high)} {unit} at {tick_text(last)}" if len(known) > 1 else "")
            parts.append(f"{one.name}: {ends}".replace("  ", " "))
    more = f"; and {len(series) - named} more" if len(series) > named else ""
    return "; ".join(parts) + more if parts else "no values"


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _short(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.5g}"


def _join(values: Iterable[float]) -> str:
    return " ".join("-" if math.isnan(value) else f"{value:.5g}" for value in values)


def _text(text: str) -> str:
    return html.escape(text, quote=False)


def _attribute(text: str) -> str:
    return html.escape(text, quote=True)
