# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import (
    ADOPTED_BY,
    SELECTOR,
    TenantSpec,
    check_parallelism,
    create,
    ensure_tenants,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import tenant_names

NS = "/api/v1/namespaces"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings"
BINDING = BINDINGS + "/perfscale-mlflow-integration"


def spec(count=3, **changes):
    return TenantSpec(**{"names": tenant_names("tenant-", range(1, count + 1)), "run_id": "r1", "roles": ("integration",), "shared": ("load", "k6"), **changes})


def labels(server, name):
    return server.get(f"{NS}/{name}")["metadata"]["labels"]


def test_creates_namespaces_and_bindings(server, cluster):
    done = ensure_tenants(cluster, spec())
    assert done["created"] == ["tenant-1", "tenant-2", "tenant-3"]
    assert done["bindings"] == 3
    assert done["ready"]
    assert done["existing"] == done["extra"] == []
    assert labels(server, "tenant-1") == {**ownership.labels("r1"), **SELECTOR}
    binding = server.get(BINDING.format("tenant-2"))
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "k6", "namespace": "load"}]
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "integration"}
    assert ownership.is_ours(binding)


def test_a_second_call_only_lists(server, cluster):
    ensure_tenants(cluster, spec())
    server.requests.clear()
    done = ensure_tenants(cluster, spec(run_id="r2"))
    assert server.writes() == []
    assert len(server.requests) == 3
    assert done["existing"] == ["tenant-1", "tenant-2", "tenant-3"]
    assert not any(done[key] for key in ("created", "selected", "unselected", "bindings"))
    assert labels(server, "tenant-1")[ownership.RUN_ID] == "r1"


def test_a_higher_level_creates_the_additional_tenants(server, cluster):
    ensure_tenants(cluster, spec(2))
    assert ensure_tenants(cluster, spec(3))["created"] == ["tenant-3"]


def test_a_lower_level_removes_the_label_and_a_higher_one_restores_it(server, cluster):
    ensure_tenants(cluster, spec(3))
    lower = ensure_tenants(cluster, spec(1))
    assert lower["unselected"] == ["tenant-2", "tenant-3"]
    assert lower["extra"] == []
    assert labels(server, "tenant-3") == ownership.labels("r1")
    assert server.get(BINDING.format("tenant-3"))
    server.requests.clear()
    assert ensure_tenants(cluster, spec(2))["selected"] == ["tenant-2"]
    assert [method for method, _path, _body in server.writes()] == ["PATCH"]


def test_bindings_come_before_the_label(server, cluster):
    server.put(f"{NS}/tenant-1", ownership.labels("r0"))
    ensure_tenants(cluster, spec(1))
    assert [method for method, _path, _body in server.writes()] == ["POST", "PATCH"]


def test_a_service_account_for_each_tenant(server, cluster):
    done = ensure_tenants(cluster, spec(2, own="load"))
    assert done["accounts"] == 2
    assert ownership.is_ours(server.get(f"{NS}/tenant-2/serviceaccounts/load"))
    assert [subject["namespace"] for subject in server.get(BINDING.format("tenant-2"))["subjects"]] == ["load", "tenant-2"]
    assert not ensure_tenants(cluster, spec(2, own="load"))["accounts"]


def test_no_account_means_no_binding_and_leaves_those_that_are_there(server, cluster):
    assert ensure_tenants(cluster, spec(1, shared=None))["bindings"] == 0
    ensure_tenants(cluster, spec(1))
    assert ensure_tenants(cluster, spec(1, shared=None))["bindings"] == 0
    assert server.get(BINDING.format("tenant-1"))


def test_bindings_follow_accounts_and_roles(server, cluster):
    ensure_tenants(cluster, spec(1))
    assert ensure_tenants(cluster, spec(1, shared=("load", "other")))["bindings"] == 1
    assert server.get(BINDING.format("tenant-1"))["subjects"][0]["name"] == "other"
    assert ensure_tenants(cluster, spec(1, roles=("view",)))["bindings"] == 2
    assert not server.get(BINDING.format("tenant-1"))
    assert server.get(BINDINGS.format("tenant-1") + "/perfscale-mlflow-view")


def test_fails_on_an_unmanaged_namespace_before_anything_is_created(server, cluster):
    server.put(f"{NS}/tenant-2", {"team": "x"})
    with pytest.raises(ClusterError, match=r"^Namespace tenant-2: exists and is not managed by this collection\. Choose another prefix"):
        ensure_tenants(cluster, spec())
    assert server.writes() == []


