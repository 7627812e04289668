# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two sides have in common and in what they differ: matching cells, the factor that is compared, and differences that forbid a comparison."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison.sides import ComparisonError, Run, Side
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import flat

# Factors that are conditions of the measurement, not properties of the target.
_CONDITIONS = ("profile", "k6_version", "metrics_profile", "data_set_digest")
# Parts of a fingerprint that say what was planned or loaded, which is compared by itself.
_PLANNED = ("plan_digest", "script_digest", "data_set_digest")
_LOAD = ("duration_s", "warmup_s", "training_share", "think_time_s")
# What a fingerprint says of the server itself: versions, images, resources and settings.
_SERVER = re.compile(r"(mlflow|database|postgres)(?!_nodes|_python|_operator_version_source)")
_RESTORED = ("restored", "continued", "attached")
_NAMED = 6
Cells = Sequence[tuple[Run, Mapping[str, Any]]]


class Difference(NamedTuple):
    """A key in which the sides differ, with the values on each side as text."""

    key: str
    baseline: str
    candidate: str

    def document(self) -> dict[str, str]:
        """Return the difference as it is recorded."""
        return self._asdict()


@dataclass(frozen=True)
class Match:
    """A point that both sides measured: its name, its place in the matrix, and the repeats on each side."""

    name: str
    tenants: int
    load: float
    profile: str
    baseline: Cells
    candidate: Cells


@dataclass(frozen=True)
class Conditions:
    """The matching points, the compared factors, differences that were accepted, and every other difference of the fingerprints."""

    matches: list[Match]
    unmatched: list[str]
    compared: list[Difference]
    accepted: list[Difference]
    others: list[Difference]


def conditions_of(baseline: Side, candidate: Side, factor: str = "", accept: Sequence[str] = ()) -> Conditions:
    """Match the cells of two sides by their factors, and find out in what else they differ.

    `factor` names the compared factor, else it is found; `accept` names exactly the differences of load, data set, scripts and start state that do not
    forbid the comparison. Raises ComparisonError.
    """
    factors = {side.name: [record["spec"].get("factors") or {} for _run, record in side.cells] for side in (baseline, candidate)}
    axes, differing = _factors(factors[baseline.name], factors[candidate.name])
    matches, unmatched = _match(baseline, candidate, axes)
    if not matches:
        raise ComparisonError(_disjoint(baseline, candidate))
    forbidding = _forbidding(matches)
    _assert_accepted(forbidding, accept)
    known = {difference.key for difference in differing}
    # A fingerprint calls a version after its program: mlflow, where the factor is mlflow_version.
    others = [difference for difference in _fingerprints(baseline, candidate) if not known & {difference.key, f"{difference.key}_version"}]
    compared = _compared(differing, others, factor)
    rest = [difference for difference in [*differing, *others] if difference not in compared]
    return Conditions(matches, unmatched, compared, forbidding, rest)


def _factors(baseline: Iterable[Mapping[str, Any]], candidate: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[Difference]]:
    """Return the factors that vary alike on both sides, which are axes of the matrix, and those with one value on each side that differ."""
    every = [list(baseline), list(candidate)]
    names = sorted({name for side in every for factors in side for name in factors})
    axes, differing = [], []
    for name in names:
        one, other = ({_text(factors.get(name)) for factors in side} for side in every)
        if one == other:
            axes += [name] if len(one) > 1 else []
        elif name == "data_set_digest":
            continue
        elif len(one) > 1 or len(other) > 1:
            raise ComparisonError(
                f"Factor {name}: the baseline has {', '.join(sorted(one))} and the candidate {', '.join(sorted(other))}. "
                "Give runs with one value of it for each side, or with the same values for both."
            )
        else:
            differing.append(Difference(name, *one, *other))
    return axes, differing


def _match(baseline: Side, candidate: Side, axes: Sequence[str]) -> tuple[list[Match], list[str]]:
    points = [_points(side, axes) for side in (baseline, candidate)]
    matches = []
    for key in points[0]:
        if key in points[1]:
            spec = points[0][key][0][1]["spec"]
            load = spec.get("concurrency") if spec["profile"] == "closed" else spec.get("rate")
            matches.append(Match(_name(points[0][key][0][1]), spec["tenants"], float(load or 0), spec["profile"], points[0][key], points[1][key]))
    unmatched = [
        f"Point {_name(points[place][key][0][1])}: only the {side.name} has it, so it is left out."
        for place, side in enumerate((baseline, candidate))
        for key in points[place]
        if key not in points[1 - place]
    ]
    return sorted(matches, key=lambda match: (match.profile, match.tenants, match.load, match.name)), unmatched


def _points(side: Side, axes: Sequence[str]) -> dict[tuple[Any, ...], list[tuple[Run, Mapping[str, Any]]]]:
    found: dict[tuple[Any, ...], list[tuple[Run, Mapping[str, Any]]]] = {}
    for run, record in side.cells:
        found.setdefault(point_key(record, axes), []).append((run, record))
    return found


def point_key(record: Mapping[str, Any], axes: Sequence[str] = ()) -> tuple[Any, ...]:
    """Return what cells of the same point share: tenants, load, profile, and the values of further axes."""
    spec = record["spec"]
    place = (spec["tenants"], spec.get("concurrency"), spec.get("rate"), spec["profile"])
    return (*place, *(_text((spec.get("factors") or {}).get(name)) for name in axes))


