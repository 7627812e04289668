# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of a data set: how many objects prefill creates in every tenant, and the digest that identifies it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError

DEFAULTS = {
    "experiments_per_tenant": 10,
    "runs_per_experiment": 3,
    "metrics_per_run": 3,
    "params_per_run": 5,
    "artifacts_per_run": 2,
    "prompts_per_experiment": 3,
}
_OF_A_RUN = ("metrics_per_run", "params_per_run", "artifacts_per_run")
# Limits of runs/log-batch: parameters <= 100, metrics <= 1000.
_MAXIMA = {"params_per_run": 100, "metrics_per_run": 800}


def check_shape(given: Mapping[str, Any]) -> dict[str, int]:
    """Return the whole shape, defaults filled in. Raises MlflowError for an unknown key or a number that cannot be.

    What depends on nothing is nothing: without experiments all numbers are 0 (the empty data set), without runs those of their contents.
    """
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise MlflowError(f"Data set shape {', '.join(unknown)}: is unknown. Allowed are {', '.join(DEFAULTS)}.")
    shape = {}
    for key, default in DEFAULTS.items():
        value = given.get(key)
        value = default if value is None else value
        if isinstance(value, bool) or not str(value).isdigit() or int(value) > _MAXIMA.get(key, 10000):
            raise MlflowError(f"Data set shape {key}={value!r}: is not possible. Allowed are whole numbers from 0 to {_MAXIMA.get(key, 10000)}.")
        shape[key] = int(value)
    if not shape["experiments_per_tenant"]:
        return dict.fromkeys(shape, 0)
    return shape if shape["runs_per_experiment"] else {**shape, **dict.fromkeys(_OF_A_RUN, 0)}


def shape_digest(shape: Mapping[str, int]) -> str:
    """Return 12 hex digits that identify the data set: SHA-256 of the canonical JSON of its whole shape.

    The number of tenants is not part of it, so the data set of more tenants includes that of fewer. files/k6/lib/settings.js
    computes the same digest, so a manual prefill is recognized.
    """
    canonical = json.dumps(dict(shape), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()[:12]


def expected_counts(shape: Mapping[str, int], full: bool = False) -> dict[str, int]:
    """Return how many of each kind a complete tenant holds; `full` adds what only the full depth reads."""
    experiments = shape["experiments_per_tenant"]
    runs = experiments * shape["runs_per_experiment"]
    prompts = experiments * shape["prompts_per_experiment"]
    counts = {
        "experiments": experiments,
        "runs": runs,
        "metrics": runs * shape["metrics_per_run"],
        "params": runs * shape["params_per_run"],
        "prompts": prompts,
        "prompt_versions": prompts,
    }
    if full:
        artifacts = runs * shape["artifacts_per_run"]
        counts |= {"artifacts": artifacts, "readable_artifacts": min(1, artifacts)}
    return counts
