# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of the workload and their categories."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

TRAINING = (
    "create_experiment", "create_prompt", "create_prompt_version", "create_run",
    "log_metric", "log_parameter", "log_artifact", "update_run_status",
)
BROWSING = (
    "list_workspaces", "search_prompts", "search_experiments", "get_experiment",
    "search_runs", "get_run", "list_artifacts", "fetch_artifact",
)
OPERATIONS = TRAINING + BROWSING
JOURNEYS = ("training", "browsing")
CATEGORIES = {
    "read": ("get_run", "get_experiment", "fetch_artifact", "list_artifacts", "list_workspaces"),
    "search": ("search_runs", "search_experiments", "search_prompts"),
    "write": TRAINING,
}
BODILESS = frozenset({"list_workspaces", "search_prompts", "get_experiment", "get_run", "list_artifacts", "fetch_artifact"})
"""Operations whose requests have no body (GET), which k6's HTTP client may repeat."""
LISTING = "list_workspaces"
"""The operation that begins a browsing journey, and on a cluster is the first thing that MLflow has authorized for a token."""
ARTIFACTS = frozenset({"log_artifact", "fetch_artifact"})
"""Operations that pass the content of an artifact, which MLflow serves by a router of its own from 3.16 on (mlflow/server/artifact_router.py)."""
READ = frozenset({"create_experiment", "create_run", "search_experiments", "search_runs", "list_artifacts"})
"""Operations whose responses the journeys read; of the others a seeded share is read (READ_EVERY in files/k6/lib/virtual_user.js)."""
READ_SHARE = 1 / 20
REQUIRED_SAMPLES = 5


def undersampled(operations: dict[str, dict[str, Any]], required: Iterable[str] = OPERATIONS, minimum: int = REQUIRED_SAMPLES) -> list[str]:
    """List the required operations that have fewer than `minimum` samples in the window, in the order required."""
    return [name for name in required if operations.get(name, {}).get("n", 0) < minimum]
