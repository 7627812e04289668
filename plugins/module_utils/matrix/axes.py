# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared axes of a matrix file with the overrides of a user, validated and normalized."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.duration import parse_duration

PROFILES = ("closed", "open")
ORDERS = ("declared", "shuffled")
STATE_RESETS = ("cell", "level", "never")
DISTRIBUTIONS = ("uniform", "zipf", "noisy")
ROWS = ("per_tenant", "total")
AXES = ("tenants", "concurrency", "rate", "profile", "popularity", "experiments")
# Of the tenant choices of the axis popularity, unless the matrix has others: Zipf's exponent, and how many times the load of others a noisy tenant has.
CHOICE_DEFAULTS: dict[str, dict[str, float]] = {"zipf": {"exponent": 1.0}, "noisy": {"factor": 10}}
OVERRIDES = (*AXES, "rows", "repeats", "duration", "warmup", "order", "seed", "state_reset")
WINDOW_MIN_S = 6
"""In a shorter window nothing tells whether throughput is steady (k6/timeline.py)."""
KEYS = {"schema_version", "name", "description", "axes", "rows", "repeats", "duration", "warmup", "order", "seed", "load"}
LOAD_DEFAULTS = {
    "training_share": 0.2,
    "think_time_s": 1.0,
    "tail_limit": "30s",
    "request_timeout": "60s",
    "users_max": 200,
    "tenant_choice": {"distribution": "uniform"},
    "isolation_per_s": 0,
}


class MatrixError(ValueError):
    """The matrix cannot be expanded; `problems` has one sentence for each problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def is_unset(value: Any) -> bool:
    """Return whether a value counts as not set: None, an empty text (an unanswered survey question), an empty list."""
    return value is None or (isinstance(value, (str, list, tuple)) and not value)


def as_list(value: Any) -> list[Any]:
    """Return a list from a list, a comma or space separated text, or one value."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, str):
        return [part for part in re.split(r"[,\s\[\]]+", value) if part]
    return [value]


