# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The prefill script: what it creates, what it repairs, and its errors."""

from __future__ import annotations

import pytest

from fakes.k6_configs import prefill_config
from fakes.simulated_mlflow import failing, fault, simulated_url
from programs.k6 import PREFILL, run_k6
from programs.mlflow import API

THRESHOLD_CROSSED = 99
DIGEST = "fedcba987654"
PREFIX = f"prefill-{DIGEST}-"
SHAPE = {"digest": DIGEST, "experiments_per_tenant": 2, "runs_per_experiment": 2, "metrics_per_run": 3, "params_per_run": 5,
         "artifacts_per_run": 2, "prompts_per_experiment": 2}
DEFAULT_SHAPE = SHAPE | {"experiments_per_tenant": 10, "runs_per_experiment": 3, "prompts_per_experiment": 3}


def prefill(k6, url, directory, **changes):
    ended = run_k6(k6, PREFILL, directory, config=prefill_config(url, **({"data_set": SHAPE} | changes)))
    return ended, ended.json("prefill_summary.json")


def holdings(mlflow, workspace):
    """Return what a tenant holds of the data set, without what the server generates."""
    found = {}
    for experiment in mlflow.experiments(workspace, PREFIX):
        runs = {}
        for run in mlflow.runs(workspace, experiment["experiment_id"]):
            data, info = run["data"], run["info"]
            tags = {tag["key"]: tag["value"] for tag in data["tags"]}
            runs[tags["perfscale.item"]] = {
                "status": info["status"], "name": info["run_name"], "start": info["start_time"], "data_set": tags["perfscale.data_set"],
                "note": tags["mlflow.note.content"],
                "metrics": sorted((m["key"], m["value"]) for m in data["metrics"]),
                "params": sorted((p["key"], p["value"]) for p in data["params"]),
                "artifacts": sorted(mlflow.artifacts(workspace, info["run_id"])),
            }
        found[experiment["name"]] = {"tags": experiment["tags"], "runs": runs}
    return found, mlflow.prompts(workspace, PREFIX)


@pytest.fixture(scope="module")
def filled(k6, mlflow, tmp_path_factory):
    ended, summary = prefill(k6, mlflow.url, tmp_path_factory.mktemp("prefill"), tenants={"prefix": "tenant-", "numbers": [1, 2]})
    assert ended.code == 0, ended.log
    assert summary["status"] == "complete"
    return mlflow


def test_tenants_hold_the_data_set(filled):
    experiments, prompts = holdings(filled, "tenant-1")
    assert sorted(experiments) == [f"{PREFIX}1", f"{PREFIX}2"]
    assert prompts == {f"{PREFIX}{e}-prompt-{p}": ["1"] for e in (1, 2) for p in (1, 2)}
    for experiment in experiments.values():
        assert {"key": "perfscale.data_set", "value": DIGEST} in experiment["tags"]
        assert sorted(experiment["runs"]) == ["run-1", "run-2"]
        for name, run in experiment["runs"].items():
            assert (run["status"], run["name"], run["data_set"]) == ("FINISHED", name, DIGEST)
            assert run["note"] == f"Item {name} of data set {DIGEST}."
            assert (len(run["metrics"]), len(run["params"])) == (3, 5)
            assert run["artifacts"] == ["artifact_1.json", "artifact_2.json"]


def test_the_digest_decides_the_data(filled):
    one, two = (holdings(filled, tenant)[0] for tenant in ("tenant-1", "tenant-2"))
    assert {name: experiment["runs"] for name, experiment in one.items()} == {name: experiment["runs"] for name, experiment in two.items()}
    assert one[f"{PREFIX}1"]["runs"]["run-1"]["params"] != one[f"{PREFIX}1"]["runs"]["run-2"]["params"]


def test_a_second_prefill_writes_nothing(k6, filled, tmp_path):
    before = holdings(filled, "tenant-1")
    ended, summary = prefill(k6, filled.url, tmp_path, tenants={"prefix": "tenant-", "numbers": [1, 2]})
    assert ended.code == 0, ended.log
    assert summary["writes"] == 0
    assert holdings(filled, "tenant-1") == before


