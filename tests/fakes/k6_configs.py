# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations of both k6 scripts (files/schemas/load_config.json, prefill_config.json)."""

from __future__ import annotations

from typing import Any


def load_config(url: str, **changes: Any) -> dict[str, Any]:
    """Return the complete configuration of a short load, with changes."""
    return {
        "schema_version": 1,
        "cell_id": "t3-c5-r1",
        "mlflow": {"url": url, "token_file": None, "tls_verify": True},
        "tenants": {"prefix": "tenant-", "count": 3, "choice": {"distribution": "uniform"}},
        "seed": 42,
        "profile": {"kind": "closed", "concurrency": 5},
        "training_share": 0.2,
        "think_time_s": 1,
        "warmup_s": 1,
        "window_s": 3,
        "tail_limit_s": 30,
        "request_timeout_s": 30,
        "summary_file": "summary.json",
    } | changes


def prefill_config(url: str, **changes: Any) -> dict[str, Any]:
    """Return the complete configuration of the prefill of a small data set, with changes."""
    return {
        "schema_version": 1,
        "mlflow": {"url": url, "token_file": None, "tls_verify": True},
        "tenants": {"prefix": "tenant-", "numbers": [1, 2, 3]},
        "data_set": {"digest": "0123456789ab", "experiments_per_tenant": 2, "runs_per_experiment": 2, "metrics_per_run": 3,
                     "params_per_run": 5, "artifacts_per_run": 2, "prompts_per_experiment": 2},
        "concurrency": 4,
        "max_duration_s": 300,
        "request_timeout_s": 60,
        "summary_file": "prefill_summary.json",
    } | changes
