# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer of a report: up to which load every tenant level keeps its objectives, where it breaks, and what likely limits it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.cause import NOT_MEASURED, UNEXPLAINED, cause_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import MISSING
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Load, Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import number
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import group_letters

MEETS, MISSES, INVALID, NOT_RUN, UNJUDGED = "meets", "misses", "invalid", "not_run", "unjudged"
STATES = {MEETS: "meets", MISSES: "misses", INVALID: "invalid", NOT_RUN: "not run", UNJUDGED: "not judged"}
_PROBES = {"holds": MEETS, "fails": MISSES}
# One state of a point from those of its repeats: the first that any of them has.
_ORDER = (MISSES, MEETS, UNJUDGED, INVALID, NOT_RUN)
_GROUPS_NAMED = 2
_METRICS = {"error_ratio": "errors", "goodput_per_s": "goodput", "rate_per_s": "rate", "stall_s": "stall", "worst_tenant_p95_ms": "P95 of the slowest tenant"}


@dataclass(frozen=True)
class PointState:
    """One point of the matrix with the state of its objectives over its repeats.

    The cells that have the state come first; `missed` are the rows of run.json that they miss, `note` says how many of the repeats have the state, or
    that all of them failed.
    """

    group: str
    tenants: int
    load: Load
    state: str
    cells: tuple[tuple[str, str], ...]
    missed: tuple[dict[str, Any], ...] = ()
    note: str = ""

    @property
    def evidence(self) -> str:
        """The missed objective that is farthest beyond its limit: P95 939 ms > 500 ms."""
        return miss_text(max(self.missed, key=_excess)) if self.missed else ""

    @property
    def excess(self) -> float:
        """How many times its limit that one is."""
        return max(map(_excess, self.missed), default=0.0)


@dataclass(frozen=True)
class Answer:
    """One sentence about the cells of one combination of factors, and the cells that it rests on: where it breaks, and the one below."""

    group: str
    sentence: str
    at: tuple[str, str] | None = None
    below: tuple[str, str] | None = None


@dataclass
class _Level:
    """What is known of one tenant level: the highest load that meets all objectives below the first one that misses some."""

    tenants: int
    holds: PointState | None = None
    breaks: PointState | None = None
    gaps: int = 0
    again: list[PointState] = field(default_factory=list)


def point_states(model: Model) -> list[PointState]:
    """Return the state of every planned point, in the order of factors, tenants and load."""
    states = cell_states(model)
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in model.runs:
        for row in run.document.get("objectives", []):
            rows.setdefault((run.run_id, row["cell"]), []).append(row)
    points: dict[tuple[str, int, Load], list[tuple[str, str]]] = {}
    failed = set()
    for cell in model.cells.itertuples():
        failed |= {(cell.run_id, cell.cell_id)} if cell.verdict == "failed" else set()
        points.setdefault((cell.group, int(cell.tenants), cell.load), []).append((cell.run_id, cell.cell_id))
    found = []
    for (group, tenants, load), cells in points.items():
        each = [states[key] for key in cells]
        state = next(name for name in _ORDER if name in each)
        note = "failed" if failed.issuperset(cells) else _note(each, state)
        missed = tuple(row for key in cells if states[key] == MISSES for row in rows.get(key, []) if row["status"] == "missed")
        found.append(PointState(group, tenants, load, state, tuple(sorted(cells, key=lambda key: states[key] != state)), missed, note))
    return sorted(found, key=lambda point: (model.groups.index(point.group), point.tenants, point.load))


def cell_states(model: Model) -> dict[tuple[str, str], str]:
    """Return the state of every cell by run and cell: whether it meets every objective, whatever the severity; of a probe whether it holds."""
    statuses: dict[tuple[str, str], set[str]] = {}
    probes: dict[tuple[str, str], str] = {}
    for run in model.runs:
        if run.capacity:
            probes |= {(run.run_id, probe["id"]): _PROBES.get(probe["verdict"], INVALID) for probe in run.capacity["probes"]}
        for row in run.document.get("objectives", []):
            statuses.setdefault((run.run_id, row["cell"]), set()).add(row["status"])
    found = {}
    for cell in model.cells.itertuples():
        key = (cell.run_id, cell.cell_id)
        by_verdict = {"invalid": INVALID, "failed": INVALID, MISSING: NOT_RUN}.get(cell.verdict)
        known = statuses.get(key, set())
        judged = MISSES if "missed" in known else MEETS if known == {"met"} else UNJUDGED
        found[key] = probes.get(key) or by_verdict or judged
    return found


