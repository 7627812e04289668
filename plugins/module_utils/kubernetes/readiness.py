# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness of objects of a cluster: conditions, what is missing or broken, and a bounded wait for it.

Conditions are those of https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

State = TypeVar("State")

# A doubt must show in so many consecutive observations before it counts: controllers report failures that their next attempt resolves.
PATIENCE = 5


@dataclass(frozen=True)
class Readiness:
    """One observation: `waiting_for` may still come, `doubts` end the wait when they persist, `problems` end it at once."""

    waiting_for: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return not (self.waiting_for or self.doubts or self.problems)

    @property
    def reasons(self) -> list[str]:
        """All reasons why it is not ready, the worst first."""
        return self.problems + self.doubts + self.waiting_for


@dataclass(frozen=True)
class Outcome:
    """How a wait ended: the last readiness, its duration in seconds, and why it ended (`ready`, `problem`, `time`)."""

    readiness: Readiness
    seconds: float
    ended: str


def wait(
    read: Callable[[], State],
    check: Callable[[State], Readiness],
    timeout_s: float,
    pause_s: float = 2.0,
    patience: int = PATIENCE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[State | None, Outcome]:
    """Observe until ready, a problem shows, a doubt persists, or the time is up; return the last state and the outcome.

    An API server that does not respond is waited for like everything else; the state is None if it never responded. Raises ClusterError when it
    denies a request.
    """
    started = clock()
    state: State | None = None
    doubtful = 0
    while True:
        try:
            state = read()
            readiness = check(state)
        except ClusterError as error:
            if 400 <= error.status < 500 and error.status != 429:
                raise
            readiness = Readiness(waiting_for=[str(error)])
        doubtful = doubtful + 1 if readiness.doubts else 0
        seconds = clock() - started
        if readiness.ready:
            return state, Outcome(readiness, seconds, "ready")
        if readiness.problems or doubtful >= patience:
            return state, Outcome(readiness, seconds, "problem")
        if seconds + pause_s > timeout_s:
            return state, Outcome(readiness, seconds, "time")
        sleep(pause_s)


def conditions(manifest: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the conditions of an object; an absent object or one without status has none."""
    return list(((manifest or {}).get("status") or {}).get("conditions") or [])


def condition_status(manifest: Mapping[str, Any] | None, kind: str) -> str:
    """Return True, False or Unknown as the API writes it, and an empty text without such a condition."""
    return next((str(condition.get("status")) for condition in conditions(manifest) if condition.get("type") == kind), "")


def is_condition_true(manifest: Mapping[str, Any] | None, kind: str) -> bool:
    """Return whether a condition is there and True."""
    return condition_status(manifest, kind) == "True"


def condition_text(condition: Mapping[str, Any]) -> str:
    """Return a condition in readable form: type, status, reason and message, as far as they are there."""
    why = ": ".join(text for text in (condition.get("reason"), condition.get("message")) if text)
    return f"{condition.get('type')}={condition.get('status')}" + (f" ({why})" if why else "")


def unmet_conditions(manifest: Mapping[str, Any] | None) -> list[str]:
    """Return the conditions that are not True, except those that are informational (severity Info)."""
    return [condition_text(condition) for condition in conditions(manifest) if condition.get("status") != "True" and condition.get("severity") != "Info"]