def _name(record: Mapping[str, Any]) -> str:
    """Return the id of a cell without its repeat."""
    return str(record["id"]).rpartition("-r")[0]


def _disjoint(baseline: Side, candidate: Side) -> str:
    one, other = ({record["spec"]["profile"] for _run, record in side.cells} for side in (baseline, candidate))
    if not one & other:
        units = {"closed": "virtual users", "open": "journeys started per second"}
        texts = [" and ".join(units[profile] for profile in sorted(profiles)) for profiles in (one, other)]
        return f"Comparison: the load of the baseline is in {texts[0]}, that of the candidate in {texts[1]}, and these units differ. Give runs of one profile."
    names = [sorted({_name(record) for _run, record in side.cells}) for side in (baseline, candidate)]
    return (
        f"Comparison: no cell is in both sides. The baseline has {_listed(names[0])}, the candidate {_listed(names[1])}. "
        "Give runs whose matrices share tenants and load."
    )


def _forbidding(matches: Iterable[Match]) -> list[Difference]:
    """Return the differences of load, data set, scripts, start state and schema between the matching cells, one for each key."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for match in matches:
        one, other = (_values(cells) for cells in (match.baseline, match.candidate))
        for key in [name for name in one if name in other]:
            if len(one[key].keys() | other[key].keys()) > 1:
                pair = found.setdefault(key, ({}, {}))
                pair[0].update(one[key])
                pair[1].update(other[key])
    return [Difference(key, ", ".join(pair[0]), ", ".join(pair[1])) for key, pair in found.items()]


def _values(cells: Cells) -> dict[str, dict[str, None]]:
    """Return the values of every key that has to be alike, as texts, in the cells of one side; an unknown value is not one."""
    found: dict[str, dict[str, None]] = {}
    for run, record in cells:
        for key, value in required_alike(run, record).items():
            if value is not None:
                found.setdefault(key, {})[_text(value)] = None
    return found


def required_alike(run: Run, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two cells must have in common to be compared, by key: load, data set, script digest, start state and version of the records."""
    spec, start = record["spec"], record.get("start_state") or {}
    factors = spec.get("factors") or {}
    load = {key: spec.get(key) for key in _LOAD} | {key: value for key, value in (spec.get("load") or {}).items() if key not in _LOAD}
    rows = ((start.get("baseline") or {}).get("rows") or {}) if start.get("status") in _RESTORED else {}
    return {
        **{f"load.{key}": value for key, value in load.items()},
        "data_set_digest": factors.get("data_set_digest") or run.fingerprint.get("data_set_digest"),
        "script_digest": run.fingerprint.get("script_digest"),
        "start_state.state_reset": start.get("state_reset"),
        "start_state.status": "restored" if start.get("status") in _RESTORED else start.get("status"),
        **{f"start_state.rows.{table}": count for table, count in rows.items()},
        "schema_version": run.document.get("schema_version"),
    }  # fmt: skip


def _assert_accepted(forbidding: Sequence[Difference], accept: Sequence[str]) -> None:
    keys = [difference.key for difference in forbidding]
    rejected = [difference for difference in forbidding if difference.key not in accept]
    if rejected:
        texts = "; ".join(f"{key} is {one} in the baseline and {other} in the candidate" for key, one, other in rejected)
        raise ComparisonError(
            f"Comparison: the sides were not measured alike: {texts}. Measure one of them again, or set comparison_accept to exactly {','.join(keys)}."
        )
    unknown = [key for key in accept if key not in keys]
    if unknown:
        allowed = f"Set it to exactly {','.join(keys)}" if keys else "Leave it out"
        raise ComparisonError(f"Input comparison_accept: {unknown[0]} does not differ between the sides. {allowed}.")


def _compared(differing: Sequence[Difference], others: Sequence[Difference], factor: str) -> list[Difference]:
    """Return the compared factor, or all that may be the cause of a difference; none where only the time differs."""
    if factor:
        named = [difference for difference in [*differing, *others] if difference.key == factor]
        if not named:
            known = ", ".join(difference.key for difference in [*differing, *others][:_NAMED]) or "nothing"
            raise ComparisonError(f"Input comparison_factor: {factor} is the same on both sides, or unknown. These differ: {known}.")
        return named[:1]
    targets = [difference for difference in differing if difference.key not in _CONDITIONS]
    return targets or [difference for difference in others if _SERVER.match(difference.key)]


def _fingerprints(baseline: Side, candidate: Side) -> list[Difference]:
    """Return the differences of the fingerprints; a key that varies within a side has all of its values."""
    sides = []
    for side in (baseline, candidate):
        values: dict[str, dict[str, None]] = {}
        for run in side.runs:
            facts = dict(flat({key: value for key, value in run.fingerprint.items() if key not in _PLANNED}))
            for key, text in facts.items():
                values.setdefault(key, {})[text] = None
        sides.append(values)
    names = [name for name in dict.fromkeys([*sides[0], *sides[1]]) if sides[0].get(name, {}).keys() != sides[1].get(name, {}).keys()]
    return [Difference(name, *(", ".join(side.get(name, {"unknown": None})) for side in sides)) for name in names]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
