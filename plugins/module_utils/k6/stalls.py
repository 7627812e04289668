# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the request-weighted percentiles of a closed loop hide: how long nothing ended, and latency weighted by time instead of by requests.

While a server stands still, virtual users wait with it and send nothing, so that few requests see the stall ("coordinated omission"; Gil Tene, How
NOT to Measure Latency, 2013). Weighted by time each second counts the same, however many requests were sent in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import PRECISION, Raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import quantile

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERCENTS = (50, 95, 99)
INSTANTS = 10_000
"""Instants of the window at which latency is computed: more change no percentile by more than a ten-thousandth of the window."""


def longest_stall_s(raw: Raw, window: Window) -> float:
    """Return the seconds of the longest stretch of the window in which requests were in flight and none ended, whatever its outcome."""
    if not raw.starts:
        return 0.0
    ends = raw.column("starts") + raw.column("durations") / PRECISION
    order = np.lexsort((raw.column("starts"), ends)).astype(np.uint32)
    ends = ends[order]
    # The earliest start among the requests that end last, from the back.
    earliest = np.minimum.accumulate(raw.column("starts")[order][::-1])[::-1]
    begins = np.maximum(np.minimum(earliest, window.end_ms), window.start_ms)
    begins[1:] = np.maximum(begins[1:], ends[:-1])
    return max(0.0, float((np.minimum(ends, window.end_ms) - begins).max())) / 1000


def time_weighted_ms(raw: Raw, order: NDArray[Any], window: Window) -> dict[str, float]:
    """Return percentiles of what a request that arrives at a random instant of the window would have taken (milliseconds).

    At an instant that is the duration of the next request to start; while requests are in flight, at least the time until the next one ends.
    `order` sorts the requests by start; there is at least one.
    """
    starts = raw.column("starts")[order]
    ends = np.sort(raw.column("starts") + raw.column("durations") / PRECISION)
    last = len(starts) - 1
    at = window.start_ms + (np.arange(INSTANTS) + 0.5) * (window.end_ms - window.start_ms) / INSTANTS
    latencies = raw.column("durations")[order[np.minimum(np.searchsorted(starts, at), last)]] / PRECISION
    ended = np.searchsorted(ends, at, side="right")
    in_flight = np.searchsorted(starts, at, side="right") > ended
    latencies = np.sort(np.where(in_flight, np.maximum(latencies, ends[np.minimum(ended, last)] - at), latencies))
    return {f"p{percent}": round(quantile(latencies, percent), 3) for percent in PERCENTS}
