# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""capacity.json: what a search found, in a sentence and in numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.cause import broken_operation, cause_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.crossing import Crossing
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.search import BACKLOG, FAILS, HOLDS, Decision, Probe, ends, shown
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.settings import AXES, settings_of

_DATABASES = {"postgres": "PostgreSQL", "sqlite": "SQLite"}
SEARCHING = "searching"


def answer_of(
    search: Mapping[str, Any], decision: Decision, probes: Sequence[Probe], judged: Sequence[Probe], records: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the content of capacity.json: {status, sentence, axis, unit, search, crossing, requests_per_s, shown, breaks, cause, probes}.

    `judged` are the probes after the judgement of their backlog, `records` those of all cells by id. The status is that of the decision, `searching`
    before the end.
    """
    holds, fails = shown(judged)
    at, below = _neighbours(decision.crossing, judged, records)
    crossing = decision.crossing
    found: dict[str, Any] = {
        "status": decision.status if decision.has_ended else SEARCHING,
        "axis": search["axis"],
        "unit": AXES[search["axis"]],
        "search": dict(search),
        "why": decision.why,
        "crossing": _crossing(crossing) if crossing else None,
        "requests_per_s": _requests(crossing, judged) if crossing and search["axis"] == "rate" else None,
        "shown": {"holds": holds, "fails": fails},
        "breaks": {"by": decision.breaks_by, "operation": broken_operation(at, below), "at": at["id"], "below": below["id"] if below else None} if at else None,
        "cause": cause_of(at, below) if at else None,
        "probes": [_row(probe) for probe in _with_judgement(probes, judged)],
    }
    return {**found, "sentence": sentence_of(found, at or below or {})}


def sentence_of(found: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Return the answer as a sentence; `record` is that of a probe near the limit."""
    subject, load, search = _subject(record), _load(record, found["axis"]), found["search"]
    limits = " and ".join(_limit(objective) for objective in search["objectives"])
    unit, holds, fails = found["unit"], found["shown"]["holds"], found["shown"]["fails"]
    if found["crossing"] and found["status"] in ("answered", SEARCHING):
        low, high = found["crossing"]["low"], found["crossing"]["high"]
        if search["axis"] != "rate":
            low, high = round(low), round(high)
        requests = found["requests_per_s"]
        more = f" ({_range(requests['low'], requests['high'])} requests/s)" if requests else ""
        text = f"{subject} carries {_range(low, high)} {unit}{more}{load} with {limits}"
        return f"{text}; {_break(found)}{found['cause']['sentence'] if found['cause'] else ''}."
    endings = {
        "leak": f"{subject} does not keep its tenants apart, so its capacity was not searched further: {found['why']}",
        "above": f"{subject} carries at least {_plain(holds)} {unit}{load} with {limits}: the highest load allowed (capacity_max) still holds.",
        "below": f"{subject} does not even carry {_plain(fails)} {unit}{load} with {limits}: {_figures(found)}. Look at its log, or relax the objectives.",
        "invalid": (
            f"The generator or the machine ends before the server: {subject} carries at least {_plain(holds)} {unit}{load} with {limits}, "
            f"and probes above stay invalid ({found['why']})."
            if holds is not None
            else f"Probes stay invalid ({found['why']}); {_shown_text(holds, fails, unit)}."
        ),
        "exhausted": f"No limit was found with {search['probes_max']} probes: {subject} holds up to {_plain(holds)} {unit}. Raise capacity_probes_max.",
    }
    return endings.get(found["status"], f"{len(found['probes'])} probes so far; {_shown_text(holds, fails, unit)}.")


def _neighbours(
    crossing: Crossing | None, judged: Sequence[Probe], records: Mapping[str, dict[str, Any]]
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the records at the limit and one step below it: the failing probe nearest above the crossing, the holding one nearest below."""
    failed = [probe for probe in judged if probe.verdict == FAILS]
    held = [probe for probe in judged if probe.verdict == HOLDS]
    middle = crossing.load if crossing else math.sqrt(math.prod(ends(judged))) if failed and held else 0.0
    # A probe that was stopped early has no whole window; it stands for the limit only where there is no other one.
    above = sorted(failed, key=lambda probe: (probe.is_hopeless, probe.load < middle, abs(probe.load - middle)))
    under = sorted(held, key=lambda probe: (probe.load > middle if middle else False, abs(probe.load - (middle or max(item.load for item in held)))))
    at = records[above[0].id] if above else None
    return at, records[under[0].id] if under else None


def _with_judgement(probes: Sequence[Probe], judged: Sequence[Probe]) -> list[Probe]:
    known = {probe.id: probe for probe in judged}
    return [known.get(probe.id, probe) for probe in probes]


def _row(probe: Probe) -> dict[str, Any]:
    return {
        "id": probe.id, "load": probe.load, "verdict": probe.verdict, "why": probe.why, "values": dict(probe.values), "missed": list(probe.missed),
        "rate_per_s": probe.rate_per_s, "is_hopeless": probe.is_hopeless,
    }  # fmt: skip


def _crossing(crossing: Crossing) -> dict[str, Any]:
    return {
        "load": crossing.load, "low": crossing.low, "high": crossing.high, "width": crossing.width, "method": crossing.method, "probes": crossing.probes,
    }  # fmt: skip


def _requests(crossing: Crossing, judged: Sequence[Probe]) -> dict[str, float] | None:
    held = [probe for probe in judged if probe.verdict == HOLDS and probe.journeys]
    journeys = sum(probe.journeys for probe in held)
    if not journeys:
        return None
    size = sum(probe.requests * probe.journeys for probe in held) / journeys
    return {"low": crossing.low * size, "high": crossing.high * size}


def _subject(record: Mapping[str, Any]) -> str:
    factors = record.get("spec", {}).get("factors", {})
    workers, replicas, database = factors.get("workers"), factors.get("replicas"), factors.get("db_backend")
    parts = [f"{workers} worker{'' if workers == 1 else 's'}"] if workers else []
    parts += [f"{replicas} replicas"] if replicas and replicas != 1 else []
    parts += [_DATABASES.get(database, database)] if database and database != "unknown" else []
    return f"This MLflow ({', '.join(parts)})" if parts else "This MLflow"


def _load(record: Mapping[str, Any], axis: str) -> str:
    spec = record.get("spec")
    if not spec:
        return ""
    share = round(100 * spec.get("training_share", 0.2))
    tenants = spec["tenants"]
    over = "" if axis == "tenants" else f" over {tenants} tenant{'' if tenants == 1 else 's'}"
    fixed = ""
    if axis == "tenants":
        fixed = f" at {spec['rate']:g} journeys/s" if spec["rate"] else f" with {spec['concurrency']} users"
    return f" of {100 - share}/{share} load{over}{fixed}"


def _limit(objective: Mapping[str, Any]) -> str:
    """Return an objective as people write it: P95 <= 2 s, errors <= 1 %."""
    sign, limit = ("<=", objective["max"]) if "max" in objective else (">=", objective["min"])
    of = "" if objective["select"] == "total" else f" of {objective['select']}"
    metric = objective["metric"]
    if metric == "error_ratio":
        return f"errors{of} {sign} {100 * limit:g} %"
    if metric.endswith("_ms"):
        name = metric.removesuffix("_ms")
        name = name.upper() if name.startswith("p") else name
        return f"{name}{of} {sign} {f'{limit / 1000:g} s' if limit >= 1000 else f'{limit:g} ms'}"
    return f"{metric.removesuffix('_per_s')}{of} {sign} {limit:g}{'/s' if metric.endswith('_per_s') else ''}"


def _break(found: Mapping[str, Any]) -> str:
    breaks = found["breaks"]
    if not breaks:
        return ""
    if breaks["by"] == BACKLOG:
        return f"beyond that a queue grows with time, in which {breaks['operation'] or 'no operation'} slows down most; "
    return f"beyond that {breaks['operation'] or 'no single operation'} breaks first; "


def _figures(found: Mapping[str, Any]) -> str:
    failed = [probe for probe in found["probes"] if probe["verdict"] == FAILS]
    return min(failed, key=lambda probe: float(probe["load"]))["why"] if failed else "nothing was measured"


def _shown_text(holds: float | None, fails: float | None, unit: str) -> str:
    parts = [f"every probe up to {_plain(holds)} {unit} held"] if holds is not None else []
    parts += [f"every one from {_plain(fails)} {unit} on failed"] if fails is not None else []
    return ", ".join(parts) or "nothing is known yet"


def _range(low: float, high: float) -> str:
    return f"{_plain(low)} to {_plain(high)}"


def _plain(value: float | None) -> str:
    """Return three significant digits without an exponent; a dash for what is not known."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def console_line(search: Mapping[str, Any], decision: Decision, judged: Sequence[Probe], number: int) -> str:
    """Return the line that announces the next probe, the one of that number, with what is known so far."""
    unit = AXES[search["axis"]]
    holds, fails = shown(judged)
    known = f"estimate {_range(decision.crossing.low, decision.crossing.high)} {unit}" if decision.crossing else _shown_text(holds, fails, unit)
    maximum = settings_of(search).probes_max
    return f"Probe {number} (at most {maximum}): {_plain(decision.load)} {unit}, {decision.why}; {known}"
