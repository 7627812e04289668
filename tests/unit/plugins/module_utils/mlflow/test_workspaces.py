# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError, WorkspacesDisabled
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import (
    OURS,
    check_names,
    ensure_workspaces,
    tenant_names,
    tenant_numbers,
    wait_for_workspaces,
)
from fakes.fake_mlflow import WORKSPACES

SEARCH = "/api/2.0/mlflow/experiments/search"


def posts(server):
    return [request for request in server.calls if request[0] == "POST"]


def test_creates_the_missing_and_waits_for_each_one(server, client):
    server.workspaces |= {"tenant-2": OURS, "other": ""}
    found = ensure_workspaces(client, tenant_names("tenant-", [1, 2, 3]))
    assert found.pop("seconds") >= 0
    assert found == {"requested": 3, "created": ["tenant-1", "tenant-3"], "existing": ["tenant-2"], "missing": [], "extra": ["other"], "ready": True}
    assert {workspace for method, path, workspace in server.calls if path.startswith(SEARCH)} == {"tenant-1", "tenant-2", "tenant-3"}
    assert server.workspaces["tenant-1"] == OURS
    assert server.workspaces["other"] == ""


def test_a_second_call_changes_nothing(server, client):
    ensure_workspaces(client, ["t1", "t2"])
    before = len(posts(server))
    assert ensure_workspaces(client, ["t1", "t2"])["created"] == []
    assert len(posts(server)) == before


@pytest.mark.parametrize(("present", "ready"), [([], False), (["t1"], True)], ids=["missing", "present"])
def test_check_mode_changes_nothing(server, client, present, ready):
    server.workspaces |= dict.fromkeys(present, OURS)
    found = ensure_workspaces(client, ["t1"], check_mode=True)
    assert (found["created"] == []) == ready == found["ready"]
    assert not posts(server)


def test_an_unmanaged_workspace_is_an_error_unless_adopted(server, client):
    server.workspaces["t1"] = "somebody's"
    with pytest.raises(MlflowError, match=r"Workspace t1: exists and is not managed by this collection\. Choose"):
        ensure_workspaces(client, ["t1", "t2"])
    assert not posts(server)
    assert ensure_workspaces(client, ["t1", "t2"], adopt=True)["existing"] == ["t1"]
    assert server.workspaces["t1"] == "somebody's"


def test_a_creation_that_lost_its_race_is_no_error(server, client):
    server.scripted[("POST", WORKSPACES)] = [(0, {})]
    server.scripted[("GET", WORKSPACES)] = [(200, {"workspaces": []})]
    server.workspaces["t1"] = OURS
    assert ensure_workspaces(client, ["t1"])["created"] == ["t1"]


def test_a_creation_that_fails_is_named(server, client):
    server.scripted[("POST", WORKSPACES)] = [(400, {"error_code": "FEATURE_DISABLED", "message": "Workspace creation is not supported by this provider"})]
    with pytest.raises(MlflowError, match="FEATURE_DISABLED"):
        ensure_workspaces(client, ["t1"])


def test_disabled_workspaces_are_named_at_once(server, client, pauses):
    text = b"Endpoint: /x disabled because the server is running without workspaces support."
    server.scripted[("GET", WORKSPACES)] = [(503, text)]
    with pytest.raises(WorkspacesDisabled):
        ensure_workspaces(client, ["t1"])
    assert not pauses


@pytest.mark.parametrize(
    ("script", "last"),
    [
        pytest.param({("GET", WORKSPACES): [(200, {"workspaces": []})] * 9999}, "not listed", id="never-listed"),
        pytest.param({("GET", SEARCH): [(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"})] * 9999}, "listed but not responding", id="never-responds"),
    ],
)
def test_waits_at_most_its_limit_and_names_what_is_missing(server, client, script, last):
    server.scripted |= script
    with pytest.raises(MlflowError, match=rf"Workspace t1: not ready after 0\.3 s \(1 of 1, last seen {last}\)"):
        ensure_workspaces(client, ["t1"], timeout_s=0.3)


def test_waits_for_a_late_one(server, client):
    server.scripted[("GET", SEARCH)] = [(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"})]
    assert ensure_workspaces(client, ["t1"])["ready"]


def test_another_failure_while_waiting_is_raised(server, client):
    server.scripted[("GET", SEARCH)] = [(403, {"error_code": "PERMISSION_DENIED"})]
    with pytest.raises(MlflowError, match="HTTP 403"):
        ensure_workspaces(client, ["t1"])


@pytest.mark.parametrize(
    ("left", "extra"),
    [pytest.param([], [], id="gone-at-once"), pytest.param(["t2"], [], id="gone-later"), pytest.param(["t2", "t2", "t2", "t2"], ["t2"], id="stays")],
)
def test_waits_a_while_for_what_should_not_be_shown(server, client, monkeypatch, left, extra):
    monkeypatch.setattr(f"{wait_for_workspaces.__module__}._GONE_LIMIT_S", 0.3)
    server.workspaces["t1"] = ""
    server.scripted[("GET", WORKSPACES)] = [(200, {"workspaces": [{"name": name} for name in ("t1", more)]}) for more in ("t1", *left)]
    server.workspaces |= dict.fromkeys(extra, "")
    assert wait_for_workspaces(client, ["t1"], gone=["t2"])["extra"] == extra


def test_check_mode_waits_for_nothing(server, client):
    found = wait_for_workspaces(client, ["t1"], check_mode=True)
    assert not found["ready"]
    assert found["existing"] == []


@pytest.mark.parametrize(
    ("names", "part"),
    [
        pytest.param(["a"], "not a name", id="short"),
        pytest.param(["A-1"], "not a name", id="upper-case"),
        pytest.param(["x" * 64], "not a name", id="long"),
        pytest.param(["ends-"], "not a name", id="hyphen"),
        pytest.param(["default"], "not a name", id="reserved"),
        pytest.param(["t1", "t1"], "duplicate name", id="twice"),
    ],
)
def test_other_names_are_rejected_before_any_request(names, part):
    with pytest.raises(MlflowError, match=part):
        check_names(names)


def test_names_only_the_first_of_many(server, client):
    server.workspaces |= {f"t{number}": "" for number in range(10, 30)}
    with pytest.raises(MlflowError, match="Workspace t10, t11, t12, t13, t14 and 15 more: exists"):
        ensure_workspaces(client, [f"t{number}" for number in range(10, 30)])


@pytest.mark.parametrize(
    ("options", "numbers"),
    [pytest.param({"count": 3}, [1, 2, 3], id="count"), pytest.param({"numbers": [7, 2], "count": None}, [7, 2], id="numbers")],
)
def test_numbers_tenants(options, numbers):
    assert tenant_numbers(options) == numbers


@pytest.mark.parametrize("options", [{"count": 0}, {"count": None}, {"numbers": []}, {"numbers": [0]}, {"numbers": [1, 1]}])
def test_other_numbers_are_rejected(options):
    with pytest.raises(MlflowError, match=r"Tenants: none"):
        tenant_numbers(options)
