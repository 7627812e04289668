# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inputs of a search, validated, and what follows from them: its settings, the overrides of the matrix, and when a probe is hopeless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import JOURNEYS, OPERATIONS
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.axes import MatrixError, as_list, is_unset
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.duration import format_duration
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.verdict import CELL_METRICS, METRICS

AXES = {"rate": "journeys/s", "concurrency": "users", "tenants": "tenants"}
"""The axes of a search and their units."""
MINIMUM = {"rate": 0.1, "concurrency": 1, "tenants": 1}
START = {"rate": 1, "concurrency": 5, "tenants": 1}
MAXIMUM = {"rate": 1000, "concurrency": 2000, "tenants": 1000}
_OPTIONS = {"minimum": "min", "maximum": "max"}
HOPELESS_AFTER_S = 16
"""k6 evaluates thresholds every two seconds, so a hopeless probe ends within 20 s of load."""
HOPELESS_TIMES = 4
HOPELESS_SHARE = 0.5
HOPELESS_SERVED = 0.25
PROBES_MIN = 8
"""Probes near the estimate that an answer needs: a few that happen to agree have too narrow an interval."""


@dataclass(frozen=True)
class Settings:
    """The parameters of a search. Loads are in the unit of the axis; `resolution` is the wanted width of the interval as a share of the load.

    `limits` has the upper limit of each latency (a metric in ms) by the name of its objective: these are fitted.
    """

    axis: str
    start: float
    minimum: float
    maximum: float
    resolution: float
    probes_max: int
    limits: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether loads are whole numbers: virtual users and tenants are."""
        return self.axis != "rate"


def search_inputs(inputs: Mapping[str, Any], objectives: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return {search (for the context of the plan), overrides (of the matrix), objectives (those that decide)} of a search.

    `inputs`: axis, start, minimum, maximum, resolution, probes_max; and the axes of the matrix (tenants, concurrency, rate) as the user gave them, which
    stay fixed. Raises MatrixError with every problem found, one sentence each.
    """
    problems: list[str] = []
    axis = str(inputs.get("axis") or "rate")
    if axis not in AXES:
        raise MatrixError([f"Capacity axis {axis}: is unknown. Allowed: {', '.join(AXES)}."])
    deciding = [objective for objective in objectives if objective.get("severity", "error") == "error"]
    if not deciding:
        problems.append("Objectives of the search: none has the severity error, so nothing decides. Give one in capacity_objectives or capacity_slo_file.")
    problems += [problem for objective in deciding for problem in _objective_problems(objective)]
    numbers = {name: _number(inputs, name, problems) for name in ("start", "minimum", "maximum", "resolution", "probes_max")}
    low, high = numbers["minimum"] or MINIMUM[axis], numbers["maximum"] or MAXIMUM[axis]
    start = numbers["start"] or min(max(START[axis], low), high)
    resolution, probes = numbers["resolution"] or 0.1, int(numbers["probes_max"] or 20)
    if not low <= start <= high:
        problems.append(
            f"Capacity start {start:g}: is not between the lowest load {low:g} and the highest {high:g} (capacity_min, capacity_max). Change one of them."
        )
    if not 0.01 <= resolution <= 1:
        problems.append(
            f"Capacity resolution {resolution:g}: is not allowed. Give the width of the interval as a share of the load from 0.01 to 1, such as 0.1."
        )
    if probes <= PROBES_MIN:
        problems.append(f"Capacity probes {probes}: are too few. Give more than {PROBES_MIN}, as many as the fit needs.")
    overrides = _overrides(axis, start, inputs, problems)
    if problems:
        raise MatrixError(problems)
    limits = {objective["name"]: float(objective["max"]) for objective in deciding if objective["metric"].endswith("_ms") and "max" in objective}
    settings = Settings(axis, float(start), float(low), float(high), float(resolution), probes, limits)
    search = {**document(settings), "objectives": deciding, "stop_when": hopeless(deciding)}
    return {"search": search, "overrides": overrides, "objectives": list(deciding)}


def settings_of(search: Mapping[str, Any]) -> Settings:
    """Return the settings of a search from the context of its plan."""
    names = ("axis", "start", "minimum", "maximum", "resolution", "probes_max", "limits")
    return Settings(**{name: search[name] for name in names})


