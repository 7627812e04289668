# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.data_set import TenantReader, inspect, message, sampled
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from fakes.fake_tenants import SHAPE, FakeTenants


def check(tenants, depth="full", numbers=(1, 2)):
    return inspect(tenants, "t-", list(numbers), SHAPE, depth, parallelism=2)


@pytest.fixture
def tenants():
    return FakeTenants(["t-1", "t-2"])


@pytest.mark.parametrize("depth", ["digest", "sample", "counts", "full"])
def test_whole_tenants_are_complete(tenants, depth):
    found = check(tenants, depth)
    assert found["complete"] == ["t-1", "t-2"]
    assert not found["shortfalls"]
    assert found["verified"]
    assert found["checked"] == 2
    assert found["list_workspaces"] == ["default", "other", "t-1", "t-2"]
    assert found["foreign_workspaces"] == ["other"]
    assert found["counts"]["params"] == 16
    assert found["counts"].get("artifacts", 16) == 16
    assert found["message"].endswith(": complete in 2 checked tenants.")


DAMAGE = {
    "run-gone": (lambda tenant: tenant["runs"].pop(), "runs", 4, 3),
    "run-unfinished": (lambda tenant: tenant["runs"][0]["info"].update(status="RUNNING"), "runs", 4, 3),
    "experiment-gone": (lambda tenant: tenant["experiments"].pop(), "experiments", 2, 1),
    "metric-gone": (lambda tenant: tenant["runs"][1]["data"].pop("metrics"), "metrics", 4, 3),
    "param-gone": (lambda tenant: tenant["runs"][1]["data"]["params"].pop(), "params", 8, 7),
    "prompt-gone": (lambda tenant: tenant["registered_models"].pop(), "prompts", 2, 1),
    "version-gone": (lambda tenant: tenant["model_versions"].pop(0), "prompt_versions", 2, 1),
    "artifact-gone": (lambda tenant: tenant["files"]["1-run-1"].pop(0), "artifacts", 8, 7),
    "artifact-empty": (lambda tenant: tenant["files"]["1-run-1"][0].update(file_size=0), "artifacts", 8, 7),
    "artifact-cut": (lambda tenant: tenant.update(content=b'{"te'), "readable_artifacts", 1, 0),
    "artifact-404": (lambda tenant: tenant.update(content=None), "readable_artifacts", 1, 0),
}


@pytest.mark.parametrize(("damage", "what", "expected", "left"), [pytest.param(*case, id=name) for name, case in DAMAGE.items()])
def test_names_what_falls_short_where(tenants, damage, what, expected, left):
    damage(tenants.tenants["t-2"])
    found = check(tenants)
    assert {"tenant": "t-2", "what": what, "expected": expected, "found": left} in found["shortfalls"]
    assert {short["tenant"] for short in found["shortfalls"]} == {"t-2"}
    assert (found["complete"], found["partial"], found["missing"]) == (["t-1"], ["t-2"], [])
    assert found["incomplete_numbers"] == [2]
    assert not found["verified"]
    assert f"t-2 {what} {left} of {expected}" in found["message"]


def test_a_prompt_without_version_is_seen_by_counting(tenants):
    tenants.tenants["t-1"]["registered_models"][0]["latest_versions"] = []
    assert check(tenants, "counts")["shortfalls"] == [{"tenant": "t-1", "what": "prompt_versions", "expected": 2, "found": 1}]


def test_an_absent_workspace_is_missing(tenants):
    found = check(tenants, "counts", numbers=(2, 3))
    assert found["missing"] == ["t-3"]
    assert found["incomplete_numbers"] == [3]
    assert found["shortfalls"] == [{"tenant": "t-3", "what": "workspace", "expected": 1, "found": 0}]
    assert found["foreign_workspaces"] == ["other", "t-1"]


def test_an_empty_workspace_is_missing(tenants):
    tenants.tenants["t-1"] |= {"experiments": [], "runs": [], "registered_models": [], "model_versions": []}
    found = check(tenants)
    assert found["missing"] == ["t-1"]
    assert len(found["shortfalls"]) == 8


