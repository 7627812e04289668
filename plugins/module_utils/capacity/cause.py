# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a server breaks: its observed resources at the limit and one step below it, and which of them explains the limit, if one does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

GENERATOR, ERRORS, OPERATION, NOT_MEASURED, UNEXPLAINED = "generator", "errors", "operation", "not_measured", "unexplained"
# From this share on a resource counts as used up, as a mean over the window.
FULL = {"cpu": 0.85, "memory": 0.9, "throttling": 0.25, "connections": 0.9}
ERRORS_SHARE = 0.01
SLOW_OPERATION = 3.0
"""An operation whose P95 is this many times that of the median operation stands out."""
_KINDS = (
    ("mlflow", "MLflow"), ("postgresql", "PostgreSQL"), ("data_science_gateway", "the gateway"), ("kube_auth_proxy", "the authorization proxy"),
    ("api_server", "the API server"),
)  # fmt: skip


class Use(NamedTuple):
    """How much of a resource is used: the kind decides from which share on it is used up; `available` is None where no limit is known."""

    name: str
    label: str
    kind: str
    used: float | None
    available: float | None
    unit: str

    @property
    def share(self) -> float | None:
        return None if self.used is None or not self.available else self.used / self.available


def uses_of(record: Mapping[str, Any]) -> list[Use]:
    """Return the use of every resource that was observed in the window of a cell, of the components in the order of a request."""
    machine, factors = record.get("machine") or {}, record["spec"].get("factors", {})
    found: list[Use] = []
    for component, label in _KINDS:
        resource = record["resources"].get(component) or {}
        if resource.get("status") != "ok":
            continue
        limits = resource.get("limits") or {}
        cores = _cores(component, limits, factors, machine)
        what = f"{label}'s workers" if component == "mlflow" else f"CPU of {label}"
        found += [
            Use(f"{component}_cpu", what, "cpu", resource.get("cpu_cores_mean"), cores, "cores"),
            Use(f"{component}_throttling", f"throttling of {label}", "throttling", resource.get("throttled_ratio"), 1.0, "of periods"),
            Use(f"{component}_memory", f"memory of {label}", "memory", resource.get("memory_bytes_peak"), limits.get("memory_bytes"), "bytes"),
            Use(f"{component}_connections", f"connections of {label}", "connections", resource.get("connections_max"), limits.get("connections"), ""),
            # The API server has no limit that is known, so that they are shown beside each other and never named as the cause.
            Use(f"{component}_access_reviews", f"access reviews of {label}", "requests", resource.get("access_reviews_per_s"), None, "per s"),
        ]
    found.append(Use("machine_cpu", "all processors of the machine", "cpu", machine.get("used_cores"), machine.get("cores"), "cores"))
    found.append(Use("generator_cpu", "CPU of the generator", "cpu", record["generator"].get("cpu_share"), 1.0, "of its cores"))
    return [use for use in found if use.used is not None]


def _cores(component: str, limits: Mapping[str, Any], factors: Mapping[str, Any], machine: Mapping[str, Any]) -> float | None:
    """Return the cores that a component can use: MLflow's workers are Python processes, each of which computes on one core."""
    allowed = [cores for cores in (limits.get("cpu_cores"), machine.get("cores")) if cores]
    if component == "mlflow" and factors.get("workers"):
        allowed.append(float(factors["workers"]) * float(factors.get("replicas") or 1))
    return min(allowed, default=None)


def cause_of(at: Mapping[str, Any], below: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return {name, sentence, figures} of a limit, from the record at it and the one a step below (None where nothing held).

    figures: one row per resource with `below`, `at` and `share` (of what is available, at the limit). The name is that of the resource most of which is
    used, or generator, errors, operation (one of them stands out), not_measured, unexplained.
    """
    uses, before = uses_of(at), {use.name: use for use in uses_of(below)} if below else {}
    figures = [
        {
            "name": use.name, "label": use.label, "unit": use.unit, "used": use.used, "available": use.available, "share": use.share,
            "used_below": before[use.name].used if use.name in before else None,
        }
        for use in uses
    ]  # fmt: skip
    name, sentence = _likely(at, uses)
    return {"name": name, "sentence": sentence, "figures": figures}


def _likely(at: Mapping[str, Any], uses: list[Use]) -> tuple[str, str]:
    full = [use for use in uses if use.share is not None and use.share >= FULL[use.kind]]
    full.sort(key=lambda use: (use.share or 0) / FULL[use.kind], reverse=True)
    generator = next((use for use in full if use.name == "generator_cpu"), None)
    if generator or (at.get("offered") or {}).get("limited_by") == "generator":
        share = f" is at {_percent(generator.share)} of its cores" if generator else " got too little processor time"
        return GENERATOR, f"the load generator{share}, so the server's own limit is higher"
    total = at["total"]
    if total["n"] and total["failed"] / total["n"] > ERRORS_SHARE:
        causes = ", ".join(f"{cause} {count}" for cause, count in sorted(total["failed_by"].items(), key=lambda pair: -pair[1]))
        return ERRORS, f"{_percent(total['failed'] / total['n'])} of the requests fail ({causes}){_beside(full)}"
    if full:
        return full[0].name, _full(full[0])
    slow = slow_operation(at)
    if slow:
        return OPERATION, f"none of the observed resources explains it; {slow[0]} takes {slow[1]:.1f} times as long as the median operation (P95)"
    if not any(use.name not in ("generator_cpu", "machine_cpu") for use in uses):
        return NOT_MEASURED, "no resource of the server was measured"
    return UNEXPLAINED, "none of the observed resources explains it"


def _beside(full: list[Use]) -> str:
    return f"; beside that {_full(full[0])}" if full else ""


def _full(use: Use) -> str:
    if use.kind == "throttling":
        return f"{use.label}: the CPU limit is reached in {_percent(use.share)} of the periods"
    if use.name == "mlflow_cpu" and use.available is not None:
        one = use.available == 1
        return f"MLflow's worker{' is' if one else 's are'} at {_percent(use.share)} of {'a core' if one else f'{use.available:g} cores'}"
    verb = "is" if use.label.startswith(("CPU", "memory")) else "are"
    return f"{use.label} {verb} at {_percent(use.share)}"


def slow_operation(record: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return the operation whose P95 stands out and how many times that of the median operation it is; None where none does."""
    known = sorted((block["latency_ms"]["p95"], name) for name, block in record["operations"].items() if block["latency_ms"].get("p95"))
    if len(known) < 3:
        return None
    median = known[len(known) // 2][0]
    slowest, name = known[-1]
    return (name, slowest / median) if slowest >= SLOW_OPERATION * median else None


def broken_operation(at: Mapping[str, Any], below: Mapping[str, Any] | None) -> str:
    """Return the operation that breaks first: of those with a P95 the one that is slowest at the limit, or that grew most from a step below."""
    known: dict[str, float] = {name: block["latency_ms"]["p95"] for name, block in at["operations"].items() if block["latency_ms"].get("p95")}
    if not known:
        return ""
    if slow_operation(at) is None and below:
        before = {name: block["latency_ms"].get("p95") for name, block in below["operations"].items()}
        grown = {name: value / earlier for name, value in known.items() if (earlier := before.get(name))}
        if grown:
            return max(grown, key=lambda name: grown[name])
    return max(known, key=lambda name: known[name])


def _percent(share: float | None) -> str:
    return f"{100 * (share or 0):.0f} %"
