# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run on the real API server: exactly what carries its labels goes."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.lease import acquire
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.preflight import Permission, missing_permissions
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.teardown import tear_down
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import ensure_tenants
from tenants.accounts import PARALLELISM, RBAC, Own, log_in, own_names, until

NS = "/api/v1/namespaces"


@pytest.fixture
def own(cluster: Cluster, namespace: str) -> Iterator[Own]:
    with own_names(cluster, namespace) as names:
        yield names


def create(cluster: Cluster, path: str, name: str, run_id: str | None, **parts: object) -> None:
    """Create an object, ours if a run is named."""
    metadata = {"name": name, "labels": ownership.labels(run_id) if run_id else {}, **parts.pop("metadata", {})}  # type: ignore[dict-item]
    cluster.request("POST", path, {"metadata": metadata, **parts})


def test_exactly_the_run_goes(cluster: Cluster, own: Own) -> None:
    home = f"{NS}/{own.home}"
    ensure_tenants(cluster, own.spec(3), PARALLELISM)
    acquire(cluster, own.home, own.run_id, 600)
    for name, run_id in (("ours", own.run_id), ("another-runs", "run-of-somebody"), ("unmanaged", None)):
        create(cluster, f"{home}/configmaps", name, run_id)
        create(cluster, f"{home}/secrets", name, run_id)
    stranger = f"{own.prefix}unmanaged"
    create(cluster, NS, stranger, None)
    try:
        planned = tear_down(cluster, own.run_id, [own.home], selector=own.selector, parallelism=PARALLELISM, check_mode=True)
        done = tear_down(cluster, own.run_id, [own.home], selector=own.selector, parallelism=PARALLELISM)
        assert done["deleted"] == planned["deleted"]
        assert done["remaining"] == []
        other = "created by run run-of-somebody"
        assert [entry for entry in done["others"] if own.home in entry["object"]] == [
            {"object": f"{kind} {own.home}/another-runs", "why": other} for kind in ("ConfigMap", "Secret")
        ]
        assert done["deleted"]["ConfigMap"] == done["deleted"]["Secret"] == [f"{own.home}/ours"]
        assert done["deleted"]["Lease"] == [f"{own.home}/perfscale-mlflow"]
        assert len(done["deleted"]["Namespace"]) == 3
        assert not any(cluster.get(f"{NS}/{own.prefix}{number}") for number in (1, 2, 3))
        assert cluster.get(f"{NS}/{stranger}")
        assert cluster.get(f"{home}/configmaps/unmanaged")
        assert cluster.get(f"{home}/secrets/another-runs")
        assert not any(tear_down(cluster, own.run_id, [own.home], selector=own.selector)["deleted"].values())
    finally:
        cluster.request("DELETE", f"{NS}/{stranger}")


APPS, BATCH, NET = "/apis/apps/v1", "/apis/batch/v1", "/apis/networking.k8s.io/v1"
LABELS = {"app": "colleague"}
CONTAINERS = {"containers": [{"name": "main", "image": "localhost/none"}]}
DEPLOYED = {"selector": {"matchLabels": LABELS}, "replicas": 0, "template": {"metadata": {"labels": LABELS}, "spec": CONTAINERS}}
JOB = {"suspend": True, "template": {"spec": {**CONTAINERS, "restartPolicy": "Never"}}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
OF_A_COLLEAGUE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "Pod": ("/api/v1", "pods", {"spec": CONTAINERS}),
    "Secret": ("/api/v1", "secrets", {}),
    "ConfigMap": ("/api/v1", "configmaps", {}),
    "ServiceAccount": ("/api/v1", "serviceaccounts", {}),
    "Service": ("/api/v1", "services", {"spec": {"ports": [{"port": 80}]}}),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims", {"spec": CLAIM}),
    "ResourceQuota": ("/api/v1", "resourcequotas", {}),
    "Deployment": (APPS, "deployments", {"spec": DEPLOYED}),
    "Job": (BATCH, "jobs", {"spec": JOB}),
    "CronJob": (BATCH, "cronjobs", {"spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": JOB}}}),
    "Role": (RBAC, "roles", {"rules": []}),
    "RoleBinding": (RBAC, "rolebindings", {"roleRef": {"apiGroup": RBAC.split("/")[2], "kind": "ClusterRole", "name": "view"}}),
    "Ingress": (NET, "ingresses", {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}),
    "NetworkPolicy": (NET, "networkpolicies", {"spec": {"podSelector": {}}}),
}


@pytest.fixture
def custom_kind(cluster: Cluster) -> Iterator[dict[str, tuple[str, str, dict[str, Any]]]]:
    """A kind that only a colleague knows, as OF_A_COLLEAGUE lists the others."""
    group = f"{uuid.uuid4().hex[:8]}.example.com"
    name = f"widgets.{group}"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    cluster.request("POST", path, {"metadata": {"name": name}, "spec": spec})
    try:
        root = f"/apis/{group}/v1"
        until("custom kind", lambda: cluster.get(root))
        yield {"Widget": (root, "widgets", {"apiVersion": f"{group}/v1", "kind": "Widget"})}
    finally:
        cluster.request("DELETE", f"{path}/{name}")


