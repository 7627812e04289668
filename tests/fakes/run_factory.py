# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run directories with invented figures of a plausible shape: a server that saturates at about 90 requests per second.

Nothing here was measured. Tests and benchmarks of the report read them like those of a run.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_sealed, write_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import CATEGORIES, OPERATIONS
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import PERCENTILES, is_low, suppression

_BASE_MS = {"search_prompts": 31, "search_runs": 28, "search_experiments": 16, "create_prompt_version": 19, "fetch_artifact": 9}
_SHARE = {"get_run": 0.22, "list_artifacts": 0.22, "fetch_artifact": 0.2, "search_runs": 0.075, "get_experiment": 0.075, "log_parameter": 0.06}
_WINDOW_S = 60.0
_CAPACITY = 90.0
LATENCIES = ("mean", "p50", "p90", "p95", "p99", "max")
_NORMAL = {50: 0.0, 90: 1.2816, 95: 1.6449, 99: 2.3263}
COMPONENTS = ("mlflow", "postgresql", "k6_benchmark", "prometheus")
# component: (CPU seconds per request, MiB)
_CLUSTER = {
    "mlflow": (1 / 95, 2400), "k6_benchmark": (1 / 300, 80), "data_science_gateway": (1 / 900, 120), "kube_auth_proxy": (1 / 700, 45),
    "router": (1 / 1200, 180), "openshift_oauth": (1 / 50000, 60),
}


def write_run(
    directory: Path, tenants: Iterable[int] = (1, 10), concurrency: Iterable[int] = (5, 10), rates: Iterable[float] = (), repeats: int = 1,
    backend: str = "sqlite", verdicts: dict[str, str] | None = None, metrics: str = "ok", errors: float = 0.0, seed: int = 1, slower: float = 1.0,
    started: float = 1795474000.0, factors: dict[str, Any] | None = None,
) -> Path:
    """Write run.json and cells/<id>/cell.json and return the directory.

    `verdicts` maps cell ids to invalid, failed or missing (planned, not run); `metrics` is ok, missing, not_requested, or cluster (pods on OpenShift);
    `errors` is the share of search_prompts and create_run requests that fail; every request takes `slower` times as long. The run started at `started`
    (epoch seconds); its cells have further `factors`.
    """
    verdicts = verdicts or {}
    chance = random.Random(seed)
    planned = [
        _planned(level, users, rate, repeat)
        for level in tenants
        for repeat in range(1, repeats + 1)
        for users, rate in [*((users, None) for users in concurrency), *((None, rate) for rate in rates)]
    ]
    entries, objectives = [], []
    for plan in planned:
        status = verdicts.get(plan["id"], "valid")
        if status == "missing":
            continue
        record = _record(plan, status, backend, metrics, errors, chance, slower)
        record["spec"]["factors"] |= factors or {}
        entries.append({"id": plan["id"], "verdict": record["verdict"]})
        if status == "valid":
            objectives += _objectives(record)
        _write(directory / "cells" / plan["id"] / "cell.json", record)
    _write(directory / "run.json", {**_run(directory.name, planned, entries, objectives, backend), "started": started})
    if repeats > 1:
        _write(directory / "points.json", {"schema_version": 2, "points": _points(directory, planned, verdicts)})
    return directory


def write_bare_run(directory: Path, started: float = 1000.0, **fields: Any) -> Path:
    """Write run.json of a run that has begun (epoch seconds) and measured nothing yet, with further `fields`, and return the directory."""
    document = _run(directory.name, [_planned(1, 4, None, 1)], [], [], "sqlite")
    _write(directory / "run.json", {**document, "started": started, **fields})
    return directory


def edit_record(path: Path, **changes: Any) -> None:
    """Write a record again with other values and the checksum of those."""
    write_sealed(path, {**read_sealed(path), **changes})