def hopeless(objectives: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return when k6 stops a probe early: latencies, failures or journeys so far beyond the limits that the rest of the window cannot change the verdict."""
    total = [objective["max"] for objective in objectives if objective["select"] == "total" and objective["metric"] == "p95_ms" and "max" in objective]
    return {
        "after_s": HOPELESS_AFTER_S,
        "p95_ms": HOPELESS_TIMES * min(total) if total else None,
        "failed_share": HOPELESS_SHARE,
        "served_share": HOPELESS_SERVED,
    }


def time_bounds(search: Mapping[str, Any], load_s: float, between_s: float) -> str:
    """Return the sentence about the time that a search takes, with the seconds of one load and of what is between two."""
    least, most = bounds_s(settings_of(search), load_s, between_s)
    unit = AXES[search["axis"]]
    return (
        f"Search of the highest {search['axis']} from {search['start']:g} {unit} on: {format_duration(least)} to {format_duration(most)} "
        f"(at most {search['probes_max']} probes of {format_duration(load_s)} each), and the prefill."
    )


def _objective_problems(objective: Mapping[str, Any]) -> list[str]:
    select, metric, name = objective.get("select"), objective.get("metric"), objective.get("name", "without name")
    if select not in ("total", *OPERATIONS, *JOURNEYS):
        allowed = ", ".join(("total", *OPERATIONS, *JOURNEYS))
        return [f"Objective {name}: {select} is no operation of the load. Select one of {allowed}."]
    if metric not in (*METRICS, *CELL_METRICS):
        return [f"Objective {name}: metric {metric} is not measured. Use one of {', '.join((*METRICS, *CELL_METRICS))}."]
    if ("max" in objective) == ("min" in objective):
        return [f"Objective {name}: needs one limit. Give either max or min."]
    return []


def _overrides(axis: str, start: float, inputs: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """Return the overrides of the matrix: the searched axis at its start, the others as given, one value each."""
    given = {name: as_list(inputs[name]) for name in ("tenants", "concurrency", "rate") if not is_unset(inputs.get(name))}
    if axis in given:
        problems.append(f"Axis {axis}: is the one that is searched (capacity_axis), so test_matrix_{axis} has no effect. Use capacity_start instead.")
    contrary = {"rate": "concurrency", "concurrency": "rate"}.get(axis)
    if contrary in given:
        problems.append(f"Axis {contrary}: contradicts capacity_axis {axis}, since a load is either open (rate) or closed (concurrency). Leave it out.")
    if axis == "tenants" and len({"rate", "concurrency"} & set(given)) == 2:
        problems.append("Axes rate and concurrency: a load is either open or closed. Give one of test_matrix_rate and test_matrix_concurrency.")
    problems += [
        f"Axis {name}: has {len(values)} values, and a search varies {axis} alone. Give one value." for name, values in given.items() if len(values) > 1
    ]
    profile = "closed" if axis == "concurrency" or (axis == "tenants" and "concurrency" in given) else "open"
    fixed = {name: values for name, values in given.items() if name != axis}
    return {**fixed, axis: start, "profile": profile, "repeats": 1, "order": "declared"}


def _number(inputs: Mapping[str, Any], name: str, problems: list[str]) -> float | None:
    value = inputs.get(name)
    if is_unset(value):
        return None
    try:
        number = float(str(value))
    except ValueError:
        number = float("nan")
    if not 0 < number < 1e9:
        problems.append(f"Setting capacity_{_OPTIONS.get(name, name)}: {value!r} is not allowed. Give a number above 0.")
        return None
    return number


def bounds_s(settings: Settings, load_s: float, between_s: float) -> tuple[float, float]:
    """Return the least and the most seconds of a search whose probes load for `load_s` and have `between_s` between them."""
    each = load_s + between_s
    return PROBES_MIN * each, settings.probes_max * each


def document(settings: Settings) -> dict[str, Any]:
    """Return the settings as they stand in the plan, whose digest they are part of."""
    return {
        "axis": settings.axis,
        "start": settings.start,
        "minimum": settings.minimum,
        "maximum": settings.maximum,
        "resolution": settings.resolution,
        "probes_max": settings.probes_max,
        "limits": dict(settings.limits),
    }
