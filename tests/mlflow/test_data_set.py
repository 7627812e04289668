# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role data_set with a real MLflow and a real k6: fill, find, repair, grow."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.data_set import inspect
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.database_rows import count_rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import check_shape

SHAPE = check_shape({"experiments_per_tenant": 2, "runs_per_experiment": 2, "prompts_per_experiment": 1})
RUNS = SHAPE["experiments_per_tenant"] * SHAPE["runs_per_experiment"]


class Filling:
    """The data set of tenants filled-1 to filled-<n> on one server."""

    def __init__(self, mlflow, playbook, k6, directory):
        self.mlflow = mlflow
        self.client = MlflowClient(mlflow.url, connections=4)
        self.directory = directory
        self._playbook = playbook
        self._k6 = k6

    def role(self, tenants, entry="main", k6=None):
        """Return (exit code, changed tasks, output) of the roles workspaces and data_set."""
        code, text = self._playbook(
            "fill.yml",
            fill_url=self.mlflow.url,
            fill_k6=k6 or self._k6,
            fill_tenants=tenants,
            fill_entry=entry,
            fill_database=str(self.mlflow.database),
            fill_run_dir=str(self.directory),
        )
        return code, int(re.search(r"changed=(\d+)", text)[1]), text

    def inspect(self, tenants, depth="full"):
        return inspect(self.client, "filled-", list(range(1, tenants + 1)), SHAPE, depth)

    def last_filled(self, tenants):
        """The numbers of the tenants that the latest prefill for that many tenants went through."""
        attempts = sorted((self.directory / "prefill" / f"tenants-{tenants}" / "attempts").iterdir(), key=lambda path: int(path.name))
        return list(json.loads((attempts[-1] / "prefill_summary.json").read_text(encoding="utf-8"))["tenants"])

    def runs(self, tenant):
        experiments = self.client.document("POST", "/api/2.0/mlflow/experiments/search", workspace=tenant, body={"max_results": 100})["experiments"]
        ids = [experiment["experiment_id"] for experiment in experiments]
        return self.client.document("POST", "/api/2.0/mlflow/runs/search", workspace=tenant, body={"experiment_ids": ids})["runs"]


@pytest.fixture(scope="module")
def filling(mlflow, playbook, k6, tmp_path_factory):
    made = Filling(mlflow, playbook, k6, tmp_path_factory.mktemp("run"))
    code, changed, text = made.role(2)
    assert (code, bool(changed)) == (0, True), text
    yield made
    made.client.close()


def test_fills_and_verifies(filling):
    found = filling.inspect(2)
    assert found["verified"]
    assert found["complete"] == ["filled-1", "filled-2"]
    assert found["counts"] == {
        "experiments": 4,
        "runs": 8,
        "metrics": 24,
        "params": 40,
        "prompts": 4,
        "prompt_versions": 4,
        "artifacts": 16,
        "readable_artifacts": 2,
    }


def test_a_second_prefill_changes_nothing(filling):
    before = count_rows({"kind": "sqlite", "path": str(filling.mlflow.database)})
    code, changed, text = filling.role(2)
    assert (code, changed) == (0, 0), text
    assert count_rows({"kind": "sqlite", "path": str(filling.mlflow.database)}) == before


def test_counts_the_rows_as_sqlite_does(filling):
    rows = count_rows({"kind": "sqlite", "path": str(filling.mlflow.database)})
    with sqlite3.connect(f"file:{filling.mlflow.database}?mode=ro", uri=True) as connection:
        assert rows["runs"] == connection.execute("SELECT count(*) FROM runs").fetchone()[0] >= 8
    assert rows["params"] >= 40
    assert "workspaces" in rows


def test_what_a_load_writes_does_not_disturb(filling):
    created = filling.client.document("POST", "/api/2.0/mlflow/experiments/create", workspace="filled-1", body={"name": "Exp-load"})
    filling.client.document("POST", "/api/2.0/mlflow/runs/create", workspace="filled-1", body={"experiment_id": created["experiment_id"]})
    assert filling.inspect(2)["verified"]


def test_a_lost_run_is_named_and_then_filled_again_alone(filling):
    untouched = {run["info"]["run_id"] for run in filling.runs("filled-1")}
    lost = next(run for run in filling.runs("filled-2"))
    filling.client.document("POST", "/api/2.0/mlflow/runs/delete", workspace="filled-2", body={"run_id": lost["info"]["run_id"]})

    found = filling.inspect(2)
    assert (found["partial"], found["incomplete_numbers"]) == (["filled-2"], [2])
    assert {"tenant": "filled-2", "what": "runs", "expected": RUNS, "found": RUNS - 1} in found["shortfalls"]

    code, _changed, text = filling.role(2, entry="verify")
    assert code != 0
    assert f"filled-2 runs {RUNS - 1} of {RUNS}" in " ".join(text.split())

    code, _changed, text = filling.role(2)
    assert code == 0, text
    assert filling.last_filled(2) == ["2"]
    assert filling.inspect(2)["verified"]
    assert {run["info"]["run_id"] for run in filling.runs("filled-1")} == untouched


def test_more_tenants_add_only_the_missing(filling):
    untouched = {run["info"]["run_id"] for tenant in ("filled-1", "filled-2") for run in filling.runs(tenant)}
    code, _changed, text = filling.role(3)
    assert code == 0, text
    assert filling.last_filled(3) == ["3"]
    assert filling.inspect(3)["complete"] == ["filled-1", "filled-2", "filled-3"]
    assert {run["info"]["run_id"] for tenant in ("filled-1", "filled-2") for run in filling.runs(tenant)} == untouched


def test_a_prefill_that_does_nothing_fails_the_step_and_names_the_tenant(filling, tmp_path):
    idle = tmp_path / "k6-that-does-nothing"
    idle.write_text("#!/bin/sh\n[ \"$1\" = version ] && echo 'k6 v1.1.0'\nexit 0\n")
    idle.chmod(0o755)
    code, _changed, text = filling.role(4, k6=str(idle))
    assert code != 0
    problem = " ".join(text.split())
    assert f"filled-4 experiments 0 of {SHAPE['experiments_per_tenant']}" in problem
    assert "Traceback" not in text
