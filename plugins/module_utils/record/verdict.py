# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluation of a record: its verdict by the rules of files/validity, and the objectives of files/slo."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from typing import Any

Finding = tuple[str, str, float]
"""Name of the finding, what it is about ('' for the cell), and its value."""
MISSING_NAMED = 5
METRICS = ("mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms", "error_ratio", "goodput_per_s", "rate_per_s")
CELL_METRICS = ("stall_s", "worst_tenant_p95_ms")
GENERATOR = "k6_benchmark"
# What an alert is selected by, and how many of the series for which it fired a sentence names.
ALERTS = "alerts"
ALERTS_NAMED = 3
# A timer of k6 and the clock of a script are exact to a millisecond each.
TIMER_MS = 2.0
# An HTTP date, from which the offset of a clock is known, has whole seconds.
DATE_S = 1.5
# From this release on MLflow's counter has no requests for the content of artifacts, which pass its Flask application no more.
ARTIFACTS_UNCOUNTED = (3, 16)
# A few requests of the controller itself, such as that for the list of workspaces after the load, may be in the server's count.
CONTROLLER_REQUESTS = 5
# What explains dropped journeys: a generator that got too little processor time, and a server whose requests take longer the more users wait.
STARVED_DELAY_SHARE = 0.1
STARVED_CPU_SHARE = 0.8
CONGESTED = 1.5


def findings(record: dict[str, Any], judged: Collection[str] = ()) -> Iterator[Finding]:
    """Yield every finding about a measured cell, harmless or not; the rules decide. `judged` are the operations that an objective is about.

    Ratios are between 0 and 1, the scheduling delay is in milliseconds.
    """
    for name, block in record["operations"].items():
        if name in judged:
            yield "operation_samples", name, block["n"]
    yield from _sample_findings(record)
    yield from _window_findings(record)
    yield from _resource_findings(record)
    yield from _count_findings(record)
    yield from _generator_findings(record)
    for name, journey in record["journeys"].items():
        yield "dropped_journeys", name, journey["dropped"]
    missing = record.get("notes", {}).get("missing_tenants") or []
    if missing:
        more = f" and {len(missing) - MISSING_NAMED} more" if len(missing) > MISSING_NAMED else ""
        yield "tenants_missing", ", ".join(missing[:MISSING_NAMED]) + more, len(missing)
    isolation = record.get("isolation")
    if isolation:
        yield "tenant_leaks", "; ".join(isolation["examples"]), isolation["leaks"]
    for change in record.get("steadiness", {}).get("findings", []):
        yield "not_steady", change, 1
    for deviation in (record.get("shards") or {}).get("deviations", []):
        yield "shard_deviation", deviation, 1
    for disturbance in record.get("notes", {}).get("disturbances", []):
        yield "disturbances", disturbance, 1
    yield from _start_findings(record)
    yield "foreign_workspaces", "", len(record.get("notes", {}).get("foreign_workspaces", []))
    if record.get("notes", {}).get("tls_verify") is False:
        yield "tls_not_verified", "", 1


def _sample_findings(record: dict[str, Any]) -> Iterator[Finding]:
    if record.get("notes", {}).get("partial"):
        yield "partial_samples", str(record["notes"]["partial"]), 1
    samples = record.get("samples", {})
    if samples.get("lost") is not None:
        missing = samples["lost"] + samples["unreadable"]
        yield "lost_sample_share", "", missing / (samples["rows"] + missing)
    total = record["total"]
    if total["n"]:
        repeats = record.get("silent_repeats", {})
        yield "silent_repeat_share", _counted(repeats), sum(repeats.values()) / total["n"]
        yield "error_ratio", "", total["failed"] / total["n"]
        unreachable = sum(count for cause, count in total["failed_by"].items() if cause in ("connection", "dns"))
        yield "connection_error_ratio", "", unreachable / total["n"]
        if record.get("wrong_answers"):
            yield "wrong_answer_share", _counted(record["wrong_answers"]["by_kind"]), record["wrong_answers"]["estimated"] / total["n"]
    slowest = (record.get("tenants") or {}).get("slowest")
    if slowest:
        yield "slow_tenant_ratio", slowest["tenant"], slowest["ratio"]
    drift = mix_drift(record)
    if drift is not None:
        yield "mix_drift", "", drift
    offered = record.get("offered")
    if offered:
        yield "dropped_share", f"limited by {offered['limited_by']}" if offered["limited_by"] else "", offered["dropped_share"]


