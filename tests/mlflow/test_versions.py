# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The oldest supported MLflow, the one of the operator and the newest: prefilled, verified, and loaded with every operation."""

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import OPERATIONS
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.data_set import inspect
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.server import NEWEST, OLDEST, mlflow_problems, read_server
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import check_shape, shape_digest
from fakes.k6_configs import load_config, prefill_config
from programs.k6 import LOAD, PREFILL, executable, run_k6
from programs.mlflow import started_mlflow

SHAPE = check_shape({"experiments_per_tenant": 1, "runs_per_experiment": 2, "prompts_per_experiment": 1})
VERSIONS = {"PERFSCALE_MLFLOW_OLDEST": OLDEST, "PERFSCALE_MLFLOW_OF_OPERATOR": "3.14.0", "PERFSCALE_MLFLOW": NEWEST}


@pytest.fixture(params=VERSIONS, ids=VERSIONS.values(), name="server", scope="module")
def fixture_server(request, tmp_path_factory):
    """Yield an MLflow of each version, and that version."""
    with started_mlflow(tmp_path_factory.mktemp("mlflow"), tenants=1, variable=request.param) as server:
        yield server, VERSIONS[request.param]


def test_every_operation_succeeds(server, tmp_path):
    mlflow, version = server
    assert mlflow_problems(mlflow.url) == []
    assert read_server(mlflow.url)["version"].startswith(version)

    client = MlflowClient(mlflow.url)
    empty = check_shape({"experiments_per_tenant": 0})
    before = inspect(client, "tenant-", [1], empty, "full")
    assert (before["verified"], set(before["counts"].values())) == (True, {0})

    k6 = executable("k6", "PERFSCALE_K6")
    tenants = {"prefix": "tenant-", "numbers": [1]}
    filled = run_k6(k6, PREFILL, tmp_path / "prefill", config=prefill_config(mlflow.url, tenants=tenants, data_set={"digest": shape_digest(SHAPE), **SHAPE}))
    assert filled.code == 0, filled.log
    found = inspect(client, "tenant-", [1], SHAPE, "full")
    assert found["verified"], found["message"]
    filled_up = {short["what"]: short["found"] for short in inspect(client, "tenant-", [1], empty, "full")["shortfalls"]}
    assert {name: filled_up[name] for name in ("experiments", "runs", "prompts")} == {"experiments": 1, "runs": 2, "prompts": 1}

    # One VU of each kind needs 5 s for its journey at most; think times make up the rest.
    load = load_config(
        mlflow.url, tenants={"prefix": "tenant-", "count": 1, "choice": {"distribution": "uniform"}},
        profile={"kind": "closed", "concurrency": 2}, training_share=0.5, think_time_s=0.1, warmup_s=0, window_s=5,
    )  # fmt: skip
    ended = run_k6(k6, LOAD, tmp_path / "load", config=load, samples=True)
    assert ended.code == 0, ended.log
    statuses = Counter((row["name"], row["status"]) for row in ended.rows() if row["metric_name"] == "http_req_duration")
    assert {name for name, _status in statuses} == set(OPERATIONS)
    assert {status for _name, status in statuses} == {"200"}, statuses
    assert [row["metadata"] for row in ended.rows() if row["metric_name"] == "wrong_answers"] == []
