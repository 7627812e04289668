# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting with a limit for what several objects of a cluster say together."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

State = TypeVar("State")

# So many looks in a row must show a doubt before it counts: controllers report failures that their next try heals.
PATIENCE = 5


@dataclass(frozen=True)
class Verdict:
    """What one look says: `waiting_for` may still come, `doubts` end the wait when they last, `problems` end it at once."""

    waiting_for: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return not (self.waiting_for or self.doubts or self.problems)


@dataclass(frozen=True)
class Outcome:
    """How a wait ended: the last verdict, how long it took in seconds, and why it ended (`ready`, `problem`, `time`)."""

    verdict: Verdict
    seconds: float
    ended: str


def wait(
    look: Callable[[], State],
    judge: Callable[[State], Verdict],
    timeout_s: float,
    pause_s: float = 2.0,
    patience: int = PATIENCE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[State | None, Outcome]:
    """Looks until the verdict is ready, a problem shows, a doubt lasts, or the time is up; returns the last state seen and the outcome.

    An API server that does not answer is waited for like everything else; None is the state when it never did. Raises ClusterError when it refuses.
    """
    started = clock()
    state: State | None = None
    doubtful = 0
    while True:
        try:
            state = look()
            verdict = judge(state)
        except ClusterError as error:
            if 400 <= error.status < 500 and error.status != 429:
                raise
            verdict = Verdict(waiting_for=[str(error)])
        doubtful = doubtful + 1 if verdict.doubts else 0
        seconds = clock() - started
        if verdict.ready:
            return state, Outcome(verdict, seconds, "ready")
        if verdict.problems or doubtful >= patience:
            return state, Outcome(verdict, seconds, "problem")
        if seconds + pause_s > timeout_s:
            return state, Outcome(verdict, seconds, "time")
        sleep(pause_s)