def test_what_is_missing_is_added(k6, filled, tmp_path):
    before = holdings(filled, "tenant-2")
    experiment = filled.experiments("tenant-2", f"{PREFIX}1")[0]["experiment_id"]
    complete, interrupted = filled.runs("tenant-2", experiment)
    filled.call("POST", f"{API}/runs/update", {"run_id": interrupted["info"]["run_id"], "status": "RUNNING"}, "tenant-2")
    files = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{complete['info']['run_id']}/artifacts"
    filled.call("DELETE", f"{files}/artifact_2.json", workspace="tenant-2")
    prompt, emptied = f"{PREFIX}2-prompt-1", f"{PREFIX}2-prompt-2"
    filled.call("DELETE", f"{API}/registered-models/delete", {"name": prompt}, "tenant-2")
    filled.call("DELETE", f"{API}/model-versions/delete", {"name": emptied, "version": before[1][emptied][0]}, "tenant-2")
    ended, summary = prefill(k6, filled.url, tmp_path, tenants={"prefix": "tenant-", "numbers": [2]})
    assert ended.code == 0, ended.log
    # One run deleted and re-created (6), one artifact, one prompt with its version, one version.
    assert summary["writes"] == 1 + 5 + 1 + 2 + 1
    experiments, prompts = holdings(filled, "tenant-2")
    assert experiments == before[0]
    assert sorted(prompts) == sorted(before[1])
    assert all(prompts.values())


def test_at_most_220_writes_per_tenant(any_k6, tmp_path):
    with simulated_url() as url:
        ended, summary = prefill(any_k6, url, tmp_path, data_set=DEFAULT_SHAPE, tenants={"prefix": "tenant-", "numbers": [1, 7]})
    assert ended.code == 0, ended.log
    assert {number: record["writes"] for number, record in summary["tenants"].items()} == {"1": 220, "7": 220}


def test_responses_of_a_busy_server_are_retried(k6, tmp_path):
    with simulated_url(faults=[failing(429, every=9, retry_after=1)]) as url:
        ended, summary = prefill(k6, url, tmp_path)
    assert ended.code == 0, ended.log
    assert summary["status"] == "complete"
    assert summary["retries"] > 0
    assert summary["seconds"] >= 1  # Retry-After


def test_failed_items_are_named(k6, tmp_path):
    with simulated_url(faults=[failing(400, operations=["create_prompt_version"])]) as url:
        ended, summary = prefill(k6, url, tmp_path)
    assert ended.code == THRESHOLD_CROSSED
    assert summary["status"] == "failed"
    record = summary["tenants"]["2"]
    assert record["status"] == "failed"
    assert [failure["item"] for failure in record["failed"]] == [f"{PREFIX}1", f"{PREFIX}2"]
    assert "create_prompt_version: HTTP 400" in record["failed"][0]["reason"]
    assert "tenant tenant-2: 2 of its experiments not filled" in ended.log


def test_missing_workspace_fails_its_tenant_alone(any_k6, filled, tmp_path):
    ended, summary = prefill(any_k6, filled.url, tmp_path, tenants={"prefix": "tenant-", "numbers": [1, 99]})
    assert ended.code == THRESHOLD_CROSSED
    assert {number: record["status"] for number, record in summary["tenants"].items()} == {"1": "complete", "99": "failed"}
    assert "404" in summary["tenants"]["99"]["failed"][0]["reason"]


def test_wrong_token_ends_it_at_once(any_k6, tmp_path):
    with simulated_url(faults=[failing(401)]) as url:
        ended, summary = prefill(any_k6, url, tmp_path, data_set=DEFAULT_SHAPE)
    assert ended.code == THRESHOLD_CROSSED
    assert summary["requests"] <= 8
    assert all(len(record["failed"]) == 10 for record in summary["tenants"].values())
    assert "not attempted" in summary["tenants"]["3"]["failed"][-1]["reason"]


def test_time_limit_ends_it(any_k6, tmp_path):
    with simulated_url(faults=[failing(503, operations=["create_experiment"])]) as url:
        ended, summary = prefill(any_k6, url, tmp_path, max_duration_s=2)
    assert ended.code == THRESHOLD_CROSSED
    assert summary["seconds"] < 8
    assert "max_duration_s" in str(summary["tenants"])


def test_a_login_page_ends_it_with_its_reason(any_k6, tmp_path):
    with simulated_url(faults=[fault("login_page")]) as url:
        ended, summary = prefill(any_k6, url, tmp_path, data_set=DEFAULT_SHAPE)
    assert ended.code == THRESHOLD_CROSSED
    assert summary["requests"] <= 8
    assert "search_experiments: answer with content type text/html" in summary["tenants"]["1"]["failed"][0]["reason"]


def test_half_responses_are_requested_again(any_k6, tmp_path):
    with simulated_url(faults=[fault("half_json", every=9)]) as url:
        ended, summary = prefill(any_k6, url, tmp_path)
    assert ended.code == 0, ended.log
    assert summary["retries"] > 0
