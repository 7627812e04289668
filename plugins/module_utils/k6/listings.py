# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listings of workspaces: what they cost with a cold and a warm cache of authorization, and when such a cache was refilled."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import failure, milliseconds
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import LISTING
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import PRECISION, Requests, rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import Counted, summarize

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

SLOW_RATIO = 10
SLOW_MS = 250
"""A listing that takes so many times the P50 of later ones, and at least so long, belongs to a slow stretch."""
STRETCHES = 20


def listings(requests: Requests, window: Window) -> dict[str, Any]:
    """Return {tenants, first_p50_ms, later_p50_ms, slow} of the successful listings of workspaces in the whole load.

    The first listing of each tenant stands apart from later ones: authorization of a token that was not seen before is not cached, so the first ones are
    the cold ones. `slow` are the stretches in which later listings were slow, {start_s, end_s, n, max_ms} in seconds after the start of the window, at most
    20, those with the slowest listings: a cache of authorization that expires is refilled by the next listing, which asks for every workspace again.
    """
    first: list[int] = []
    starts, durations = array("q"), array("i")
    seen = set()
    listing = np.array([kind.operation == LISTING and failure(kind.status, kind.error_code) is None for kind in requests.kind_table], dtype=bool)
    for chunk in requests.chunks():
        for start, duration, kind in rows(chunk[listing[chunk["kind"]]], "start", "duration", "kind"):
            tenant = requests.kind_table[kind].tenant
            if tenant in seen:
                starts.append(start)
                durations.append(duration)
            else:
                first.append(duration)
            seen.add(tenant)
    usual = _p50_ms(durations)
    limit = max(SLOW_MS, SLOW_RATIO * usual) if usual is not None else None
    stretches: list[list[float]] = []
    for start, duration in zip(starts, durations, strict=True):
        took = duration / PRECISION
        if limit is None or took < limit:
            continue
        if stretches and start <= stretches[-1][1]:
            end, n, worst = stretches[-1][1:]
            stretches[-1][1:] = [max(end, start + took), n + 1, max(worst, took)]
        else:
            stretches.append([start, start + took, 1, took])
    slowest = sorted(sorted(stretches, key=lambda stretch: -stretch[3])[:STRETCHES])
    return {
        "tenants": len(seen),
        "first_p50_ms": _p50_ms(first),
        "later_p50_ms": usual,
        "slow": [
            {"start_s": round((start - window.start_ms) / 1000, 1), "end_s": round((end - window.start_ms) / 1000, 1), "n": int(n), "max_ms": round(worst, 3)}
            for start, end, n, worst in slowest
        ],
    }


def _p50_ms(durations: Sequence[int]) -> float | None:
    return milliseconds(summarize(Counted.of(durations), (50,))["values"])["p50"]
