# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Journeys, the actual mix of the load, and what the generator reports about itself."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import Pools
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import JOURNEYS
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import Raw, Row
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import durations_by
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import MEDIAN_MINIMUM, quantile, summarize

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEARTBEAT = "heartbeat"
ASIDE = (HEARTBEAT, "isolation")
"""The scenarios that are no load."""


def journey_blocks(raw: Raw, window: Window) -> dict[str, dict[str, Any]]:
    """Summarize the journeys that started in the window; duration_ms (milliseconds) covers the completed ones.

    started = completed + interrupted (by the end of the window) + failed (a request of it failed); dropped are
    those of an open profile that found no free virtual user.
    """
    inside = [journey for journey in raw.journeys if window.phase(journey.start_ms) == "window"]
    dropped = dropped_by_scenario(raw, window)
    blocks = {}
    for name in JOURNEYS:
        mine = [journey for journey in inside if journey.name == name]
        outcomes = Counter(journey.outcome for journey in mine)
        durations = summarize(sorted(journey.duration_ms for journey in mine if journey.outcome == "completed"), (50, 95))
        blocks[name] = {
            "started": len(mine),
            "completed": outcomes["completed"],
            "interrupted": outcomes["interrupted"],
            "failed": len(mine) - outcomes["completed"] - outcomes["interrupted"],
            "dropped": dropped.get(name, 0),
            "duration_ms": {key: None if value is None else round(value, 3) for key, value in durations["values"].items()},
        }
    return blocks


def tenant_journeys(raw: Raw, window: Window) -> dict[str, tuple[int, int]]:
    """Return (started, completed) journeys of the window by tenant."""
    counts: dict[str, list[int]] = {}
    for journey in raw.journeys:
        if window.phase(journey.start_ms) == "window":
            found = counts.setdefault(journey.tenant, [0, 0])
            found[0] += 1
            found[1] += journey.outcome == "completed"
    return {tenant: (started, completed) for tenant, (started, completed) in counts.items()}


def mix(journeys: dict[str, dict[str, Any]], pools: Pools, window: Window) -> dict[str, float | None]:
    """Return the actual share of training (0 to 1) among virtual users, journeys started and requests; None where unknown."""
    requests = Counter[str]()
    for kind, latencies in pools.items():
        requests[kind.journey] += len(latencies)
    return {
        "training_share_users": _share(window.users),
        "training_share_journeys": _share({name: journey["started"] for name, journey in journeys.items()}),
        "training_share_requests": _share({name: requests[name] for name in JOURNEYS}),
    }


def _share(counts: dict[str, int]) -> float | None:
    total = sum(counts.values())
    return round(counts.get("training", 0) / total, 6) if total else None


def generator(raw: Raw, window: Window, exit_code: int | None) -> dict[str, Any]:
    """Return what k6 reports about itself inside the window.

    vus_max: most virtual users active at once (the heartbeat's included), the sum of those of the shards; dropped: journeys that found no free virtual user;
    iterations: those of the load, without the heartbeat; lateness_ms: the scheduling delay of the heartbeat.
    """
    delay = summarize(sorted(row.value for row in _inside(raw.heartbeats, window)), (95, 99))
    dropped = dropped_by_scenario(raw, window)
    users: dict[int, int] = {}
    for row in _inside(raw.users, window):
        users[row.shard] = max(users.get(row.shard, 0), int(row.value))
    return {
        "vus_max": sum(users.values()) if users else None,
        "dropped": sum(count for scenario, count in dropped.items() if scenario not in ASIDE),
        "dropped_by_scenario": dropped,
        "iterations": int(sum(row.value for row in _inside(raw.iterations, window) if row.scenario not in ASIDE)),
        "heartbeats": len(_inside(raw.heartbeats, window)),
        "lateness_ms_p95": delay["values"]["p95"],
        "lateness_ms_p99": delay["values"]["p99"],
        "lateness_ms_max": delay["values"]["max"],
        "exit_code": exit_code,
    }


def congestion(raw: Raw, window: Window) -> float | None:
    """Return how many times longer requests of the window took after the first journey was dropped than at the begin of the load; None if unknown.

    It tells a server at its limit, whose requests take longer the more virtual users wait for it, from a limit of virtual users that is too low for
    the duration of a journey: then requests take as long as before. The begin is the first quarter of the time until the first drop; the ratio is
    that of the median latencies of each operation with at least 5 requests in both, weighted by requests.
    """
    first_drop = min((row.time_ms for row in raw.dropped if row.scenario not in ASIDE), default=None)
    requests = raw.requests
    if first_drop is None or not len(requests):
        return None
    begin, _end = requests.span()
    begin_end = begin + (first_drop - begin) / 4
    names = sorted({kind.operation for kind in requests.kind_table})
    operations = np.array([names.index(kind.operation) for kind in requests.kind_table])

    def groups(chunk: NDArray[Any]) -> NDArray[Any]:
        starts, numbers = chunk["start"], operations[chunk["kind"]]
        is_early = starts < begin_end
        is_late = (starts >= max(first_drop, window.start_ms)) & (starts < window.end_ms)
        return np.where(is_early, numbers, np.where(is_late, len(names) + numbers, -1))

    found = durations_by(requests.chunks(), groups)
    weight, weighted = 0, 0.0
    for number in range(len(names)):
        early, late = found.get(number), found.get(len(names) + number)
        if early and late and min(len(early), len(late)) >= MEDIAN_MINIMUM:
            weight += len(late)
            weighted += len(late) * quantile(late, 50) / max(quantile(early, 50), 1.0)
    return round(weighted / weight, 3) if weight else None


def dropped_by_scenario(raw: Raw, window: Window) -> dict[str, int]:
    """Count the dropped iterations of each scenario that dropped any inside the window."""
    counts: dict[str, float] = {}
    for row in _inside(raw.dropped, window):
        counts[row.scenario] = counts.get(row.scenario, 0) + row.value
    return {scenario: int(count) for scenario, count in sorted(counts.items())}


def _inside(rows: list[Row], window: Window) -> list[Row]:
    return [row for row in rows if window.phase(row.time_ms) == "window"]
