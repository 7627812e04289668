# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants as namespaces, seen through the real MLflow with tokens of service accounts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.teardown import tear_down
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import ensure_tenants
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import list_workspaces
from tenants import mlflow_pod
from tenants.accounts import PARALLELISM, RBAC, Own, own_names, until

NS = "/api/v1/namespaces"


@pytest.fixture
def own(cluster: Cluster, namespace: str) -> Iterator[Own]:
    with own_names(cluster, namespace) as names:
        yield names


def test_tenants_come_once_go_out_of_sight_and_come_back(cluster: Cluster, own: Own) -> None:
    first = ensure_tenants(cluster, own.spec(20), PARALLELISM)
    assert len(first["created"]) == first["bindings"] == 20
    second = ensure_tenants(cluster, own.spec(20), PARALLELISM)
    assert not any(second[key] for key in ("created", "selected", "unselected", "bindings", "accounts"))
    assert second["ready"]
    lower = ensure_tenants(cluster, own.spec(5), PARALLELISM)
    assert len(lower["unselected"]) == 15
    assert cluster.get(f"{NS}/{own.prefix}20")
    assert len(ensure_tenants(cluster, own.spec(20), PARALLELISM)["selected"]) == 15


def test_permissions_change_with_the_subjects(cluster: Cluster, own: Own) -> None:
    ensure_tenants(cluster, own.spec(2), PARALLELISM)
    done = ensure_tenants(cluster, own.spec(2, own="load"), PARALLELISM)
    assert (done["accounts"], done["bindings"]) == (2, 2)
    binding = cluster.request("GET", f"{RBAC}/namespaces/{own.prefix}1/rolebindings/perfscale-mlflow-{own.role}")
    assert [(subject["namespace"], subject["name"]) for subject in binding["subjects"]] == [(own.home, "load"), (f"{own.prefix}1", "load")]


def test_an_unmanaged_namespace_is_rejected_or_adopted_and_survives(cluster: Cluster, own: Own) -> None:
    name = f"{own.prefix}2"
    cluster.request("POST", NS, {"metadata": {"name": name, "labels": {"team": "x"}}})
    try:
        with pytest.raises(ClusterError, match=f"Namespace {name}: exists and is not managed by this collection"):
            ensure_tenants(cluster, own.spec(3), PARALLELISM)
        assert cluster.get(f"{NS}/{own.prefix}1") is None
        ensure_tenants(cluster, own.spec(3), PARALLELISM, adopt=True)
        done = tear_down(cluster, own.run_id, [], selector=own.selector, parallelism=PARALLELISM)
        left = cluster.request("GET", f"{NS}/{name}")["metadata"]
        assert done["released"] == [name]
        assert not set(own.selector) & set(left["labels"])
        assert left["labels"]["team"] == "x"
        assert cluster.get(f"{RBAC}/namespaces/{name}/rolebindings/perfscale-mlflow-{own.role}") is None
    finally:
        cluster.request("DELETE", f"{NS}/{name}")


def test_a_namespace_that_is_being_deleted_is_waited_for_with_a_limit(cluster: Cluster, own: Own) -> None:
    ensure_tenants(cluster, own.spec(1), PARALLELISM)
    name = f"{own.prefix}1"
    held = {"metadata": {"name": "held", "finalizers": ["perfscale.mlflow/test"]}}
    cluster.request("POST", f"{NS}/{name}/configmaps", held)
    cluster.request("DELETE", f"{NS}/{name}")
    try:
        # On a busy node the controller of namespaces says late what holds one.
        until("what holds the namespace", lambda: "perfscale.mlflow/test" in json.dumps(cluster.request("GET", f"{NS}/{name}")["status"]))
        with pytest.raises(ClusterError, match=rf"Namespace {name}: still being deleted after 6 s .*perfscale\.mlflow/test"):
            ensure_tenants(cluster, own.spec(1), PARALLELISM, timeout_s=6)
    finally:
        cluster.request("PATCH", f"{NS}/{name}/configmaps/held", {"metadata": {"finalizers": None}}, content_type="application/merge-patch+json")
    assert ensure_tenants(cluster, own.spec(1), PARALLELISM, timeout_s=60)["created"] == [name]


