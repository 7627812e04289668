# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates, failures and latencies of the requests that started in the window: the blocks of cell.json."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import CATEGORIES, LISTING, READ, READ_SHARE
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import PRECISION, TIMEOUT, WRONG_ANSWER, Kind, Raw, indexes
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.fairness import jain_index
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import summarize

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pools = dict[Kind, "NDArray[Any]"]
"""The latencies (1/100 ms) of the requests of each kind."""


def pools_of(raw: Raw, order: NDArray[Any], window: Window) -> Pools:
    """Collect the requests that started in the window; `order` sorts them by start."""
    first, end = (bisect_left(order, edge, key=raw.starts.__getitem__) for edge in (window.start_ms, window.end_ms))
    inside = order[first:end]
    kinds = raw.column("kinds")[inside]
    inside = inside[np.argsort(kinds, kind="stable")]
    counts = np.bincount(kinds, minlength=len(raw.kind_table))
    found = np.split(raw.column("durations")[inside], np.cumsum(counts))[:-1]
    return {kind: latencies for kind, latencies in zip(raw.kind_table, found, strict=True) if len(latencies)}


def _sorted(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    found = list(parts)
    return np.sort(np.concatenate(found)) if found else np.zeros(0, dtype=np.int32)


def block(pools: Pools, seconds: float) -> dict[str, Any]:
    """Summarize requests: counts, failures by cause, rates per second of the window, latencies in milliseconds.

    latency_ms covers every outcome, latency_ok_ms the successful ones; names in low_n and suppressed that start with
    `ok_` belong to the latter and appear only where they differ.
    """
    causes = {kind: failure(kind.status, kind.error_code) for kind in pools}
    failed_by: Counter[str] = Counter()
    for kind, latencies in pools.items():
        if cause := causes[kind]:
            failed_by[cause] += len(latencies)
    every = _sorted(pools.values())
    successful = _sorted(latencies for kind, latencies in pools.items() if not causes[kind]) if failed_by else every
    overall = summarize(every)
    ok = summarize(successful) if failed_by else overall
    return {
        "n": len(every),
        "ok": len(successful),
        "failed": len(every) - len(successful),
        "failed_by": dict(sorted(failed_by.items())),
        "rate_per_s": rate(len(every), seconds),
        "goodput_per_s": rate(len(successful), seconds),
        "latency_ms": milliseconds(overall["values"]),
        "latency_ok_ms": milliseconds(ok["values"]),
        "ci95": {},
        "low_n": overall["low_n"] + [f"ok_{name}" for name in ok["low_n"] if name not in overall["low_n"]],
        "suppressed": {**overall["suppressed"], **{f"ok_{name}": why for name, why in ok["suppressed"].items() if name not in overall["suppressed"]}},
    }


def rate(count: int, seconds: float) -> float | None:
    """Return count per second, None for an empty window."""
    return round(count / seconds, 6) if seconds > 0 else None


def milliseconds(values: dict[str, float | None]) -> dict[str, float | None]:
    """Convert hundredths of a millisecond into milliseconds."""
    return {name: None if value is None else round(value / PRECISION, 6) for name, value in values.items()}


def operation_blocks(pools: Pools, required: Iterable[str], seconds: float) -> dict[str, dict[str, Any]]:
    """Return a block for each required operation, sampled or not, then for any other that was seen."""
    names = list(dict.fromkeys(chain(required, sorted({kind.operation for kind in pools}))))
    return {name: block(_select(pools, (name,)), seconds) for name in names}


def operation_latencies(pools: Pools) -> dict[str, NDArray[Any]]:
    """Return the latencies (1/100 ms) of each operation that was seen, sorted."""
    return {name: _sorted(_select(pools, (name,)).values()) for name in sorted({kind.operation for kind in pools})}


def category_blocks(pools: Pools, seconds: float) -> dict[str, dict[str, Any]]:
    """Return a block for each category, over the pooled requests of its operations."""
    return {name: block(_select(pools, members), seconds) for name, members in CATEGORIES.items()}


def tenant_blocks(pools: Pools, seconds: float) -> dict[str, dict[str, Any]]:
    """Return a block for each tenant seen, in natural order (tenant-2 before tenant-10)."""
    grouped: dict[str, Pools] = defaultdict(dict)
    for kind, latencies in pools.items():
        grouped[kind.tenant][kind] = latencies
    return {tenant: block(grouped[tenant], seconds) for tenant in sorted(grouped, key=_natural)}


def fairness(by_tenant: dict[str, dict[str, Any]], journeys: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Return {p95, completed, median_p95_ms, worst_to_median} of the tenants: Jain's indexes of their P95 and of completed per started journeys.

    `journeys` has (started, completed) by tenant. Of throughput the index would measure the random choice of tenants: a fair server with 60 journeys over 10
    tenants has 0.88. None where fewer than two tenants can be compared.
    """
    known = [block["latency_ms"]["p95"] for block in by_tenant.values() if block["latency_ms"]["p95"]]
    shares = [completed / started for started, completed in journeys.values() if started]
    middle = median(known) if len(known) > 1 else None
    return {
        "p95": _rounded(jain_index(known)) if len(known) > 1 else None,
        "completed": _rounded(jain_index(shares)) if len(shares) > 1 else None,
        "median_p95_ms": middle,
        "worst_to_median": _rounded(max(known) / middle) if middle else None,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def slow_tenants(by_tenant: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return {judged, worst_p95, slowest} from the blocks of the tenants that have a P95 (at least 20 requests).

    worst_p95 {tenant, n, p95_ms} has the highest P95; slowest {tenant, n, p50_ms, ratio} the highest P50, with the ratio to the median of the tenants'
    P50. None where there is no such tenant, for `slowest` fewer than three: the median of two says nothing about either.
    """
    judged = {tenant: (block["n"], block["latency_ms"]["p50"], block["latency_ms"]["p95"]) for tenant, block in by_tenant.items() if block["latency_ms"]["p95"]}
    found: dict[str, Any] = {"judged": len(judged), "worst_p95": None, "slowest": None}
    if judged:
        tenant = max(judged, key=lambda tenant: judged[tenant][2])
        found["worst_p95"] = {"tenant": tenant, "n": judged[tenant][0], "p95_ms": judged[tenant][2]}
    if len(judged) >= 3:
        tenant = max(judged, key=lambda tenant: judged[tenant][1])
        usual = median(p50 for _n, p50, _p95 in judged.values())
        found["slowest"] = {"tenant": tenant, "n": judged[tenant][0], "p50_ms": judged[tenant][1], "ratio": round(judged[tenant][1] / usual, 3)}
    return found


def first_listings(raw: Raw, order: NDArray[Any]) -> dict[str, Any]:
    """Return {tenants, first_p50_ms, later_p50_ms} of the successful listings of workspaces in the whole load: the first one for each tenant, and later ones.

    Authorization of a token that was not seen before is not cached, so the first ones are the cold ones. `order` sorts the requests by start.
    """
    latencies: dict[bool, list[int]] = {True: [], False: []}
    seen = set()
    listing = np.array([kind.operation == LISTING and failure(kind.status, kind.error_code) is None for kind in raw.kind_table], dtype=bool)
    for i in indexes(order[listing[raw.column("kinds")[order]]]):
        tenant = raw.kind_table[raw.kinds[i]].tenant
        latencies[tenant not in seen].append(raw.durations[i])
        seen.add(tenant)
    first, later = (milliseconds(summarize(sorted(latencies[is_first]), (50,))["values"])["p50"] for is_first in (True, False))
    return {"tenants": len(seen), "first_p50_ms": first, "later_p50_ms": later}


def wrong_answers(pools: Pools) -> dict[str, Any]:
    """Return {seen, by_kind, estimated}: requests whose response cannot be one of the operation.

    The content type of every response is judged, bodies only where a journey reads them and of a share READ_SHARE of the others. So each
    wrong body among the latter stands for 1 / READ_SHARE of them in the estimate.
    """
    by_kind: Counter[str] = Counter()
    estimated = 0.0
    for kind, latencies in pools.items():
        if kind.error_code.startswith(WRONG_ANSWER):
            name = kind.error_code.removeprefix(WRONG_ANSWER)
            by_kind[name] += len(latencies)
            estimated += len(latencies) / (1 if name == "type" or kind.operation in READ else READ_SHARE)
    return {"seen": by_kind.total(), "by_kind": dict(sorted(by_kind.items())), "estimated": round(estimated)}


def failure(status: int, error_code: str) -> str | None:
    """Name the cause of a failed request, or None for a successful one.

    status is 0 when there was no response; error_code is k6's, or that of a wrong answer, empty for a success. A request with a good status
    and an error code did not receive its body, or one that cannot be MLflow's, and has failed. So has a redirected request.
    Causes: answer, http_<status>, timeout, connection, dns, tls, other.
    """
    if error_code.startswith(WRONG_ANSWER):
        return "answer"
    if 200 <= status < 300:
        return None if not error_code else _transport(error_code)
    return f"http_{status}" if status else _transport(error_code)


def _transport(error_code: str) -> str:
    if error_code == TIMEOUT:
        return "timeout"
    families = {"11": "dns", "12": "connection", "13": "tls"}
    return families.get(error_code[:2], "other") if len(error_code) == 4 else "other"


def _select(pools: Pools, operations: Sequence[str]) -> Pools:
    return {kind: latencies for kind, latencies in pools.items() if kind.operation in operations}


def _natural(name: str) -> tuple[str, int]:
    head = name.rstrip("0123456789")
    digits = name[len(head):]
    return head, int(digits) if digits else -1
