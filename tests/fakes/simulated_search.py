# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many capacity searches at once against simulated queues, in virtual time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.search import BACKLOG, FAILS, HOLDS, Decision, Probe, decide
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.settings import Settings
from fakes.simulated_queue import Measured, Queue, long_run_crossing, measure, measure_closed

WARMUP_S, WINDOW_S = 5, 30
OBJECTIVE = "p95"


@dataclass(frozen=True)
class Scenario:
    """A queue, the limit of its P95 (ms), the axis of the search, the loads around the crossing, and the range of first loads."""

    queue: Queue
    limit_ms: float
    axis: str
    around: tuple[float, float]
    starts: tuple[float, float]

    def truth(self) -> float:
        """Return the load at which the P95 over a long time crosses its limit."""
        loads = np.linspace(*self.around, 9)
        return long_run_crossing(self.queue, self.limit_ms, loads, closed=self.axis == "concurrency", repeats=8)

    def settings(self, start: float) -> Settings:
        """Return the settings of a search from a first load."""
        minimum = 0.1 if self.axis == "rate" else 1
        first = start if self.axis == "rate" else float(max(1, round(start)))
        return Settings(self.axis, first, minimum, 1000, 0.1, 20, {OBJECTIVE: self.limit_ms})


def search_often(scenario: Scenario, searches: int, seed: int) -> tuple[list[Decision], list[list[Probe]]]:
    """Run so many searches side by side, each from another first load, and return their ends and their probes."""
    chance = np.random.default_rng(seed)
    starts = np.exp(chance.uniform(*np.log(scenario.starts), searches))
    settings = [scenario.settings(float(start)) for start in starts]
    probes: list[list[Probe]] = [[] for _search in range(searches)]
    ends: dict[int, Decision] = {}
    while len(ends) < searches:
        decisions = {number: decide(settings[number], probes[number]) for number in range(searches) if number not in ends}
        ends |= {number: decision for number, decision in decisions.items() if decision.has_ended}
        todo = [(number, decision.load) for number, decision in decisions.items() if not decision.has_ended]
        if todo:
            loads = np.array([load for _number, load in todo])
            measured = (measure if scenario.axis == "rate" else measure_closed)(scenario.queue, loads, WARMUP_S, WINDOW_S, chance)
            for place, (number, load) in enumerate(todo):
                probes[number].append(_probe(scenario, measured, place, load))
    return [ends[number] for number in range(searches)], probes


def _probe(scenario: Scenario, measured: Measured, place: int, load: float) -> Probe:
    started = int(measured.started[place])
    p95 = float(measured.p95_ms[place])
    missed = [OBJECTIVE] if p95 > scenario.limit_ms else []
    missed += [BACKLOG] if measured.dropped[place] > 0.01 * (started + measured.dropped[place]) else []
    return Probe(
        id="", load=load, verdict=FAILS if missed else HOLDS, values={OBJECTIVE: None if math.isnan(p95) else p95}, missed=tuple(missed),
        rate_per_s=float(measured.rate_per_s[place]), requests=float(measured.requests[place] / max(1, started)), journeys=started,
        unfinished=float(measured.unfinished[place]), is_open=scenario.axis == "rate",
    )  # fmt: skip
