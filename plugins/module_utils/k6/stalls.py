# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the request-weighted percentiles of a closed loop hide: how long nothing ended, and latency weighted by time instead of by requests.

While a server stands still, virtual users wait with it and send nothing, so that few requests see the stall ("coordinated omission"; Gil Tene, How
NOT to Measure Latency, 2013). Weighted by time each second counts the same, however many requests were sent in it.
"""

from __future__ import annotations

import math

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import PRECISION, Requests, ends_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import quantile

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

PERCENTS = (50, 95, 99)
INSTANTS = 10_000
"""Instants of the window at which latency is computed: more change no percentile by more than a ten-thousandth of the window."""


def longest_stall_s(requests: Requests, window: Window) -> float:
    """Return the seconds of the longest stretch of the window in which requests were in flight and none ended, whatever its outcome."""
    longest, last_end = 0.0, -math.inf
    for ends, ended, first_in_flight in requests.by_end():
        if not len(ends):
            continue
        # The earliest start among the requests that end last, from the back.
        earliest = np.minimum.accumulate(np.minimum(ended["start"], first_in_flight)[::-1])[::-1]
        begins = np.maximum(np.minimum(earliest, window.end_ms), window.start_ms)
        begins = np.maximum(begins, np.append(last_end, ends[:-1]))
        longest = max(longest, float((np.minimum(ends, window.end_ms) - begins).max()))
        last_end = float(ends[-1])
    return longest / 1000


def time_weighted_ms(requests: Requests, window: Window) -> dict[str, float]:
    """Return percentiles of what a request that arrives at a random instant of the window would have taken (milliseconds).

    At an instant that is the duration of the next request to start, or of the last one; while requests are in flight, at least the time until the next one
    ends. There is at least one request.
    """
    at = window.start_ms + (np.arange(INSTANTS) + 0.5) * (window.end_ms - window.start_ms) / INSTANTS
    latencies = np.zeros(INSTANTS)
    is_known = np.zeros(INSTANTS, dtype=bool)
    in_flight = np.zeros(INSTANTS, dtype=int)
    next_end = np.full(INSTANTS, math.inf)
    for chunk in requests.chunks():
        starts, ends = chunk["start"], np.sort(ends_of(chunk))
        last = len(chunk) - 1
        latencies = np.where(is_known, latencies, chunk["duration"][np.minimum(np.searchsorted(starts, at), last)] / PRECISION)
        is_known = at <= starts[-1]
        ended = np.searchsorted(ends, at, side="right")
        in_flight += np.searchsorted(starts, at, side="right") - ended
        next_end = np.minimum(next_end, np.where(ended <= last, ends[np.minimum(ended, last)], math.inf))
    latencies = np.sort(np.where(in_flight > 0, np.maximum(latencies, next_end - at), latencies))
    return {f"p{percent}": round(quantile(latencies.tolist(), percent), 3) for percent in PERCENTS}