def _planned(tenants: int, users: int | None, rate: float | None, repeat: int) -> dict[str, Any]:
    pressure = f"c{users}" if rate is None else f"q{rate:g}"
    return {
        "id": f"t{tenants}-{pressure}-r{repeat}", "index": 1, "tenants": tenants, "concurrency": users, "rate": rate,
        "profile": "closed" if rate is None else "open", "repeat": repeat, "warmup_s": 5.0, "duration_s": _WINDOW_S, "seed": 1000 + repeat,
        "training_share": 0.2, "think_time_s": 1, "load": {"users_max": 200},
    }


def _record(plan: dict[str, Any], status: str, backend: str, metrics: str, errors: float, chance: random.Random, slower: float) -> dict[str, Any]:
    factors = {"db_backend": backend, "replicas": 1, "workers": 1, "target": "local", "profile": plan["profile"], "k6_version": "1.1.0"}
    spec = {key: plan[key] for key in plan if key not in ("id", "index")} | {"factors": factors}
    record: dict[str, Any] = {"schema_version": 2, "id": plan["id"], "spec": spec, "attempts": [_attempt(status)]}
    reasons = {
        "failed": ["k6 ended with exit code 137 after 12 s. It was killed; see k6.log of attempt 1."],
        "invalid": ["generator_cpu_share: 0.97, allowed is at most 0.8. Use more cores for k6."],
    }
    record["verdict"] = {"status": status, "reasons": reasons.get(status, []), "warnings": []}
    if status == "failed":
        return {**record, "window": None}
    demand = 11.0 * (plan["concurrency"] or plan["rate"] * 4) * chance.uniform(0.97, 1.03)
    reached = _CAPACITY * (1.25 if backend == "postgres" else 1.0) * (1 - math.exp(-demand / _CAPACITY))
    slowness = slower * demand / reached * (1 + 0.12 * math.log10(plan["tenants"])) * chance.uniform(0.95, 1.05)
    operations = {name: _operation(name, reached, slowness, errors, chance) for name in OPERATIONS}
    record["window"] = {"start": 1795475000.0, "end": 1795475000.0 + _WINDOW_S}
    record["operations"] = operations
    record["total"] = _pooled(operations, OPERATIONS)
    record["categories"] = {name: _pooled(operations, members) for name, members in CATEGORIES.items()}
    duration = {"mean": 2600.0, "p50": 2500.0, "p95": 4000.0, "max": 5100.0}
    record["journeys"] = {name: {"started": 60, "completed": 58, "interrupted": 2, "dropped": 0, "duration_ms": duration} for name in ("training", "browsing")}
    record["stall_s"] = 0.25
    if plan["rate"]:
        record["offered"] = {"rate_per_s": plan["rate"], "started_per_s": 0.9 * plan["rate"], "dropped_share": 0.1, "limited_by": "server"}
    record["time_weighted_ms"] = {f"p{percent}": 1.1 * (record["total"]["latency_ms"][f"p{percent}"] or 1.0) for percent in (50, 95, 99)}
    record["generator"] = {
        "cpu_cores_mean": reached / 300, "cpu_share": 0.97 if status == "invalid" else reached / 600, "memory_bytes_max": 8.1e7, "vus_max": 12,
        "dropped": 0, "lateness_ms_p99": 3.2, "exit_code": 0, "node": "made-up",
    }
    components = [name for name in COMPONENTS if name != "postgresql" or backend == "postgres"]
    if metrics == "cluster":
        record["resources"] = _cluster_resources(reached, chance)
    else:
        record["resources"] = {name: _resource(name, reached, metrics, plan["tenants"], chance) for name in components}
    record["files"] = {"samples.csv.gz": {"sha256": "0" * 64, "bytes": 71234}}
    if record["operations"]["create_experiment"]["n"] < 50:
        record["verdict"]["warnings"].append("Few samples: create_experiment has fewer than 50 requests.")
    return record


def _attempt(status: str) -> dict[str, Any]:
    return {"n": 1, "started": 1795474990.0, "ended": 1795475065.0, "outcome": status, "reason": ""}