def settings_of(matrix: dict[str, Any], overrides: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the settings of a matrix with the overrides applied: lists of numbers, durations in seconds.

    Raises MatrixError with every problem found.
    """
    given = {key: value for key, value in (overrides or {}).items() if not is_unset(value)}
    problems = [f"Axis {key}: is unknown. Known axes: {', '.join(AXES)}." for key in matrix.get("axes", {}) if key not in AXES]
    problems += [f"Matrix key {key}: is unknown. Known keys: {', '.join(sorted(KEYS))}." for key in matrix if key not in KEYS]
    problems += [f"Setting {key}: is unknown. Known settings: {', '.join(OVERRIDES)}." for key in given if key not in OVERRIDES]
    axes = dict(matrix.get("axes", {}))
    if "profile" not in given:
        given.update(_implied_profile(given))
    axes.update({key: given[key] for key in AXES if key in given})

    settings: dict[str, Any] = {"name": matrix.get("name", "custom")}
    problems += _contradictions(given)
    settings["profile"] = [str(name) for name in as_list(axes.get("profile", "closed"))]
    problems += [f"Profile {name}: is unknown. Allowed: {', '.join(PROFILES)}." for name in settings["profile"] if name not in PROFILES]
    settings["tenants"] = _numbers(axes.get("tenants"), "tenants", int, 1, problems)
    needed = {"concurrency": "closed" in settings["profile"], "rate": "open" in settings["profile"]}
    settings["concurrency"] = _numbers(axes.get("concurrency"), "concurrency", int, 1, problems) if needed["concurrency"] else []
    settings["rate"] = _numbers(axes.get("rate"), "rate", float, 0.001, problems) if needed["rate"] else []
    if not is_unset(axes.get("popularity")):
        settings["popularity"] = list(dict.fromkeys(str(name) for name in as_list(axes["popularity"])))
        problems += [f"Popularity {name}: is unknown. Allowed: {', '.join(DISTRIBUTIONS)}." for name in settings["popularity"] if name not in DISTRIBUTIONS]
    if not is_unset(axes.get("experiments")):
        settings["experiments"] = _numbers(axes["experiments"], "experiments", int, 1, problems)
    rows = str(given.get("rows", matrix.get("rows", "per_tenant")))
    if rows not in ROWS:
        problems.append(f"Rows {rows}: is unknown. Allowed: {', '.join(ROWS)}.")
    elif rows != "per_tenant":
        settings["rows"] = rows
    settings["repeats"] = _single(given.get("repeats", matrix.get("repeats", 1)), "repeats", 1, problems)
    settings["seed"] = _single(given.get("seed", matrix.get("seed", 1)), "seed", 0, problems)
    settings["order"] = str(given.get("order", matrix.get("order", "declared")))
    if settings["order"] not in ORDERS:
        problems.append(f"Order {settings['order']}: is unknown. Allowed: {', '.join(ORDERS)}.")
    settings["state_reset"] = str(given.get("state_reset", "never"))
    if settings["state_reset"] not in STATE_RESETS:
        problems.append(f"State reset {settings['state_reset']}: is unknown. Allowed: {', '.join(STATE_RESETS)}.")
    settings["duration_s"] = _seconds(given.get("duration", matrix.get("duration")), "duration", WINDOW_MIN_S, problems, " to tell if it is steady")
    settings["warmup_s"] = _seconds(given.get("warmup", matrix.get("warmup", 0)), "warmup", 0, problems)
    settings["load"] = _load(matrix.get("load", {}), problems)
    is_noisy = "noisy" in settings.get("popularity", []) or settings["load"]["tenant_choice"].get("distribution") == "noisy"
    if is_noisy and 1 in settings["tenants"]:
        problems.append("Popularity noisy: needs other tenants beside the noisy one. Give at least 2 tenants.")
    if problems:
        raise MatrixError(problems)
    return settings


def _contradictions(given: dict[str, Any]) -> list[str]:
    """Return a sentence for each axis of a user that the profile of the same user leaves without effect."""
    profiles = as_list(given.get("profile", []))
    axes = {"concurrency": "closed", "rate": "open"}
    return [
        f"Axis {axis}: has no effect with the profile {', '.join(map(str, profiles))}. Leave it out, or add the profile {profile}."
        for axis, profile in axes.items()
        if axis in given and profiles and profile not in profiles
    ]


def _implied_profile(given: dict[str, Any]) -> dict[str, Any]:
    """Return the profile implied by the overridden axes: a rate means open, both axes mean both."""
    if "rate" not in given:
        return {}
    return {"profile": ["closed", "open"] if "concurrency" in given else ["open"]}


def _numbers(value: Any, name: str, kind: type, minimum: float, problems: list[str]) -> list[Any]:
    wanted = "whole numbers" if kind is int else "numbers"
    example = "1,10,100" if kind is int else "0.5,2"
    if is_unset(value):
        problems.append(f"Axis {name}: has no values. Give {wanted} from {minimum:g} up, such as {example}.")
        return []
    numbers = []
    for part in as_list(value):
        try:
            number = kind(str(part))
        except ValueError:
            number = None
        if number is None or isinstance(part, bool) or not minimum <= number < 1e9:
            problems.append(f"Axis {name}: {part!r} is not allowed. Give {wanted} from {minimum:g} up, such as {example}.")
        else:
            numbers.append(number)
    return list(dict.fromkeys(numbers))


def _single(value: Any, name: str, minimum: int, problems: list[str]) -> int:
    found: list[str] = []
    numbers = _numbers(value, name, int, minimum, found)
    if found or len(numbers) != 1:
        problems.append(f"Setting {name}: {value!r} is not allowed. Give one whole number from {minimum} up.")
        return minimum
    return int(numbers[0])


def _seconds(value: Any, name: str, minimum: float, problems: list[str], purpose: str = "") -> float:
    try:
        seconds = parse_duration("" if value is None else value, f"Setting {name}")
    except ValueError as error:
        problems.append(str(error))
        return minimum
    if seconds < minimum:
        problems.append(f"Setting {name}: {value!r} is too short{purpose}. Give at least {minimum:g}s.")
    return seconds


def _load(declared: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    problems += [f"Load key {key}: is unknown. Known keys: {', '.join(LOAD_DEFAULTS)}." for key in declared if key not in LOAD_DEFAULTS]
    merged = {**LOAD_DEFAULTS, **declared}
    load = {
        "training_share": merged["training_share"],
        "think_time_s": merged["think_time_s"],
        "tail_limit_s": _seconds(merged["tail_limit"], "tail_limit", 1, problems),
        "request_timeout_s": _seconds(merged["request_timeout"], "request_timeout", 1, problems),
        "users_max": merged["users_max"],
        "tenant_choice": dict(merged["tenant_choice"]),
    }
    if not isinstance(load["training_share"], (int, float)) or not 0 < load["training_share"] < 1:
        problems.append(f"Load key training_share: {load['training_share']!r} is not allowed. Give a number between 0 and 1, such as 0.2.")
    if not isinstance(load["think_time_s"], (int, float)) or load["think_time_s"] < 0:
        problems.append(f"Load key think_time_s: {load['think_time_s']!r} is not allowed. Give seconds from 0 up.")
    trickle = merged["isolation_per_s"]
    if not isinstance(trickle, (int, float)) or trickle < 0:
        problems.append(f"Load key isolation_per_s: {trickle!r} is not allowed. Give how often per second from 0 up.")
    elif trickle:
        load["isolation_per_s"] = trickle
    distribution = load["tenant_choice"].get("distribution")
    if distribution not in DISTRIBUTIONS:
        problems.append(f"Tenant choice {distribution}: is unknown. Allowed: {', '.join(DISTRIBUTIONS)}.")
    factor = load["tenant_choice"].get("factor", 10)
    if not isinstance(factor, (int, float)) or factor < 1:
        problems.append(f"Tenant choice factor {factor!r}: is not allowed. Give how many times the load of others the noisy tenant has, from 1 up.")
    return load
