# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates, failures and latencies of the requests that started in the window: the blocks of cell.json."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import CATEGORIES, READ, READ_SHARE
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import TIMEOUT, WRONG_ANSWER
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import PRECISION, Kind, Requests, durations_by
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.fairness import jain_index
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import Counted, summarize

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pools = dict[Kind, Counted]
"""The latencies (1/100 ms) of the requests of each kind, of which some properties may be empty: pools by operation and by tenant have far fewer values."""


def pools_by_operation(requests: Requests, window: Window, apart: str = "") -> Pools:
    """Collect the requests that started in the window, whatever their tenant, except for one that stands apart."""
    return _pools(requests, window, lambda kind: kind._replace(tenant=kind.tenant if kind.tenant == apart else ""))[0]


def pools_by_tenant(requests: Requests, window: Window) -> Pools:
    """Collect the requests that started in the window, whatever their operation and journey."""
    return _pools(requests, window, lambda kind: kind._replace(operation="", journey=""))[0]


def pools_by_shard(requests: Requests, window: Window) -> dict[int, Pools]:
    """Collect the requests that started in the window by the number of their shard, whatever their operation and tenant."""
    return _pools(requests, window, lambda kind: kind._replace(operation="", tenant=""), by_shard=True)


def _pools(requests: Requests, window: Window, kept: Callable[[Kind], Kind], by_shard: bool = False) -> dict[int, Pools]:
    """Collect the requests of the window by what is kept of their kind, and by their shard, if asked, else all as number 0."""
    numbers: dict[Kind, int] = {}
    number_of = np.array([numbers.setdefault(kept(kind), len(numbers)) for kind in requests.kind_table], dtype=np.int64)

    def groups(chunk: NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = number_of[chunk["kind"]] + (len(numbers) * chunk["shard"].astype(np.int64) if by_shard else 0)
        return found

    pools: dict[int, Pools] = {0: {}}
    kinds = list(numbers)
    for number, latencies in sorted(durations_by(requests.inside(window), groups).items()):
        shard, place = divmod(number, len(kinds))
        pools.setdefault(shard, {})[kinds[place]] = latencies
    return pools


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
    every = Counted.merged(pools.values())
    successful = Counted.merged(latencies for kind, latencies in pools.items() if not causes[kind]) if failed_by else every
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


def operation_latencies(pools: Pools) -> dict[str, Counted]:
    """Return the latencies (1/100 ms) of each operation that was seen."""
    return {name: Counted.merged(_select(pools, (name,)).values()) for name in sorted({kind.operation for kind in pools})}


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