def _window_findings(record: dict[str, Any]) -> Iterator[Finding]:
    """Yield what lasted for a share of the window."""
    window_s = record["window"]["end"] - record["window"]["start"]
    if window_s <= 0:
        return
    if "outage_s" in record:
        yield "outage_share", "", record["outage_s"] / window_s
    if record.get("tenant_outage"):
        yield "tenant_outage_share", record["tenant_outage"]["tenant"], record["tenant_outage"]["outage_s"] / window_s
    if "stall_s" in record:
        yield "stall_share", "", record["stall_s"] / window_s
    offset = record.get("clock_offset_s")
    if offset is not None:
        yield "clock_skew_share", "", max(0.0, abs(offset) - DATE_S) / window_s


def mix_drift(record: dict[str, Any]) -> float | None:
    """Return by how much the share of training among the journeys started differs from the declared one, beyond chance; None where it is unknown.

    Chance is three standard deviations of a share of that many independent journeys.
    """
    declared, actual = record["spec"].get("training_share"), record["mix"].get("training_share_journeys")
    started = sum(journey["started"] for journey in record["journeys"].values())
    if declared is None or actual is None or not started:
        return None
    return max(0.0, float(abs(actual - declared) - 3 * math.sqrt(declared * (1 - declared) / started)))


def delay_share(record: dict[str, Any]) -> float | None:
    """Return the P95 of the generator's scheduling delay as a share of the P95 of latency, 0 up to TIMER_MS; None where either is unknown.

    It is relative, because the same delay is nothing beside a second and everything beside a millisecond, and because a starved generator measures
    its own waiting as latency.
    """
    delay: float | None = record["generator"].get("lateness_ms_p95")
    latency: float | None = record["total"]["latency_ms"]["p95"]
    if delay is None or not latency:
        return None
    return 0.0 if delay <= TIMER_MS else delay / latency


def wait_share(record: dict[str, Any]) -> float | None:
    """Return how long k6's threads waited for a processor per request, as a share of the mean latency; None where either is unknown."""
    waited: float | None = (record.get("machine") or {}).get("generator_wait_ms")
    latency: float | None = record["total"]["latency_ms"]["mean"]
    return None if waited is None or not latency else waited / latency


def others_cpu_share(record: dict[str, Any]) -> float | None:
    """Return the share of the machine's processors that neither k6 nor a measured component used; None unless the CPU of each component is known."""
    machine = record.get("machine")
    components = [resource for name, resource in record["resources"].items() if name != GENERATOR]
    if not machine or not components or any(resource.get("cpu_cores_mean") is None for resource in components):
        return None
    ours = machine["generator_cores"] + sum(resource["cpu_cores_mean"] for resource in components)
    return float(max(0.0, machine["used_cores"] - ours) / machine["cores"])


def offered_load(record: dict[str, Any], congestion: float | None) -> dict[str, Any] | None:
    """Return {rate_per_s, started_per_s, dropped_share, limited_by} of an open load, None of a closed one.

    limited_by names what explains dropped journeys: generator, server, users_max; `congestion` is how many times longer requests took after the first
    drop than before, which tells the latter two apart.
    """
    if record["spec"]["profile"] != "open":
        return None
    seconds = record["window"]["end"] - record["window"]["start"]
    started, dropped = (sum(journey[key] for journey in record["journeys"].values()) for key in ("started", "dropped"))
    limited_by = None
    if dropped:
        is_starved = (delay_share(record) or 0) > STARVED_DELAY_SHARE or (record["generator"]["cpu_share"] or 0) > STARVED_CPU_SHARE
        limited_by = "generator" if is_starved else _limit(congestion)
    return {
        "rate_per_s": record["spec"]["rate"],
        "started_per_s": round(started / seconds, 6) if seconds > 0 else None,
        "dropped_share": round(dropped / (started + dropped), 6) if started + dropped else 0.0,
        "limited_by": limited_by,
    }


def _limit(congestion: float | None) -> str:
    if congestion is None:
        return "users_max or server"
    return "server" if congestion > CONGESTED else "users_max"


def _counted(numbers: dict[str, int]) -> str:
    """Return what was counted with its numbers, such as `(type 200, body 3)`."""
    return f"({', '.join(f'{name} {count}' for name, count in numbers.items())})"


def _start_findings(record: dict[str, Any]) -> Iterator[Finding]:
    start = record.get("start_state") or {}
    baseline = start.get("baseline")
    if start and not baseline:
        yield "state_not_reset", start["reason"].rstrip("."), 1
    if not baseline or start["status"] == "continued":
        return
    if record["rows"] is None:
        yield "start_differs", "rows could not be counted", 1
        return
    before, expected = record["rows"]["before"], baseline["rows"]
    for table in sorted(set(before) | set(expected)):
        if before.get(table, 0) != expected.get(table, 0):
            yield "start_differs", f"{table} {before.get(table, 0)} instead of {expected.get(table, 0)} rows", 1


