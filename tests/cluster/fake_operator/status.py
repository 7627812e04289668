# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fake writes into the status of an MLflow resource, in the order that was seen of the real operator (sequence.yml)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

RETRYABLE_EXIT = 15


@dataclass(frozen=True)
class Seen:
    """What the fake sees: how the migration is (absent, running, succeeded, failed with an exit code), and the Deployment's replicas."""

    migration: str
    exit_code: int | None
    ready: int
    replicas: int
    rolled_out: bool


def condition(kind: str, status: str, reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    """Return a condition in the form of the API."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now, **more}


def migrating(reason: str, message: str, generation: int) -> list[dict[str, Any]]:
    """Return the conditions while the store is migrated."""
    return [
        condition("Available", "False", reason, message),
        condition("Progressing", "True", reason, message),
        condition("Migration", "Unknown", reason, message, observedGeneration=generation),
    ]


def gave_up(message: str, generation: int) -> list[dict[str, Any]]:
    """Return the conditions after a migration that will not be retried."""
    return [
        condition("Available", "False", "MigrationFailed", message),
        condition("Progressing", "False", "MigrationFailed", message),
        condition("Migration", "False", "MigrationFailed", message, observedGeneration=generation),
    ]


def rolling_out(ready: int, replicas: int) -> list[dict[str, Any]]:
    """Return the conditions while pods are missing."""
    message = f"{ready}/{replicas} replicas ready"
    return [condition("Available", "False", "DeploymentNotReady", message), condition("Progressing", "True", "DeploymentProgressing", message)]


def ready() -> list[dict[str, Any]]:
    """Return the conditions of a server that serves."""
    return [condition("Available", "True", "DeploymentReady"), condition("Progressing", "False", "ReconcileComplete")]


def steps(seen: Seen, generation: int, migrated: bool) -> list[list[dict[str, Any]]]:
    """Return the conditions to write, in order; each step is a write of its own, as watchers saw them."""
    if not migrated and seen.migration in ("absent", "running"):
        return [migrating("MigrationRunning", "the store is being migrated", generation)]
    if not migrated and seen.migration == "failed":
        if seen.exit_code is None or seen.exit_code >= RETRYABLE_EXIT:
            return [migrating("MigrationRetrying", f"the migration ended with exit code {seen.exit_code} and will be tried again", generation)]
        return [gave_up(f"the migration ended with exit code {seen.exit_code}", generation)]
    if not seen.rolled_out:
        return [rolling_out(seen.ready, seen.replicas)]
    done = condition("Migration", "True", "MigrationSucceeded", f"generation {generation} is migrated", observedGeneration=generation)
    return [ready()] if migrated else [[done], ready()]
