# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the request-weighted percentiles of a closed loop hide: how long nothing ended, and latency weighted by time instead of by requests.

While a server stands still, virtual users wait with it and send nothing, so that few requests see the stall ("coordinated omission"; Gil Tene, How
NOT to Measure Latency, 2013). Weighted by time each second counts the same, however many requests were sent in it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import PRECISION, Raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import quantile

PERCENTS = (50, 95, 99)
INSTANTS = 10_000
"""Instants of the window at which latency is computed: more change no percentile by more than a ten-thousandth of the window."""


def longest_stall_s(raw: Raw, window: Window) -> float:
    """Return the seconds of the longest stretch of the window in which requests were in flight and none ended, whatever its outcome."""
    spans = sorted((start + duration / PRECISION, start) for start, duration in zip(raw.starts, raw.durations, strict=True))
    # The earliest start among the requests that end last, from the back.
    earliest, longest = window.end_ms, 0.0
    for (before, _start), (end, start) in zip(reversed([(window.start_ms, 0), *spans[:-1]]), reversed(spans), strict=True):
        earliest = min(earliest, start)
        longest = max(longest, min(end, window.end_ms) - max(before, earliest, window.start_ms))
    return longest / 1000


def time_weighted_ms(raw: Raw, order: list[int], window: Window) -> dict[str, float]:
    """Return percentiles of what a request that arrives at a random instant of the window would have taken (milliseconds).

    At an instant that is the duration of the next request to start; while requests are in flight, at least the time until the next one ends.
    `order` sorts the requests by start; there is at least one.
    """
    starts = [raw.starts[i] for i in order]
    ends = sorted(start + duration / PRECISION for start, duration in zip(raw.starts, raw.durations, strict=True))
    step = (window.end_ms - window.start_ms) / INSTANTS
    latencies = []
    for n in range(INSTANTS):
        at = window.start_ms + (n + 0.5) * step
        upcoming = min(bisect_left(starts, at), len(starts) - 1)
        latency = raw.durations[order[upcoming]] / PRECISION
        ended = bisect_right(ends, at)
        if bisect_right(starts, at) > ended:
            latency = max(latency, ends[ended] - at)
        latencies.append(latency)
    latencies.sort()
    return {f"p{percent}": round(quantile(latencies, percent), 3) for percent in PERCENTS}