def test_adopts_an_unmanaged_namespace_and_releases_it(server, cluster):
    server.put(f"{NS}/tenant-1", {"team": "x"})
    done = ensure_tenants(cluster, spec(1), adopt=True)
    adopted = server.get(f"{NS}/tenant-1")["metadata"]
    assert done["selected"] == ["tenant-1"]
    assert adopted["labels"] == {"team": "x", **SELECTOR}
    assert adopted["annotations"] == {ADOPTED_BY: "r1"}
    assert ensure_tenants(cluster, spec(1))["existing"] == ["tenant-1"]
    assert ensure_tenants(cluster, spec(1, names=["load-1"]))["unselected"] == ["tenant-1"]
    assert server.get(f"{NS}/tenant-1")["metadata"]["labels"] == {"team": "x"}


def test_keeps_namespaces_that_others_selected(server, cluster):
    server.put(f"{NS}/other", {"team": "x"})
    done = ensure_tenants(cluster, spec(1, selector={"team": "x"}))
    assert done["extra"] == ["other"]
    assert labels(server, "other") == {"team": "x"}


def test_check_mode_only_reads(server, cluster):
    server.put(f"{NS}/tenant-2", ownership.labels("r0"), metadata={"deletionTimestamp": "2026-11-24T12:00:00Z"})
    done = ensure_tenants(cluster, spec(), check_mode=True)
    assert server.writes() == []
    assert done["created"] == ["tenant-1", "tenant-2", "tenant-3"]
    assert done["bindings"] == 3
    assert not done["ready"]
    ensure_tenants(cluster, spec(1))
    assert ensure_tenants(cluster, spec(1), check_mode=True)["ready"]


def test_waits_for_a_namespace_that_is_being_deleted(server, cluster, monkeypatch):
    server.put(f"{NS}/tenant-1", ownership.labels("r0"), metadata={"deletionTimestamp": "2026-11-24T12:00:00Z"})
    monkeypatch.setattr("time.sleep", lambda _seconds: server.objects.clear())
    assert ensure_tenants(cluster, spec(1))["created"] == ["tenant-1"]


def test_names_a_remaining_namespace_with_the_reason(server, cluster):
    conditions = [{"type": "NamespaceContentRemaining", "status": "True", "message": "pods has 1 resource instances"}]
    server.put(f"{NS}/tenant-1", ownership.labels("r0"), metadata={"deletionTimestamp": "2026-11-24T12:00:00Z"}, status={"conditions": conditions})
    with pytest.raises(ClusterError, match=r"Namespace tenant-1: still being deleted after 0\.1 s \(1 of 3, .*pods has 1 resource instances"):
        ensure_tenants(cluster, spec(), timeout_s=0.1)


def test_keeps_to_its_parallelism(server):
    cluster = connect({"host": server.url, "api_key": "t"}, 4)
    ensure_tenants(cluster, spec(40), parallelism=4)
    assert 1 < server.in_flight_max <= 4
    cluster.close()


@pytest.mark.parametrize("status", [429, 503, -1], ids=["too-many-requests", "unavailable", "response-lost"])
def test_retries_temporary_failures(server, cluster, pauses, status):
    server.answers[("POST", NS)] = [(status, {"__headers": {"Retry-After": "1"}})] * 2
    assert ensure_tenants(cluster, spec(2))["created"] == ["tenant-1", "tenant-2"]
    assert len(pauses) == 2
    assert server.get(BINDING.format("tenant-2"))


def test_fails_when_the_server_denies_a_request(server, cluster):
    server.answers[("POST", BINDINGS.format("tenant-1"))] = [(403, {"message": "cannot bind", "reason": "Forbidden"})]
    with pytest.raises(ClusterError, match="cannot bind"):
        ensure_tenants(cluster, spec(1))


@pytest.mark.parametrize(
    ("parts", "is_ours"),
    [
        pytest.param({"labels": ownership.labels("r0")}, True, id="ours"),
        pytest.param({"labels": {}}, False, id="unmanaged"),
        pytest.param({"labels": ownership.labels("r0"), "metadata": {"deletionTimestamp": "now"}}, False, id="being-deleted"),
    ],
)
def test_creation_of_an_existing_object(server, cluster, parts, is_ours):
    server.put(f"{NS}/a/configmaps/x", **parts)
    manifest = {"kind": "ConfigMap", "metadata": {"name": "x", "namespace": "a"}}
    if is_ours:
        assert create(cluster, f"{NS}/a/configmaps", manifest)["metadata"]["uid"] == "uid-x"
    else:
        with pytest.raises(ClusterError, match="ConfigMap a/x: exists and is not managed by this collection") as caught:
            create(cluster, f"{NS}/a/configmaps", manifest)
        assert caught.value.status == 409


@pytest.mark.parametrize("parallelism", [0, 33])
def test_fails_on_a_parallelism_out_of_range(parallelism):
    with pytest.raises(ClusterError, match="Allowed: 1 to 32"):
        check_parallelism(parallelism)


def test_fails_on_invalid_workspace_names(server, cluster):
    with pytest.raises(MlflowError, match="not a name"):
        ensure_tenants(cluster, spec(names=["A"]))
    assert server.requests == []