def _resource_findings(record: dict[str, Any]) -> Iterator[Finding]:
    for name, resource in record["resources"].items():
        if resource["status"] == "missing":
            yield "resources_missing", name, 1
        if resource.get("coverage") is not None:
            yield "resource_coverage", name, resource["coverage"]
        if resource.get("throttled_ratio") is not None:
            yield "throttled_ratio", name, resource["throttled_ratio"]
    mlflow = record["resources"].get("mlflow", {})
    # A container that was restarted, or a pod that was replaced; either may be unknown.
    known = [mlflow[key] for key in ("restarts", "instances_started") if mlflow.get(key) is not None]
    if known:
        yield "server_restarts", "", sum(known)


def _count_findings(record: dict[str, Any]) -> Iterator[Finding]:
    """Yield how far the server's own count of the requests of the load is from the generator's; nothing where a restart began it anew."""
    mlflow, sent = record["resources"].get("mlflow", {}), record.get("sent")
    served, version = mlflow.get("requests_served"), record["spec"]["factors"].get("mlflow_version")
    if served is None or not sent or not version or mlflow.get("restarts"):
        return
    counted = {key: sent[key] - (sent["artifacts"][key] if _release(version) >= ARTIFACTS_UNCOUNTED else 0) for key in sent["artifacts"]}
    if not counted["n"]:
        return
    counts = f"(MLflow {served:.0f}, k6 {counted['n']}, of which {counted['repeated']} twice)"
    yield "unrecorded_share", counts, max(0.0, served - counted["n"] - CONTROLLER_REQUESTS) / counted["n"]
    yield "unserved_share", counts, max(0.0, counted["answered"] - served) / counted["n"]


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of the release of a version, such as (3, 16) of 3.16.0rc1."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _generator_findings(record: dict[str, Any]) -> Iterator[Finding]:
    generator = record["generator"]
    named = {
        # A threshold that ended a hopeless load is a finding about the server.
        "generator_exit_code": None if record.get("stopped_after_s") else generator["exit_code"],
        "generator_cpu_share": generator["cpu_share"],
        "generator_memory_share": generator.get("memory_share"),
        "generator_lateness_p99_ms": generator["lateness_ms_p99"],
        "generator_delay_share": delay_share(record),
        "generator_wait_share": wait_share(record),
        "others_cpu_share": others_cpu_share(record),
    }
    for name, value in named.items():
        if value is not None:
            yield name, "", value


