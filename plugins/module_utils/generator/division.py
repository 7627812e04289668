# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a load is divided among shards: virtual users of each journey that their number divides, and how many shards loads need.

k6 divides each scenario by its execution segments, and the rate of an open one as it divides its virtual users (constant-arrival-rate scales by maxVUs).
So what the number of shards does not divide would give shards of different rates and mixes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

HEAD_ROOM = 0.3
"""The share of a generator's processors that stays free: beyond it k6 measures its own waiting."""
_SEARCHED = 100
_NAMED = 3


class DivisionError(ValueError):
    """A load that cannot be divided as wanted; the text is one sentence with a remedy."""


def users_of(profile: Mapping[str, Any], training_share: float) -> dict[str, int]:
    """Return the virtual users of each journey as the load script divides them (trainersOf in files/k6/lib/profiles.js)."""
    users = _users(profile)
    both = min(users - 1, max(1, math.floor(training_share * users + 0.5)))
    training = int(users * training_share) if training_share in (0, 1) else both
    return {"training": training, "browsing": users - training}


def divide(profile: Mapping[str, Any], training_share: float, shards: int, is_rounded: bool) -> dict[str, int]:
    """Return the virtual users of each journey (`vus` of load_config.json) of a load that so many shards share.

    With `is_rounded` those that the number does not divide are rounded up. Raises DivisionError otherwise.
    """
    users = users_of(profile, training_share)
    if all(count % shards == 0 for count in users.values()):
        return users
    if is_rounded:
        return {journey: -(-count // shards) * shards for journey, count in users.items()}
    name = "concurrency" if profile["kind"] == "closed" else "users_max"
    fitting = _next_fitting(profile, training_share, shards)
    use = f"Use {name} {fitting}, another k6_runner_shards" if fitting else "Use another k6_runner_shards"
    raise DivisionError(
        f"Load of {shards} shards: {name} {_users(profile)} is {users['training']} for training and {users['browsing']} for browsing, which {shards} does not "
        f"divide. {use}, or k6_runner_round_vus."
    )


def _users(profile: Mapping[str, Any]) -> int:
    return int(profile["concurrency"] if profile["kind"] == "closed" else profile["users_max"])


def _next_fitting(profile: Mapping[str, Any], training_share: float, shards: int) -> int | None:
    """Return the next larger number of virtual users that the shards divide, if one is near."""
    key = "concurrency" if profile["kind"] == "closed" else "users_max"
    for users in range(_users(profile) + 1, _users(profile) + 1 + _SEARCHED * shards):
        if all(count % shards == 0 for count in users_of({**profile, key: users}, training_share).values()):
            return users
    return None


def profile_of(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Return the profile of a planned cell in the form of load_config.json."""
    if cell["profile"] == "closed":
        return {"kind": "closed", "concurrency": cell["concurrency"]}
    return {"kind": "open", "rate": cell["rate"], "users_max": cell["load"]["users_max"]}


def check_cells(cells: Iterable[Mapping[str, Any]], shards: int, is_rounded: bool) -> None:
    """Raise DivisionError with a sentence for each different load of planned cells that the shards cannot share."""
    problems = []
    for cell in cells:
        try:
            divide(profile_of(cell), cell["training_share"], shards, is_rounded)
        except DivisionError as error:
            problems.append(str(error))
    different = list(dict.fromkeys(problems))
    if different:
        more = f" {len(different) - _NAMED} more loads have the same problem." if len(different) > _NAMED else ""
        raise DivisionError(" ".join(different[:_NAMED]) + more)


class Calibration(NamedTuple):
    """What a short cell showed about one generator: processor seconds per request, requests per journey, and requests per second of a virtual user."""

    cpu_s_per_request: float
    requests_per_journey: float
    requests_per_user_s: float


def calibration_of(record: Mapping[str, Any]) -> Calibration:
    """Return the calibration that the record of a measured cell is. Raises DivisionError without the generator's processor time, or without requests."""
    total, cores = record.get("total") or {"n": 0}, (record.get("generator") or {}).get("cpu_cores_mean")
    started = sum(journey["started"] for journey in (record.get("journeys") or {}).values())
    users = record["spec"]["concurrency"] or (record.get("generator") or {}).get("vus_max")
    if not total["n"] or not started or not cores or not users:
        raise DivisionError(f"Calibration {record['id']}: without requests, or without the processor time of its generator. Measure the cell again.")
    seconds = record["window"]["end"] - record["window"]["start"]
    return Calibration(cores * seconds / total["n"], total["n"] / started, total["n"] / seconds / users)


def requests_per_s(cell: Mapping[str, Any], calibration: Calibration) -> float:
    """Return how many requests per second a planned cell will make at most.

    Those of virtual users are at the latencies of the calibration, which has less load, so they are not underestimated.
    """
    if cell["profile"] == "closed":
        return float(cell["concurrency"] * calibration.requests_per_user_s)
    return float(cell["rate"] * calibration.requests_per_journey)


def room_for(nodes: Iterable[Mapping[str, Any]], cores: float, memory_bytes: float) -> int:
    """Return how many generators of that size fit on the nodes, which have cpu_cores and memory_bytes (allocatable), less what is taken there."""
    room = 0
    for node in nodes:
        by_cpu = (node["cpu_cores"] - (node.get("cpu_cores_taken") or 0)) / cores
        by_memory = (node["memory_bytes"] - (node.get("memory_bytes_taken") or 0)) / memory_bytes if memory_bytes else by_cpu
        room += max(0, math.floor(min(by_cpu, by_memory) + 1e-9))
    return room


def shard_count(
    cells: Sequence[Mapping[str, Any]], calibration: Calibration, nodes: Iterable[Mapping[str, Any]], cores: float, memory_bytes: float = 0,
    head_room: float = HEAD_ROOM, is_rounded: bool = False,
) -> int:  # fmt: skip
    """Return how many shards of so many `cores` and `memory_bytes` the planned cells need.

    The smallest number that leaves `head_room` (0 to 1) of each shard's processors free in the largest cell, and that divides the virtual users of all cells
    unless they are rounded. Raises DivisionError when the nodes cannot carry so many, or no such number fits on them.
    """
    largest = max(requests_per_s(cell, calibration) for cell in cells)
    needed = max(1, math.ceil(largest * calibration.cpu_s_per_request / (cores * (1 - head_room)) - 1e-9))
    room = room_for(nodes, cores, memory_bytes)
    basis = f"{largest:.0f} requests/s at {1000 * calibration.cpu_s_per_request:.3g} ms of processor time each need {needed} generators of {cores:g} cores"
    if needed > room:
        raise DivisionError(f"Shards: {basis}, with {head_room:.0%} head-room; the nodes have room for {room}. Add nodes, or declare a smaller load.")
    for count in range(needed, room + 1):
        try:
            check_cells(cells, count, is_rounded)
        except DivisionError:
            continue
        return count
    raise DivisionError(
        f"Shards: {basis}; no number from {needed} to {room} divides the virtual users of every cell. "
        "Set k6_runner_round_vus, or declare other numbers of users."
    )
