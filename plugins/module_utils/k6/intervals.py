# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The confidence intervals of a window: the `ci95` of total, operations, categories and journeys."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import failure
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import CATEGORIES, JOURNEYS
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import PRECISION, Raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.intervals import latency_intervals, rate_interval

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray


def interval_blocks(raw: Raw, order: NDArray[Any], window: Window, names: Sequence[str]) -> dict[str, Any]:
    """Return {total, operations, categories, journeys} with the `ci95` of each; `order` sorts the requests by start, `names` are the operations.

    Rates are per second of the window, latencies are milliseconds over all outcomes; those with the prefix `ok_` cover the successful requests and
    are there where any request failed. Each number has [low, high], or null and a reason in `suppressed`.
    """
    first, end = (bisect_left(order, edge, key=raw.starts.__getitem__) for edge in (window.start_ms, window.end_ms))
    inside = order[first:end]
    kinds = raw.column("kinds")[inside]
    starts = raw.column("starts")[inside] / 1000
    latencies = raw.column("durations")[inside] / PRECISION
    succeeds = np.array([failure(kind.status, kind.error_code) is None for kind in raw.kind_table], dtype=bool)

    def block(wanted: Callable[[str], bool]) -> dict[str, Any]:
        chosen = np.array([wanted(kind.operation) for kind in raw.kind_table], dtype=bool)[kinds]
        ok = chosen & succeeds[kinds]
        return _block(starts, latencies, chosen, ok, window)

    return {
        "total": block(lambda _name: True),
        "operations": {name: block(lambda operation, name=name: operation == name) for name in names},  # type: ignore[misc]
        "categories": {name: block(lambda operation, members=members: operation in members) for name, members in CATEGORIES.items()},  # type: ignore[misc]
        "journeys": {name: _journeys(raw, window, name) for name in JOURNEYS},
    }


def _block(starts: NDArray[Any], latencies: NDArray[Any], chosen: NDArray[Any], ok: NDArray[Any], window: Window) -> dict[str, Any]:
    edges = window.start_ms / 1000, window.end_ms / 1000
    found = latency_intervals(latencies[chosen])
    found.add("rate_per_s", lambda: rate_interval(starts[chosen], *edges))
    if bool((ok == chosen).all()):
        found.copy("rate_per_s", "goodput_per_s")
    else:
        found.add("goodput_per_s", lambda: rate_interval(starts[ok], *edges))
        found.update(latency_intervals(latencies[ok], prefix="ok_"))
    return found.document()


def _journeys(raw: Raw, window: Window, name: str) -> dict[str, Any]:
    """Return the intervals of the durations (ms) of completed journeys, in the order of their starts."""
    durations = [
        journey.duration_ms for journey in sorted(raw.journeys)
        if journey.name == name and journey.outcome == "completed" and window.phase(journey.start_ms) == "window"
    ]
    return latency_intervals(np.array(durations, dtype=float)).document()