def _note(each: Sequence[str], state: str) -> str:
    """Return how many of the repeats have the state, where not all of them do."""
    return "" if each.count(state) == len(each) else f"{each.count(state)} of {len(each)} repeats"


def answers(model: Model, points: Sequence[PointState]) -> list[Answer]:
    """Return an answer for every combination of factors; of a search that of capacity.json."""
    searched = {run.run_id: run.capacity for run in model.runs if run.capacity}
    found = []
    for group in model.groups:
        mine = [point for point in points if point.group == group]
        runs = dict.fromkeys(run_id for point in mine for run_id, _cell in point.cells)
        found += [Answer(group, str(searched[run]["sentence"])) for run in runs if run in searched]
        rest = [point for point in mine if any(run not in searched for run, _cell in point.cells)]
        for profile in dict.fromkeys(point.load.profile for point in rest):
            found.append(_answer(model, group, [point for point in rest if point.load.profile == profile]))
    return found


def answer_text(model: Model, found: Sequence[Answer]) -> str:
    """Return the answers in one line, each with the letter of its factors where they differ."""
    letters = group_letters(model)
    return " ".join(f"{letters[answer.group]}: {answer.sentence}" if letters[answer.group] else answer.sentence for answer in found)


def _answer(model: Model, group: str, points: Sequence[PointState]) -> Answer:
    levels = [_level([point for point in points if point.tenants == tenants]) for tenants in dict.fromkeys(point.tenants for point in points)]
    if not any(level.holds or level.breaks for level in levels):
        return Answer(group, _undetermined(points))
    every = [level.tenants for level in levels]
    text = _kept(levels, every)
    broken = [level for level in levels if level.breaks]
    if not broken:
        return Answer(group, f"{text}{_gaps(levels)}; no limit was found.")
    lowest = min(level.breaks.load for level in broken if level.breaks)
    worst = max((level for level in broken if level.breaks and level.breaks.load == lowest), key=lambda level: level.breaks.excess if level.breaks else 0.0)
    point = worst.breaks
    if point is None:
        raise TypeError("a level that breaks has the point where it does")
    at, below = point.cells[0], worst.holds.cells[0] if worst.holds else None
    whom = f" with {_tenants([worst.tenants], every)}" if len(levels) > 1 else ""
    repeats = f" in {point.note}" if point.note else ""
    where = f"breaks at {point.load.text}: " if any(level.holds for level in levels) else ""
    parts = [text + _gaps(levels), f"{where}{point.evidence or 'an objective is missed'}{whom}{repeats}"]
    again = next((level for level in levels if level.again), None)
    parts += [f"not monotonic: kept again at {again.again[0].load.text} with {_tenants([again.tenants], every)}"] if again else []
    cause = cause_of(model.records[at], model.records[below] if below else None)
    is_known = cause["name"] not in (NOT_MEASURED, UNEXPLAINED)
    parts.append(f"{'likely limit' if is_known else 'the limiting resource is not determined'}: {cause['sentence']}")
    return Answer(group, f"{'; '.join(parts)}.", at, below)


def _level(points: Sequence[PointState]) -> _Level:
    level = _Level(points[0].tenants)
    for point in points:
        if level.breaks:
            level.again += [point] if point.state == MEETS else []
        elif point.state == MISSES:
            level.breaks = point
        elif point.state == MEETS:
            level.holds = point
        else:
            level.gaps += 1
    return level


