# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as a queue of journeys in virtual time, many of them at once: what a capacity search is tested with, since its truth is known.

A journey is a session with so many requests one after the other, as the load script sends them. All sessions under way share the workers (processor
sharing), so that a request takes as long as there are sessions per worker. Time goes in steps; each row of an array is a server of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

STEP_S = 0.05
JOURNEY_REQUESTS = (58, 43)
TRAINING_SHARE = 0.2
_GRID = np.geomspace(0.05, 400, 400)


@dataclass(frozen=True)
class Queue:
    """A server: seconds of work of one request, workers, how much the work of journeys and the speed from probe to probe vary (coefficients of variation).

    `growth` is how much longer a request takes per session under way (contention), `users_max` the sessions that the generator has.
    """

    request_s: float = 0.012
    workers: int = 1
    journey_variation: float = 0.15
    speed_variation: float = 0.02
    growth: float = 0.0
    users_max: int = 120
    think_s: float = 0.0

    @property
    def saturation(self) -> float:
        """Journeys per second at which the workers have no idle time left."""
        return self.workers / (self.request_s * _mean_requests())


def _mean_requests() -> float:
    return JOURNEY_REQUESTS[0] * (1 - TRAINING_SHARE) + JOURNEY_REQUESTS[1] * TRAINING_SHARE


@dataclass(frozen=True)
class Measured:
    """What the windows of many probes measured, an array each; `unfinished` is the share of the journeys started that had not ended."""

    p95_ms: Any
    requests: Any
    started: Any
    dropped: Any
    rate_per_s: Any
    unfinished: Any


def measure(queue: Queue, rates: Any, warmup_s: float, window_s: float, chance: np.random.Generator) -> Measured:
    """Apply open loads of so many journeys per second, each to an empty server, and return what the windows measured."""
    return _Simulation(queue, np.asarray(rates, dtype=float), chance).run(warmup_s, window_s)


def measure_closed(queue: Queue, users: Any, warmup_s: float, window_s: float, chance: np.random.Generator) -> Measured:
    """Apply closed loads of so many users, and return what the windows measured."""
    return _Simulation(queue, np.asarray(users, dtype=float), chance, closed=True).run(warmup_s, window_s)


class _Simulation:
    def __init__(self, queue: Queue, loads: Any, chance: np.random.Generator, closed: bool = False) -> None:
        self.queue, self.loads, self.chance, self.closed = queue, loads, chance, closed
        self.speed = np.exp(queue.speed_variation * chance.standard_normal(len(loads)))
        self.work = np.zeros((len(loads), queue.users_max))
        self.per_work = np.ones_like(self.work)
        self.due = chance.random(len(loads))
        self.wait = np.zeros_like(self.work)
        self.served = np.zeros((len(loads), queue.users_max + 1))
        self.started = np.zeros(len(loads))
        self.dropped = np.zeros(len(loads))
        if closed:
            places = np.arange(queue.users_max)[None, :] < loads[:, None]
            self.wait = np.where(places, chance.random(self.work.shape) * max(queue.think_s, STEP_S), np.inf)

    def run(self, warmup_s: float, window_s: float) -> Measured:
        first, last = round(warmup_s / STEP_S), round((warmup_s + window_s) / STEP_S)
        for step in range(last):
            self._arrive(step >= first)
            self._serve(step >= first)
        requests = self.served.sum(axis=1)
        unfinished = (self.work > 0).sum(axis=1) / np.maximum(self.started, 1)
        return Measured(self._percentile(requests), requests, self.started, self.dropped, requests / window_s, unfinished)

    def _arrive(self, is_window: bool) -> None:
        if self.closed:
            self.wait = np.where(self.work <= 0, self.wait - STEP_S, self.wait)
            rows, places = np.nonzero((self.work <= 0) & (self.wait <= 0))
            self._start(rows, places, is_window)
            return
        self.due += self.loads * STEP_S
        while (self.due >= 1).any():
            rows = np.nonzero(self.due >= 1)[0]
            self.due[rows] -= 1
            places = self.work[rows].argmin(axis=1)
            is_free = self.work[rows, places] <= 0
            self._start(rows[is_free], places[is_free], is_window)
            if is_window:
                self.dropped[rows[~is_free]] += 1

    def _start(self, rows: Any, places: Any, is_window: bool) -> None:
        queue = self.queue
        requests = np.where(self.chance.random(len(rows)) < TRAINING_SHARE, JOURNEY_REQUESTS[1], JOURNEY_REQUESTS[0])
        noise = np.maximum(0.1, 1 + queue.journey_variation * self.chance.standard_normal(len(rows)))
        self.work[rows, places] = requests * queue.request_s * noise
        self.per_work[rows, places] = 1 / (queue.request_s * noise)
        if self.closed:
            self.wait[rows, places] = queue.think_s
        if is_window:
            np.add.at(self.started, rows, 1)

    def _serve(self, is_window: bool) -> None:
        active = self.work > 0
        count = active.sum(axis=1)
        share = np.minimum(1.0, self.queue.workers / np.maximum(count, 1)) * self.speed / (1 + self.queue.growth * np.maximum(count - 1, 0))
        done = np.where(active, np.minimum(self.work, (share * STEP_S)[:, None]), 0.0)
        self.work = np.where(active, self.work - done, 0.0)
        self.work[self.work < 1e-9] = 0.0
        if is_window:
            self.served[np.arange(len(count)), count] += (done * self.per_work).sum(axis=1)

    def _percentile(self, requests: Any) -> Any:
        """Return the P95: a request beside so many sessions takes the work of that many requests, each of them exponential."""
        counts = np.arange(self.queue.users_max + 1)
        shape = np.maximum(1.0, counts / self.queue.workers)
        scale = (1 + self.queue.growth * np.maximum(counts - 1, 0)) * self.queue.request_s * 1000
        # The share of requests beside `count` sessions that take at most a point of the grid, in units of one request's work.
        limits = _GRID * self.queue.request_s * 1000
        below = special.gammainc(shape[:, None], limits[None, :] / scale[:, None])
        totals = np.maximum(requests, 1)
        cumulated = self.served @ below / totals[:, None]
        level = 0.95 + np.sqrt(0.95 * 0.05 / totals) * self.chance.standard_normal(len(totals))
        found = np.array([np.interp(min(share, 0.9995), row, limits) for share, row in zip(level, cumulated, strict=True)])
        return np.where(requests < 20, np.nan, found / self.speed)


def long_run_crossing(queue: Queue, limit_ms: float, loads: Any, closed: bool = False, seconds: float = 300, repeats: int = 12) -> float:
    """Return the load at which the P95 over a long time crosses its limit, by interpolation between long simulations."""
    chance = np.random.default_rng(99)
    measured = (measure_closed if closed else measure)(queue, np.repeat(loads, repeats), 60, seconds, chance)
    level = np.exp(np.log(measured.p95_ms).reshape(len(loads), repeats).mean(axis=1))
    above = np.nonzero(level > limit_ms)[0]
    if not len(above):
        # Beyond saturation every limit is crossed after some time.
        return queue.saturation
    at = int(above[0])
    low, high = np.log(level[at - 1]), np.log(level[at])
    share = (np.log(limit_ms) - low) / (high - low)
    return float(loads[at - 1] * (loads[at] / loads[at - 1]) ** share)