def evaluate_rules(record: dict[str, Any], rules: list[dict[str, Any]], preset: str = "", objectives: Collection[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return the verdict {status: valid|invalid, reasons, warnings} of a measured cell; the warnings of its stages (notes.warnings) are among them.

    Few samples of an operation matter only if one of the `objectives` selects it; elsewhere its numbers are marked.
    """
    fitting = [rule for rule in rules if _applies(rule, record["spec"]["profile"], preset)]
    broken: dict[int, list[tuple[str, float]]] = {}
    for name, subject, value in findings(record, {objective["select"] for objective in objectives}):
        index = next((n for n, rule in enumerate(fitting) if _is_about(rule, name, subject) and _is_broken(rule, value)), None)
        if index is not None:
            broken.setdefault(index, []).append((subject, value))
    sentences: dict[str, list[str]] = {"invalid": [], "warn": [], "ignore": []}
    for index, subjects in broken.items():
        sentences[fitting[index]["effect"]].append(_sentence(fitting[index], subjects))
    # What a stage of the cell warned about is a sentence already.
    warnings = list(dict.fromkeys([*sentences["warn"], *record.get("notes", {}).get("warnings", [])]))
    return {"status": "invalid" if sentences["invalid"] else "valid", "reasons": sentences["invalid"], "warnings": warnings}


def _applies(rule: dict[str, Any], profile: str, preset: str) -> bool:
    return profile in rule.get("profile", [profile]) and preset in rule.get("preset", [preset])


def _is_about(rule: dict[str, Any], finding: str, subject: str) -> bool:
    return bool(rule["finding"] == finding and subject in rule.get("component", [subject]))


def _is_broken(rule: dict[str, Any], value: float) -> bool:
    if "max" not in rule and "min" not in rule:
        return True
    return ("max" in rule and value > rule["max"]) or ("min" in rule and value < rule["min"])


def _sentence(rule: dict[str, Any], subjects: list[tuple[str, float]]) -> str:
    """Return one sentence for all subjects of a rule, so that sixteen operations do not yield sixteen sentences."""
    if "max" not in rule and "min" not in rule:
        return f"{rule['finding']}: {', '.join(subject for subject, _value in subjects) or 'found'}. {rule['remedy']}"
    limit = f"at most {rule['max']:g}" if "max" in rule else f"at least {rule['min']:g}"
    values = ", ".join(f"{subject} {value:.4g}".strip() for subject, value in subjects)
    return f"{rule['finding']}: {values}; allowed is {limit}. {rule['remedy']}"


def evaluate_objectives(objectives: list[dict[str, Any]], cell: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one result {name, cell, metric, value, limit, status: met|missed|unknown, severity} for each objective; of an alert with `details`.

    `unknown` means that the cell has no such number (too few samples, an alert that could not be evaluated); it does not count as met.
    Raises ValueError with one sentence for an objective whose number is not measured.
    """
    return [_evaluate_objective(objective, cell) for objective in objectives]


def _evaluate_objective(objective: dict[str, Any], cell: dict[str, Any]) -> dict[str, Any]:
    alert = _alert(objective, cell) if objective["select"] == ALERTS else None
    value = alert["series"] if alert else _measured_value(objective, cell)
    upper = "max" in objective
    limit = objective["max"] if upper else objective["min"]
    is_met = value is not None and (value <= limit if upper else value >= limit)
    return {
        "name": objective["name"],
        "cell": cell["id"],
        "metric": f"{objective['select']}.{objective['metric']}",
        "value": value,
        "limit": f"{'<=' if upper else '>='} {limit:g}",
        "status": "unknown" if value is None else "met" if is_met else "missed",
        "severity": objective.get("severity", "error"),
        **({"details": _alert_details(alert)} if alert else {}),
    }


def objective_sentence(result: dict[str, Any], value: str) -> str:
    """Return a result of an objective as a sentence; `value` is its number as it is to be shown."""
    details = f" {result['details'].rstrip('.')}." if result.get("details") else ""
    return f"Objective {result['name']}: {result['status']} in cell {result['cell']} ({result['metric']} {value}, limit {result['limit']}).{details}"


def _alert(objective: dict[str, Any], cell: dict[str, Any]) -> dict[str, Any]:
    """Return what the window of a cell shows of an alert (see prometheus/alerts.py); nothing is known where the cell was measured without it."""
    known = (alert for alert in cell.get("alerts", []) if alert["name"] == objective["name"] and alert["expr"] == objective["expr"])
    return next(known, {"series": None, "fired": [], "reason": "The cell was measured without this alert, or without a Prometheus. Measure it again."})


def _alert_details(alert: dict[str, Any]) -> str:
    """Return what fired, or why that is unknown."""
    if alert["reason"]:
        return str(alert["reason"])
    shown = [entry["text"] for entry in alert["fired"][:ALERTS_NAMED]]
    more = (alert["series"] or 0) - len(shown)
    return "; ".join([*shown, *([f"and {more} more series"] if more > 0 else [])])


def _measured_value(objective: dict[str, Any], cell: dict[str, Any]) -> float | None:
    select, metric = objective["select"], objective["metric"]
    value: float | None
    blocks = {"total": cell["total"], **cell["operations"]}
    if select in cell["journeys"] and metric in ("mean_ms", "p50_ms", "p95_ms", "max_ms"):
        value = cell["journeys"][select]["duration_ms"].get(metric.removesuffix("_ms"))
        return value
    if select == "total" and metric in CELL_METRICS:
        worst = (cell.get("tenants") or {}).get("worst_p95") or {}
        value = cell.get("stall_s") if metric == "stall_s" else worst.get("p95_ms")
        return value
    if select in cell["resources"] and metric == "cpu_cores":
        value = cell["resources"][select].get("cpu_cores_mean")
        return value
    if select not in blocks or metric not in METRICS:
        allowed = ", ".join([*blocks, *cell["journeys"]])
        raise ValueError(
            f"Objective {objective['name']}: {select}.{metric} is not measured. Select one of {allowed} and a metric of {', '.join(METRICS)}; "
            f"total and {' or '.join(CELL_METRICS)}; or a component ({', '.join(cell['resources']) or 'none was measured'}) and cpu_cores."
        )
    block = blocks[select]
    if metric == "error_ratio":
        value = block["failed"] / block["n"] if block["n"] else None
    else:
        value = block["latency_ms"][metric.removesuffix("_ms")] if metric.endswith("_ms") else block[metric]
    return value
