# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stretches of the window in which requests failed and none succeeded: of all requests, and of one tenant among others that were served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import failure
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import PRECISION, Kind, Requests, rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window

SERVER_WIDE = frozenset({"list_workspaces"})
"""Operations that a server answers for any tenant, also for one that does not exist."""
CHANCE = 0.001
"""The expected number of stretches of independent failures in a cell below which a stretch is not explained by chance."""


def longest_outage_s(requests: Requests, window: Window) -> float:
    """Return the seconds of the longest stretch of the window in which requests failed and none succeeded; 0 when none failed.

    It lasts from the start of a failed request to the start of the next successful one, or to the end of the window. Users whose requests fail make few
    of them, so a share of failed requests understates an outage.
    """
    longest, begun = 0.0, None
    for started, _duration, _kind, is_failed in _requests(requests, window):
        if is_failed:
            begun = started if begun is None else begun
        elif begun is not None:
            longest, begun = max(longest, started - begun), None
    if begun is not None:
        longest = max(longest, window.end_ms - begun)
    return longest / 1000


@dataclass
class Stretch:
    """Failed requests of one tenant without a success in between; epoch milliseconds."""

    tenant: str
    after_ms: float
    """Start of the last success before it, or of the window."""
    first_ms: float
    last_ms: float
    """End of its last request, at most the end of the window."""
    operations: Counter[str]
    before_ms: float = 0.0
    """Start of the first success after it, or the end of the window."""

    @property
    def lasted_ms(self) -> float:
        """Return how long failures were seen."""
        return self.last_ms - self.first_ms


def tenant_outage(requests: Requests, window: Window) -> dict[str, Any] | None:
    """Return the longest outage of a single tenant, or None.

    Returns {tenant, outage_s: from the start of its first failed request to the end of the last one, without_success_s: from the success before to
    the one after (or the edge of the window), failed: requests, tenants: how many tenants had an outage}.

    A tenant with few requests has long gaps by nature, and a failed request in one is no outage. So a stretch lasts as long as failures were seen,
    and it counts only if chance does not explain it: were failures independent, and each operation as likely to fail as in the other tenants
    ((failed + 1) / (n + 2), Laplace's rule of succession), then fewer than 0.001 such stretches would be expected among all requests of the window.
    """
    seen: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    stretches = _stretches(requests, window, seen, failed)
    by_operation = (_by_operation(seen), _by_operation(failed))
    outages = [stretch for stretch in stretches if _expected(stretch, seen, failed, by_operation) < CHANCE]
    worst = max(outages, key=lambda stretch: stretch.lasted_ms, default=None)
    if worst is None:
        return None
    return {
        "tenant": worst.tenant,
        "outage_s": worst.lasted_ms / 1000,
        "without_success_s": (worst.before_ms - worst.after_ms) / 1000,
        "failed": worst.operations.total(),
        "tenants": len({stretch.tenant for stretch in outages}),
    }


def _requests(requests: Requests, window: Window) -> Iterator[tuple[int, int, Kind, bool]]:
    """Yield start, duration (1/100 ms) and kind of each request of the window in their order, and whether it failed; nothing where none of the load did."""
    is_failed = [failure(kind.status, kind.error_code) is not None for kind in requests.kind_table]
    if not any(is_failed):
        return
    for chunk in requests.inside(window):
        for start, duration, kind in rows(chunk, "start", "duration", "kind"):
            yield start, duration, requests.kind_table[kind], is_failed[kind]


def _stretches(requests: Requests, window: Window, seen: Counter[tuple[str, str]], failed: Counter[tuple[str, str]]) -> list[Stretch]:
    """Return the stretches, and count the requests and the failed ones of the window by tenant and operation.

    Of those of a tenant in which the same operations failed, which chance explains equally well, the longest stands for all: they may be very many.
    """
    succeeded: dict[str, float] = {}
    ongoing: dict[str, Stretch] = {}
    ended: dict[tuple[str, frozenset[tuple[str, int]]], Stretch] = {}
    for started, duration, (operation, _journey, tenant, _status, _code), is_failed in _requests(requests, window):
        if operation in SERVER_WIDE:
            continue
        seen[tenant, operation] += 1
        if is_failed:
            failed[tenant, operation] += 1
            stretch = ongoing.get(tenant)
            if stretch is None:
                stretch = ongoing[tenant] = Stretch(tenant, succeeded.get(tenant, window.start_ms), started, started, Counter())
            stretch.operations[operation] += 1
            stretch.last_ms = max(stretch.last_ms, min(started + duration / PRECISION, window.end_ms))
        else:
            succeeded[tenant] = started
            if stretch := ongoing.pop(tenant, None):
                stretch.before_ms = started
                key = tenant, frozenset(stretch.operations.items())
                if key not in ended or stretch.lasted_ms > ended[key].lasted_ms:
                    # Of equally long ones that which ended first is named.
                    ended.pop(key, None)
                    ended[key] = stretch
    for stretch in ongoing.values():
        stretch.before_ms = window.end_ms
    return [*ended.values(), *ongoing.values()]


def _by_operation(counts: Counter[tuple[str, str]]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for (_tenant, operation), count in counts.items():
        totals[operation] += count
    return totals


def _expected(
    stretch: Stretch, seen: Counter[tuple[str, str]], failed: Counter[tuple[str, str]], by_operation: tuple[Counter[str], Counter[str]]
) -> float:
    """Return how many stretches as unlikely as this one independent failures would make in the window."""
    expected = float(seen.total())
    for operation, count in stretch.operations.items():
        own = (stretch.tenant, operation)
        elsewhere_failed, elsewhere = by_operation[1][operation] - failed[own], by_operation[0][operation] - seen[own]
        # What no other tenant did tells nothing about this one.
        expected *= ((elsewhere_failed + 1) / (elsewhere + 2)) ** count if elsewhere else 1.0
    return expected