def _kept(levels: Sequence[_Level], every: Sequence[int]) -> str:
    """Return up to which load the objectives are kept, levels with the same ends together."""
    alike: dict[tuple[str, str], list[int]] = {}
    for level in levels:
        alike.setdefault((level.holds.load.text if level.holds else "", level.breaks.load.text if level.breaks else ""), []).append(level.tenants)
    kept = [(holds, breaks, tenants) for (holds, breaks), tenants in alike.items() if holds]
    low = [(breaks, tenants) for (holds, breaks), tenants in alike.items() if breaks and not holds]
    unknown = alike.get(("", ""), [])
    parts = []
    if len(kept) > _GROUPS_NAMED:
        loads = sorted(level.holds.load for level in levels if level.holds)
        parts.append(f"Keeps its objectives up to {loads[0].value:g} to {loads[-1].text}, depending on the tenants")
    elif kept:
        named = [f"for {_tenants(tenants, every)} up to {holds}{'' if breaks else ', the highest load tested'}" for holds, breaks, tenants in kept]
        parts.append(f"Keeps its objectives {' and '.join(named)}")
    for breaks, tenants in low:
        parts.append(f"{'the' if parts else 'The'} limit for {_tenants(tenants, every)} is at or below {breaks}, the lowest load tested")
    if unknown:
        parts.append(f"not determined for {_tenants(unknown, every)}")
    return "; ".join(parts)


def _gaps(levels: Sequence[_Level]) -> str:
    gaps = sum(level.gaps for level in levels if level.holds or level.breaks)
    return f" ({gaps} point{' is' if gaps == 1 else 's are'} invalid, not run or not judged)" if gaps else ""


def _undetermined(points: Sequence[PointState]) -> str:
    states = {point.state for point in points}
    if states == {UNJUDGED}:
        return f"Not judged: none of the {len(points)} points of the matrix has an objective that was evaluated."
    counts = ", ".join(f"{sum(point.state == state for point in points)} {STATES[state]}" for state in (UNJUDGED, INVALID, NOT_RUN) if state in states)
    return f"Not determined: no point of the matrix is valid and judged by objectives ({counts})."


def _tenants(tenants: Sequence[int], every: Sequence[int]) -> str:
    """Return tenant levels; a range for neighbouring ones."""
    places = [every.index(level) for level in tenants]
    if len(tenants) > 1 and places == list(range(places[0], places[0] + len(places))):
        return f"{tenants[0]} to {tenants[-1]} tenants"
    return f"{', '.join(map(str, tenants))} tenant{'' if list(tenants) == [1] else 's'}"


def miss_text(row: Mapping[str, Any]) -> str:
    """Return a missed objective as people write it: P95 939 ms > 500 ms, errors 3 % > 1 %, goodput 8 /s < 10 /s."""
    select, _dot, metric = str(row["metric"]).rpartition(".")
    sign, _space, limit = str(row["limit"]).partition(" ")
    name = _METRICS.get(metric) or metric.removesuffix("_ms").replace("_", " ")
    name = name.upper() if name[:1] == "p" and name[1:].isdigit() else name
    of = "" if select in ("", "total") else f" of {select}"
    texts = [_amount(metric, row["value"]), _amount(metric, _float(limit))]
    warning = " (a warning)" if row["severity"] == "warning" else ""
    return f"{name}{of} {texts[0]} {'>' if sign == '<=' else '<'} {texts[1]}{warning}"


def _amount(metric: str, value: float | None) -> str:
    if value is None or math.isnan(value):
        return number(None)
    if metric.endswith("_ratio"):
        return f"{number(100 * value)} %"
    unit = next((f" {unit}" for suffix, unit in (("_per_s", "/s"), ("_ms", "ms"), ("_s", "s"), ("_cores", "cores")) if metric.endswith(suffix)), "")
    return f"{number(value)}{unit}"


def _excess(row: Mapping[str, Any]) -> float:
    """Return how many times the limit the value is, the reciprocal for a limit from below."""
    limit, value = _float(str(row["limit"]).partition(" ")[2]), row["value"]
    if value is None or math.isnan(limit) or value < 0 or limit < 0:
        return 0.0
    if str(row["limit"]).startswith(">"):
        return limit / value if value else math.inf
    return value / limit if limit else math.inf


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def latency_limits(model: Model, select: str = "total") -> list[float]:
    """Return the limits in ms that objectives set for the P95 of all requests, or of one operation, ascending."""
    rows = [row for run in model.runs for row in run.document.get("objectives", []) if row["metric"] == f"{select}.p95_ms"]
    found = {_float(str(row["limit"]).partition(" ")[2]) for row in rows if str(row["limit"]).startswith("<")}
    return sorted(value for value in found if value > 0)
