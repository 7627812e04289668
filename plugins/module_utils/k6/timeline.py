# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load second by second (timeline.csv), and what it says: where the warm-up really ended, and whether the window was steady."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import failure
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import PRECISION, Raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import suppression
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.steadiness import VALUES_NEEDED, Trend, transient_end, trend

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ("second", "phase", "completed", "failed", "p50_ms", "p95_ms")
NOTED_CHANGE = 0.10
"""Smaller relative changes are no finding, however certain they are."""
# A P95 of fewer requests says little; of more slices the trend gains nothing.
_REQUESTS_PER_SLICE = 40
_SLICES = (6, 30)


@dataclass(frozen=True)
class Timeline:
    """Requests in the order of their ends: `ends` in seconds after the start of the window (negative before it), latencies in ms, which failed.

    `first_s` is the start of the load, `seconds` the length of the window.
    """

    ends: NDArray[Any]
    latencies: NDArray[Any]
    failed: NDArray[Any]
    first_s: float
    seconds: float

    def between(self, start: float, end: float) -> slice:
        """Return where the requests are that ended from `start` on and before `end`."""
        first, last = np.searchsorted(self.ends, (start, end))
        return slice(int(first), int(last))


def timeline_of(raw: Raw, window: Window) -> Timeline:
    """Return the timeline of a load that sent at least one request."""
    starts = raw.column("starts")
    latencies = raw.column("durations") / PRECISION
    failing = np.array([failure(kind.status, kind.error_code) is not None for kind in raw.kind_table], dtype=bool)
    failed = failing[raw.column("kinds")]
    ends = (starts + latencies - window.start_ms) / 1000
    order = np.argsort(ends, kind="stable").astype(np.uint32)
    return Timeline(ends[order], latencies[order], failed[order], (float(starts.min()) - window.start_ms) / 1000, window.seconds)


def write_timeline(path: Path, timeline: Timeline) -> None:
    """Write one line per second of the load: what completed in it, how much of that failed, P50 and P95 (ms; empty for few). Raises FileWriteError."""
    lines = [",".join(COLUMNS)]
    for second in range(math.floor(timeline.first_s), math.floor(float(timeline.ends[-1])) + 1):
        inside = timeline.between(second, second + 1)
        latencies = timeline.latencies[inside]
        percentiles = ("" if suppression(len(latencies), percent) else f"{np.percentile(latencies, percent):.2f}" for percent in (50, 95))
        phase = "warmup" if second < 0 else "window" if second < timeline.seconds else "tail"
        lines.append(f"{second},{phase},{len(latencies)},{int(timeline.failed[inside].sum())},{','.join(percentiles)}")
    write_text(path, "\n".join(lines) + "\n")


def steadiness(timeline: Timeline) -> dict[str, Any]:
    """Return what the timeline says about warm-up and window, times in seconds.

    warmup_declared_s; warmup_ended_s: where it really ended, counted from the start of the load, the later one of latency (geometric mean) and
    throughput per second (see transient_end); what lasts for half of the load is a drift. p95_change and throughput_change: relative change over the
    window (after the end of the warm-up, if that is later) with `_ci95`; None where the window has too few requests or seconds. findings: one phrase
    for each change of at least 10 % that chance does not explain.
    """
    begins = math.ceil(timeline.first_s)
    seconds = range(begins, math.floor(timeline.seconds))
    overrun, phrases = _warmup(timeline, seconds)
    start = max(0.0, overrun)
    p95, throughput = _p95_trend(timeline, start), _throughput_trend(timeline, start)
    length = timeline.seconds - start
    phrases += _phrase("P95", p95, length) + _phrase("throughput", throughput, length)
    return {
        "warmup_declared_s": round(max(0.0, -timeline.first_s), 3),
        "warmup_ended_s": None if len(seconds) < VALUES_NEEDED else round(max(0.0, overrun - timeline.first_s), 3),
        **_fields("p95_change", p95),
        **_fields("throughput_change", throughput),
        "findings": phrases,
    }


def _warmup(timeline: Timeline, seconds: range) -> tuple[float, list[str]]:
    """Return the second after the start of the window at which the warm-up ended, and a phrase if that matters."""
    means: list[float] = []
    counts: list[float] = []
    for second in seconds:
        latencies = timeline.latencies[timeline.between(second, second + 1)]
        counts.append(float(len(latencies)))
        # A second without a response continues the one before it; throughput shows it.
        means.append(float(np.log(np.maximum(latencies, 0.01)).mean()) if len(latencies) else (means[-1] if means else math.nan))
    first = next((place for place, mean in enumerate(means) if not math.isnan(mean)), len(means))
    series = {"latency": np.exp(np.array(means[first:])), "throughput": np.array(counts[first:])}
    ended = timeline.first_s
    found = []
    for name, values in series.items():
        cut = transient_end(np.log(values) if name == "latency" else values)
        # What reaches the limit of half of the load is no start-up but a drift.
        cut = 0 if cut == len(values) // 2 else cut
        end = seconds.start + first + cut if cut else timeline.first_s
        ended = max(ended, float(end))
        if cut and end > 0:
            inside = max(0, -(seconds.start + first))
            before, after = (float(part.mean()) for part in (values[inside:cut], values[cut:]))
            if after > 0 and abs(before / after - 1) >= NOTED_CHANGE:
                unit = "ms geometric mean latency" if name == "latency" else "requests/s"
                found.append(f"warm-up lasted {end:.0f} s into the window ({before:.3g} {unit} until then, {after:.3g} afterwards)")
    return ended, found


def _p95_trend(timeline: Timeline, start: float) -> Trend | None:
    inside = timeline.between(start, timeline.seconds)
    slices = min(_SLICES[1], (inside.stop - inside.start) // _REQUESTS_PER_SLICE)
    if slices < _SLICES[0]:
        return None
    values: list[float] = []
    for low, high in _pieces(start, timeline.seconds, slices):
        latencies = timeline.latencies[timeline.between(low, high)]
        # An interval without a response has no P95: the throughput shows that.
        values.append(float(np.percentile(latencies, 95)) if len(latencies) else (values[-1] if values else math.nan))
    known = np.array([value for value in values if not math.isnan(value)])
    return trend(known) if len(known) >= _SLICES[0] else None


def _throughput_trend(timeline: Timeline, start: float) -> Trend | None:
    slices = min(_SLICES[1], int(timeline.seconds - start))
    if slices < _SLICES[0]:
        return None
    inside = timeline.between(start, timeline.seconds)
    if inside.stop - inside.start < _REQUESTS_PER_SLICE:
        return None
    counts = [float(piece.stop - piece.start) for piece in (timeline.between(low, high) for low, high in _pieces(start, timeline.seconds, slices))]
    return trend(np.array(counts))


def _pieces(start: float, end: float, count: int) -> Iterator[tuple[float, float]]:
    edges = np.linspace(start, end, count + 1)
    return itertools.pairwise(edges)


def _fields(name: str, found: Trend | None) -> dict[str, Any]:
    return {
        name: None if found is None else round(found.change, 4),
        f"{name}_ci95": None if found is None else [round(found.low, 4), round(found.high, 4)],
    }


def _phrase(name: str, found: Trend | None, seconds: float) -> list[str]:
    if found is None or not found.is_significant or abs(found.change) < NOTED_CHANGE:
        return []
    verb = "rose" if found.change > 0 else "fell"
    return [f"{name} {verb} by {abs(found.change):.0%} over the last {seconds:.0f} s of the window ({found.low:+.0%} to {found.high:+.0%})"]
