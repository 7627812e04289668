# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of a playbook that searches the capacity of a simulated MLflow, which holds no data set and is measured on whatever machine runs the tests."""

from __future__ import annotations

from pathlib import Path

_PARTS = ("experiments_per_tenant", "runs_per_experiment", "metrics_per_run", "params_per_run", "artifacts_per_run", "prompts_per_experiment")
EMPTY_DATA_SET = {f"data_set_{part}": 0 for part in _PARTS}
SHORT_SEARCH = {
    "metrics_profile": "none",
    "workspaces_adopt": True,
    "test_matrix_duration": "6s",
    "test_matrix_warmup": "2s",
    "test_matrix_validity_file": str(Path(__file__).resolve().parents[1] / "local" / "validity.yml"),
    "capacity_probes_max": 14,
    "capacity_resolution": 0.4,
}