def test_a_namespace_with_unmanaged_objects_remains(cluster: Cluster, own: Own, custom_kind: dict[str, tuple[str, str, dict[str, Any]]]) -> None:
    """One namespace for each kind, tenants of the run, and one that holds nothing but what the cluster itself puts there."""
    kinds = {**OF_A_COLLEAGUE, **custom_kind}
    ensure_tenants(cluster, own.spec(len(kinds) + 1), PARALLELISM)
    tenants = {f"{own.prefix}{number}": kind for number, kind in enumerate(kinds, 1)}
    for tenant, kind in tenants.items():
        root, plural, parts = kinds[kind]
        until(f"account of {tenant}", lambda tenant=tenant: cluster.get(f"{NS}/{tenant}/serviceaccounts/default"))
        create(cluster, f"{root}/namespaces/{tenant}/{plural}", "colleague", None, **copy.deepcopy(parts))
    done = tear_down(cluster, own.run_id, [own.home], selector=own.selector, parallelism=PARALLELISM)
    assert done["deleted"]["Namespace"] == [f"{own.prefix}{len(kinds) + 1}"]
    assert cluster.get(f"{NS}/{own.prefix}{len(kinds) + 1}") is None
    why = {entry["object"]: entry["why"] for entry in done["remaining"]}
    assert sorted(why) == sorted(f"Namespace {tenant}" for tenant in tenants)
    for tenant, kind in tenants.items():
        root, plural, _parts = kinds[kind]
        assert f"unmanaged objects: {kind} colleague. " in why[f"Namespace {tenant}"]
        assert cluster.get(f"{NS}/{tenant}")["status"]["phase"] == "Active"
        assert "deletionTimestamp" not in cluster.get(f"{root}/namespaces/{tenant}/{plural}/colleague")["metadata"]
        cluster.request("DELETE", f"{root}/namespaces/{tenant}/{plural}/colleague", {"propagationPolicy": "Background", "gracePeriodSeconds": 0})
    assert tear_down(cluster, own.run_id, [own.home], selector=own.selector, parallelism=PARALLELISM, timeout_s=120)["remaining"] == []


def test_kinds_that_may_not_be_listed_prevent_the_deletion_of_a_namespace(cluster: Cluster, own: Own, tmp_path: Path) -> None:
    """An account that may delete namespaces but see nothing in them deletes none."""
    rules = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "delete", "patch"]}]
    name = f"{own.home}-blind"
    cluster.request("POST", f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "load", "namespace": own.home}
    role = {"apiGroup": RBAC.split("/")[2], "kind": "ClusterRole", "name": name}
    cluster.request("POST", f"{RBAC}/clusterrolebindings", {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]})
    try:
        ensure_tenants(cluster, own.spec(1), PARALLELISM)
        user = log_in(cluster, own.home, "load", tmp_path)
        until("the role counts", lambda: not missing_permissions(user, [Permission("", "namespaces", "list")]), 20)
        done = tear_down(user, own.run_id, [], kinds=["Namespace"], selector=own.selector, parallelism=PARALLELISM)
        assert [entry["object"] for entry in done["remaining"]] == [f"Namespace {own.prefix}1"]
        assert "Grant the part `teardown` of rbac.yml" in done["remaining"][0]["why"]
        assert cluster.get(f"{NS}/{own.prefix}1")["status"]["phase"] == "Active"
    finally:
        for plural in ("clusterrolebindings", "clusterroles"):
            cluster.request("DELETE", f"{RBAC}/{plural}/{name}")


def test_what_remains_is_reported_with_its_reason(cluster: Cluster, own: Own) -> None:
    home = f"{NS}/{own.home}"
    create(cluster, f"{home}/configmaps", "held", own.run_id, metadata={"finalizers": ["perfscale.mlflow/test"]})
    ensure_tenants(cluster, own.spec(1), PARALLELISM)
    create(cluster, f"{NS}/{own.prefix}1/configmaps", "held", own.run_id, metadata={"finalizers": ["perfscale.mlflow/test"]})
    done = tear_down(cluster, own.run_id, [own.home], selector=own.selector, parallelism=PARALLELISM, timeout_s=8)
    why = {entry["object"]: entry["why"] for entry in done["remaining"]}
    assert why[f"ConfigMap {own.home}/held"] == "waits for its finalizers perfscale.mlflow/test"
    assert "perfscale.mlflow/test" in why[f"Namespace {own.prefix}1"]
    for place in (own.home, f"{own.prefix}1"):
        cluster.request("PATCH", f"{NS}/{place}/configmaps/held", {"metadata": {"finalizers": None}}, content_type="application/merge-patch+json")
    assert tear_down(cluster, own.run_id, [own.home], selector=own.selector, timeout_s=60)["remaining"] == []