def _operation(name: str, reached: float, slowness: float, errors: float, chance: random.Random) -> dict[str, Any]:
    n = max(3, round(reached * _WINDOW_S * _SHARE.get(name, 0.0167)))
    failed = round(n * errors) if name in ("search_prompts", "create_run") else 0
    middle = _BASE_MS.get(name, 12) * slowness * chance.uniform(0.93, 1.07)
    return _block(n, failed, middle, 0.45)


def _block(n: int, failed: int, middle: float, spread: float) -> dict[str, Any]:
    values = {f"p{percent}": middle * math.exp(spread * _NORMAL[percent]) for percent in PERCENTILES}
    values |= {"mean": middle * math.exp(spread**2 / 2), "max": middle * math.exp(spread * 3.2)}
    suppressed = {f"p{percent}": reason for percent in PERCENTILES if (reason := suppression(n, percent))}
    latency = {name: None if name in suppressed else round(value, 3) for name, value in values.items()}
    return {
        "n": n, "ok": n - failed, "failed": failed, "failed_by": {"http_503": failed} if failed else {}, "rate_per_s": n / _WINDOW_S,
        "goodput_per_s": (n - failed) / _WINDOW_S, "latency_ms": latency, "latency_ok_ms": dict(latency), "ci95": {},
        "low_n": [f"p{percent}" for percent in PERCENTILES if f"p{percent}" not in suppressed and is_low(n, percent)], "suppressed": suppressed,
    }


def block_without_requests() -> dict[str, Any]:
    """Return the numbers of a window in which nothing was requested."""
    return {**_block(0, 0, 1.0, 0.0), "latency_ms": dict.fromkeys(LATENCIES), "latency_ok_ms": dict.fromkeys(LATENCIES)}


def _pooled(operations: dict[str, dict[str, Any]], names: Iterable[str]) -> dict[str, Any]:
    """Return a block of the right size around the weighted middle; invented like the rest."""
    blocks = [operations[name] for name in names]
    n = sum(block["n"] for block in blocks)
    middle = sum(block["n"] * (block["latency_ms"]["mean"] or 0) for block in blocks) / n
    return _block(n, sum(block["failed"] for block in blocks), middle * 0.85, 0.6)


def _points(directory: Path, planned: list[dict[str, Any]], verdicts: dict[str, str]) -> list[dict[str, Any]]:
    """Return the points with the numbers of the first valid repeat as those of the pooled samples; invented like the rest."""
    points: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for plan in planned:
        if verdicts.get(plan["id"], "valid") == "valid":
            record = read_sealed(directory / "cells" / plan["id"] / "cell.json")
            points.setdefault(tuple(plan[key] for key in ("tenants", "concurrency", "rate", "profile")), []).append(record)
    return [
        {
            **dict(zip(("tenants", "concurrency", "rate", "profile"), key, strict=True)),
            "cells": {record["id"]: record["checksum"] for record in records},
            "total": _pooled_numbers(records[0]["total"]),
            "operations": {name: _pooled_numbers(block) for name, block in records[0]["operations"].items()},
        }
        for key, records in points.items() if len(records) > 1
    ]


def _pooled_numbers(block: dict[str, Any]) -> dict[str, Any]:
    return {key: block[key] for key in ("n", "latency_ms", "low_n", "suppressed")}


def _resource(name: str, reached: float, metrics: str, tenants: int, chance: random.Random) -> dict[str, Any]:
    numbers = ("cpu_cores_mean", "cpu_cores_peak", "memory_bytes_mean", "memory_bytes_peak", "coverage")
    absent = {**dict.fromkeys(numbers), "limits": {}, "instances": {}}
    if metrics != "ok" or name == "prometheus":
        return {"status": metrics if metrics != "ok" else "missing", **absent}
    cpu = {"mlflow": reached / 95, "postgresql": reached / 400, "k6_benchmark": reached / 300}[name] * chance.uniform(0.97, 1.03)
    memory = {"mlflow": 6.0e8 + 2e5 * tenants, "postgresql": 2.1e8, "k6_benchmark": 8e7}[name]
    return {
        "status": "ok", "cpu_cores_mean": cpu, "cpu_cores_peak": cpu * 1.18, "memory_bytes_mean": memory, "memory_bytes_peak": memory * 1.04, "coverage": 1.0,
        "limits": {}, "restarts": 0, "oom_kills": None, "throttled_ratio": None, "instances": {},
    }


