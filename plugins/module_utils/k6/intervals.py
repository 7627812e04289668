# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The confidence intervals of a window: the `ci95` of total, operations, categories and journeys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import Pools, failure
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import CATEGORIES, JOURNEYS
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import Raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import PRECISION, Requests
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.intervals import Values, event_counts, latency_intervals, rate_interval
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import Counted

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]


def interval_blocks(raw: Raw, pools: Pools, window: Window, names: Sequence[str]) -> dict[str, Any]:
    """Return {total, operations, categories, journeys} with the `ci95` of each; `pools` are those by operation, `names` are the operations.

    Rates are per second of the window, latencies are milliseconds over all outcomes; those with the prefix `ok_` cover the successful requests and
    are there where any request failed. Each number has [low, high], or null and a reason in `suppressed`.
    """

    def block(wanted: Callable[[str], bool]) -> dict[str, Any]:
        return _block(raw.requests, {kind: found for kind, found in pools.items() if wanted(kind.operation)}, window, wanted)

    return {
        "total": block(lambda _name: True),
        "operations": {name: block(lambda operation, name=name: operation == name) for name in names},  # type: ignore[misc]
        "categories": {name: block(lambda operation, members=members: operation in members) for name, members in CATEGORIES.items()},  # type: ignore[misc]
        "journeys": {name: _journeys(raw, window, name) for name in JOURNEYS},
    }


def _block(requests: Requests, pools: Pools, window: Window, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """Return the intervals of the requests of the wanted operations, of which `pools` has the latencies."""
    edges = window.start_ms / 1000, window.end_ms / 1000
    chosen = np.array([wanted(kind.operation) for kind in requests.kind_table], dtype=bool)
    succeeds = np.array([failure(kind.status, kind.error_code) is None for kind in requests.kind_table], dtype=bool)
    every = Values(_milliseconds(pools))
    ok = Values(_milliseconds({kind: latencies for kind, latencies in pools.items() if failure(kind.status, kind.error_code) is None}))
    has_failed = len(ok) < len(every)
    counts, ok_counts = event_counts([], len(every), *edges), event_counts([], len(ok), *edges)
    for chunk in requests.inside(window) if len(every) else ():
        mine = chunk[chosen[chunk["kind"]]]
        every.add(mine["duration"] / PRECISION)
        counts += event_counts(mine["start"] / 1000, len(every), *edges)
        if has_failed:
            mine = mine[succeeds[mine["kind"]]]
            ok.add(mine["duration"] / PRECISION)
            ok_counts += event_counts(mine["start"] / 1000, len(ok), *edges)
    found = latency_intervals(every)
    found.add("rate_per_s", lambda: rate_interval(counts, *edges))
    if has_failed:
        found.add("goodput_per_s", lambda: rate_interval(ok_counts, *edges))
        found.update(latency_intervals(ok, prefix="ok_"))
    else:
        found.copy("rate_per_s", "goodput_per_s")
    return found.document()


def _milliseconds(pools: Pools) -> Counted:
    merged = Counted.merged(pools.values())
    return Counted(merged.values / PRECISION, merged.counts)


def _journeys(raw: Raw, window: Window, name: str) -> dict[str, Any]:
    """Return the intervals of the durations (ms) of completed journeys, in the order of their starts."""
    durations = [
        journey.duration_ms for journey in sorted(raw.journeys)
        if journey.name == name and journey.outcome == "completed" and window.phase(journey.start_ms) == "window"
    ]
    return latency_intervals(Values.of(np.array(durations, dtype=float))).document()
