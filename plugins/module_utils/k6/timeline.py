# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load second by second (timeline.csv), and what it says: where the warm-up really ended, and whether the window was steady."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import failure
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import PRECISION, Requests
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import suppression
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.steadiness import VALUES_NEEDED, Trend, transient_end, trend

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Part = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

COLUMNS = ("second", "phase", "completed", "failed", "p50_ms", "p95_ms")
NOTED_CHANGE = 0.10
"""Smaller relative changes are no finding, however certain they are."""
# A P95 of fewer requests says little; of more slices the trend gains nothing.
_REQUESTS_PER_SLICE = 40
_SLICES = (6, 30)


class Second(NamedTuple):
    """What completed in a second: how many requests, how many of them failed, P50 and P95 (ms, None for few), and the mean of the logarithms of latencies."""

    completed: int
    failed: int
    p50: float | None
    p95: float | None
    mean_log: float


@dataclass(frozen=True)
class Timeline:
    """Requests in the order of their ends.

    `parts` returns them a part at a time, as often as it is called: their ends in seconds after the start of the window (negative before it), latencies
    in ms, and which failed. `first_s` is the start of the load, `last_s` its last end, `seconds` the length of the window.
    """

    parts: Callable[[], Iterator[Part]]
    first_s: float
    last_s: float
    seconds: float

    def counts(self, edges: NDArray[Any]) -> NDArray[Any]:
        """Return how many requests ended from each edge on and before the next one."""
        found = np.zeros(len(edges) - 1, dtype=int)
        for ends, _latencies, _failed in self.parts():
            found += np.diff(np.searchsorted(ends, edges))
        return found

    def between(self, edges: NDArray[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yield latencies and failures of the requests that ended from each edge on and before the next one."""
        at = 0
        held: Part | None = None
        for part in self.parts():
            held = part if held is None else _joined(held, part)
            places = np.searchsorted(held[0], edges[at:]).tolist()
            # What ended on an edge or later shows that no more will end before it.
            complete = sum(place < len(held[0]) for place in places[1:])
            yield from _pieces(held, places[:complete + 1])
            at += complete
            if at == len(edges) - 1:
                return
            held = held[0][places[complete]:], held[1][places[complete]:], held[2][places[complete]:]
        if held is not None:
            yield from _pieces(held, np.searchsorted(held[0], edges[at:]).tolist())

    @cached_property
    def by_second(self) -> dict[int, Second]:
        """Return what completed in each second of the load."""
        seconds = range(math.floor(self.first_s), math.floor(self.last_s) + 1)
        return {second: _second(*found) for second, found in zip(seconds, self.between(np.arange(seconds.start, seconds.stop + 1)), strict=True)}


def _joined(one: Part, other: Part) -> Part:
    ends, latencies, failed = (np.concatenate(pair) for pair in zip(one, other, strict=True))
    return ends, latencies, failed


def _pieces(part: Part, places: list[int]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    for first, end in itertools.pairwise(places):
        yield part[1][first:end], part[2][first:end]


def _second(latencies: NDArray[Any], failed: NDArray[Any]) -> Second:
    p50, p95 = (None if suppression(len(latencies), percent) else float(np.percentile(latencies, percent)) for percent in (50, 95))
    mean_log = float(np.log(np.maximum(latencies, 0.01)).mean()) if len(latencies) else math.nan
    return Second(len(latencies), int(failed.sum()), p50, p95, mean_log)


def timeline_of(requests: Requests, window: Window) -> Timeline:
    """Return the timeline of a load that sent at least one request."""
    failing = np.array([failure(kind.status, kind.error_code) is not None for kind in requests.kind_table], dtype=bool)

    def parts() -> Iterator[Part]:
        for ends, ended, _first_in_flight in requests.by_end():
            yield (ends - window.start_ms) / 1000, ended["duration"] / PRECISION, failing[ended["kind"]]

    first_ms, last_ms = requests.span()
    return Timeline(parts, (first_ms - window.start_ms) / 1000, (last_ms - window.start_ms) / 1000, window.seconds)


def write_timeline(path: Path, timeline: Timeline) -> None:
    """Write one line per second of the load: what completed in it, how much of that failed, P50 and P95 (ms; empty for few). Raises FileWriteError."""
    lines = [",".join(COLUMNS)]
    for second, found in timeline.by_second.items():
        percentiles = ("" if value is None else f"{value:.2f}" for value in (found.p50, found.p95))
        phase = "warmup" if second < 0 else "window" if second < timeline.seconds else "tail"
        lines.append(f"{second},{phase},{found.completed},{found.failed},{','.join(percentiles)}")
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
    ended = int(timeline.counts(np.array([start, timeline.seconds]))[0])
    p95, throughput = _p95_trend(timeline, start, ended), _throughput_trend(timeline, start, ended)
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
        found = timeline.by_second.get(second)
        counts.append(float(found.completed) if found else 0.0)
        # A second without a response continues the one before it; throughput shows it.
        means.append(found.mean_log if found and found.completed else (means[-1] if means else math.nan))
    first = next((place for place, mean in enumerate(means) if not math.isnan(mean)), len(means))
    series = {"latency": np.exp(np.array(means[first:])), "throughput": np.array(counts[first:])}
    ended = timeline.first_s
    phrases = []
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
                phrases.append(f"warm-up lasted {end:.0f} s into the window ({before:.3g} {unit} until then, {after:.3g} afterwards)")
    return ended, phrases


def _p95_trend(timeline: Timeline, start: float, ended: int) -> Trend | None:
    slices = min(_SLICES[1], ended // _REQUESTS_PER_SLICE)
    if slices < _SLICES[0]:
        return None
    values: list[float] = []
    for latencies, _failed in timeline.between(np.linspace(start, timeline.seconds, slices + 1)):
        # An interval without a response has no P95: the throughput shows that.
        values.append(float(np.percentile(latencies, 95)) if len(latencies) else (values[-1] if values else math.nan))
    known = np.array([value for value in values if not math.isnan(value)])
    return trend(known) if len(known) >= _SLICES[0] else None


def _throughput_trend(timeline: Timeline, start: float, ended: int) -> Trend | None:
    slices = min(_SLICES[1], int(timeline.seconds - start))
    if slices < _SLICES[0] or ended < _REQUESTS_PER_SLICE:
        return None
    return trend(timeline.counts(np.linspace(start, timeline.seconds, slices + 1)).astype(float))


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