def test_a_run_that_exists_twice_counts_once_with_the_most_in_it(tenants):
    worse = tenants.run("1", "run-1", "-again")
    worse["data"].pop("metrics")
    tenants.tenants["t-1"]["runs"].insert(0, worse)
    found = check(tenants, "counts")
    assert found["verified"]
    assert found["surplus_runs"] == 1


def test_a_workspace_deleted_in_between_holds_nothing(tenants):
    tenants.tenants["t-1"] = MlflowError("gone", status=404)
    assert check(tenants, "counts")["missing"] == ["t-1"]


def test_another_failure_is_raised(tenants):
    tenants.tenants["t-1"] = MlflowError("broken", status=500)
    with pytest.raises(MlflowError, match="broken"):
        check(tenants, "counts")


def test_twenty_of_many_are_sampled_and_repeat():
    numbers = list(range(1, 101))
    assert len(sampled(numbers, 1)) == 20
    assert sampled(numbers, 1) == sampled(numbers, 1) != sampled(numbers, 2)
    assert sampled([3, 1, 2], 1) == [3, 1, 2]


def test_digest_and_full_read_only_twenty_to_the_bottom():
    tenants = FakeTenants([f"t-{number}" for number in range(1, 31)])
    assert check(tenants, "digest", range(1, 31))["checked"] == 20
    tenants.calls.clear()
    found = check(tenants, "full", range(1, 31))
    assert found["checked"] == 30
    assert found["verified"]
    assert found["counts"]["artifacts"] == 20 * 8
    assert len({workspace for path, workspace in tenants.calls if path.endswith("artifacts/list")}) == 20


def test_a_message_shows_the_first_of_many():
    shortfalls = [{"tenant": f"t-{number}", "what": "runs", "expected": 30, "found": 0} for number in range(30)]
    text = message("abc", 40, 30, shortfalls)
    assert text.startswith("Data set abc: 30 of 40 checked tenants differ: t-0 runs 0 of 30, ")
    assert text.endswith(" and 22 more.")


def test_results_are_json(tenants):
    assert json.loads(json.dumps(check(tenants)))["shape"] == SHAPE


WHOLE = {"experiments": 2, "runs": 4, "metrics": 4, "params": 8, "prompts": 2, "prompt_versions": 2, "surplus_runs": 0}


@pytest.fixture
def tenant():
    return FakeTenants(["t-1"])


def test_counts_over_pages(tenant):
    assert TenantReader(tenant, "t-1", tenant.digest).counts() == WHOLE
    searched = [path.split("/")[-2] for path, _workspace in tenant.calls]
    assert searched == ["experiments", "runs", "runs", "registered-models"]


def test_counts_to_the_bottom(tenant):
    assert TenantReader(tenant, "t-1", tenant.digest).counts(full=True) == {**WHOLE, "artifacts": 8, "readable_artifacts": 1}


def test_searches_no_runs_where_there_is_no_experiment(tenant):
    tenant.tenants["t-1"]["experiments"] = []
    found = TenantReader(tenant, "t-1", tenant.digest).counts()
    assert found["runs"] == 0
    assert not [path for path, _workspace in tenant.calls if path.endswith("runs/search")]


def test_runs_without_an_item_are_distinguished_by_their_id(tenant):
    for run in tenant.tenants["t-1"]["runs"]:
        run["data"]["tags"] = []
    assert TenantReader(tenant, "t-1", tenant.digest).counts()["runs"] == 4


def test_depth_sample_reads_details(tenants):
    tenants.tenants["t-2"]["files"]["1-run-1"].pop(0)
    assert check(tenants, "sample")["shortfalls"] == [{"tenant": "t-2", "what": "artifacts", "expected": 8, "found": 7}]


def test_depth_sample_sees_whether_every_tenant_is_listed():
    names = [f"t-{number}" for number in range(1, 31)]
    found = check(FakeTenants([name for name in names if name != "t-30"]), "sample", range(1, 31))
    assert found["shortfalls"] == [{"tenant": "t-30", "what": "workspace", "expected": 1, "found": 0}]
    assert 20 <= found["checked"] <= 21