def _cluster_resources(reached: float, chance: random.Random) -> dict[str, Any]:
    """Of pods: four replicas of MLflow, one of them restarted, an OAuth server without samples, and the whole cluster."""
    found = {name: _pods(reached * each * chance.uniform(0.95, 1.05), mib, 4 if name == "mlflow" else 2) for name, (each, mib) in _CLUSTER.items()}
    found["mlflow"] |= {"restarts": 1.0, "oom_kills": 1.0, "throttled_ratio": 0.12, "instance_count_min": 3.0}
    found["openshift_oauth"] = {**dict.fromkeys(found["openshift_oauth"]), "status": "missing", "limits": {}, "instances": {}, "network": {}}
    shares = {"cpu_utilization_mean": 0.02 * reached**0.5, "cpu_utilization_peak": 0.025 * reached**0.5}
    found["cluster"] = {"status": "ok", **shares, **dict.fromkeys(("cpu_cores_mean", "memory_bytes_mean", "coverage"))}
    return found


def _pods(cpu: float, mib: float, pods: int) -> dict[str, Any]:
    return {
        "status": "ok", "cpu_cores_mean": cpu, "cpu_cores_peak": cpu * 1.2, "memory_bytes_mean": mib * 2**20, "memory_bytes_peak": mib * 2**20 * 1.05,
        "coverage": 1.0, "restarts": 0.0, "oom_kills": 0.0, "throttled_ratio": None, "instance_count_min": float(pods), "instance_count_max": float(pods),
        "instance_count_last": float(pods), "instances_started": 0.0, "limits": {"cpu_cores": 2.0 * pods, "memory_bytes": 2.0**30 * pods},
        "network": {"receive_bytes_per_s_mean": cpu * 4e5, "transmit_bytes_per_s_mean": cpu * 9e5},
        "instances": {f"pod-{number}": {"cpu_cores_mean": cpu / pods} for number in range(pods)},
    }


def _objectives(record: dict[str, Any]) -> list[dict[str, Any]]:
    total = record["total"]
    ratio = total["failed"] / total["n"]
    return [
        {"name": "requests succeed", "cell": record["id"], "metric": "total.error_ratio", "value": ratio, "limit": "<= 0.01",
         "status": "met" if ratio <= 0.01 else "missed", "severity": "error"},
        {"name": "requests answer within two seconds", "cell": record["id"], "metric": "total.p95_ms", "value": total["latency_ms"]["p95"],
         "limit": "<= 2000", "status": "met", "severity": "warning"},
    ]


def _run(run_id: str, planned: list[dict[str, Any]], entries: list[dict[str, Any]], objectives: list[dict[str, Any]], backend: str) -> dict[str, Any]:
    return {
        "schema_version": 2, "run_id": run_id, "status": "complete" if len(entries) == len(planned) else "incomplete", "started": 1795474000.0,
        "ended": 1795476000.0, "abort_reason": None, "config": {"preset": "made up", "mlflow_url": "http://127.0.0.1:5000", "tls_verify": True},
        "fingerprint": {"mlflow": {"version": "3.17.2", "database": backend}, "k6": {"version": "1.1.0"}, "kernel": "6.1", "cores": 2},
        "plan": {
            "schema_version": 1, "name": "made-up", "digest": "0123456789ab", "settings": {"repeats": 1, "seed": 1, "duration_s": _WINDOW_S},
            "cells": planned, "estimate": {"load_s": 65.0 * len(planned)},
        },
        "cells": entries, "objectives": objectives,
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    write_sealed(path, document)