class Role:
    """Runs entry points of the role; `output` is what the last one left."""

    def __init__(self, playbook: Callable[..., Any], own: Own, url: str, directory: Path) -> None:
        self.playbook, self.own, self.url, self.directory = playbook, own, url, directory
        self.output: dict[str, Any] = {}

    def __call__(self, entry: str = "main", **variables: Any) -> Any:
        token_file = str(self.directory / "load.token")
        target = {"mlflow": {"url": self.url, "token_file": token_file, "ca_file": None, "tls_verify": True, "workspace_backend": "namespace"}}
        given = {
            "entry": entry,
            "output_file": str(self.directory / "output.json"),
            "workspaces_target": target,
            "workspaces_prefix": self.own.prefix,
            "workspaces_run_id": self.own.run_id,
            "workspaces_selector": self.own.selector,
            "workspaces_cluster_roles": [self.own.role],
            "workspaces_namespace": self.own.home,
            "workspaces_service_account": "other",
            "workspaces_state_dir": str(self.directory),
            "cluster_cleanup_run_id": self.own.run_id,
            "cluster_cleanup_namespaces": [self.own.home],
            "workspaces_visible_timeout_s": 20,
            **variables,
        }
        played = self.playbook("tests/cluster/tenants/role_workspaces.yml", given)
        self.output = json.loads((self.directory / "output.json").read_text()) if played.returncode == 0 else {}
        return played


@pytest.fixture
def role(cluster: Cluster, own: Own, images: dict[str, str], playbook: Callable[..., Any], tmp_path: Path) -> Iterator[Role]:
    url = mlflow_pod.start(cluster, own.home, images["mlflow"], own.selector, cache_s=5)
    yield Role(playbook, own, url, tmp_path)
    mlflow_pod.forget(cluster, own.home)


def test_the_role_from_identity_to_teardown(cluster: Cluster, own: Own, role: Role, tmp_path: Path) -> None:
    tenants = [f"{own.prefix}{number}" for number in (1, 2, 3)]
    assert role("identity").returncode == 0
    assert role.output["tokens"]["token_file"] == str(tmp_path / "load.token")
    assert role.output["tokens"]["token_map_file"] is None
    assert (tmp_path / "load.token").stat().st_mode & 0o777 == 0o600

    assert role(workspaces_count=3).returncode == 0
    assert role.output["result"]["created"] == tenants
    assert role.output["result"]["extra"] == []
    assert role.output["result"]["ready"]
    again = role(workspaces_count=3)
    assert again.returncode == 0, "only the test's own file changes"
    assert "changed=1 " in again.stdout, "only the test's own file changes"
    assert role.output["result"]["created"] == []
    assert role.output["result"]["existing"] == tenants

    assert role(workspaces_count=1).returncode == 0
    assert role.output["result"]["extra"] == [], "MLflow shows exactly the tenants of the level"

    assert role(workspaces_count=3, workspaces_token_mode="per_tenant").returncode == 0
    tokens = json.loads((tmp_path / "load_tokens.json").read_text())
    assert sorted(tokens) == tenants
    assert (tmp_path / "load_tokens.json").stat().st_mode & 0o777 == 0o600

    # One tenant in which the load has no permissions: MLflow does not show it, and the role reports it.
    cluster.request("DELETE", f"{RBAC}/namespaces/{tenants[1]}/rolebindings/perfscale-mlflow-{own.role}")
    client = MlflowClient(role.url, token_file=str(tmp_path / "load.token"))
    until("MLflow's kept decision ends", lambda: tenants[1] not in list_workspaces(client))
    unbound = role(workspaces_count=3, workspaces_token_mode="given")
    assert unbound.returncode != 0
    assert "changed=0 " in unbound.stdout
    assert re.findall(r"Workspace ([^:]+): not ready after 20 s \(1 of 3", " ".join(unbound.stdout.split()))[:1] == [tenants[1]]

    torn = role(role_name="cluster_cleanup")
    assert torn.returncode == 0
    assert not (tmp_path / "load.token").exists()
    assert until("tenants are gone", lambda: all(cluster.get(f"{NS}/{name}") is None for name in tenants))
    assert cluster.get(f"{NS}/{own.home}"), "the namespace that is not the run's stays"
    assert all(token not in torn.stdout + unbound.stdout + again.stdout for token in tokens.values())
