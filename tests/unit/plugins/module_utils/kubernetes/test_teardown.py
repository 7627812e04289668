# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.teardown import tear_down
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import ADOPTED_BY, SELECTOR

NS = "/api/v1/namespaces"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings/{}"
OURS = [f"{NS}/base/pods/k6", f"{NS}/base/secrets/token", BINDINGS.format("base", "b"), "/apis/rbac.authorization.k8s.io/v1/clusterroles/c"]


@pytest.fixture
def full(server):
    """A cluster with objects of two runs and unmanaged ones."""
    for path in OURS:
        server.put(path, ownership.labels("r1"))
    server.put(f"{NS}/base")
    server.put(f"{NS}/tenant-1", {**ownership.labels("r1"), **SELECTOR})
    server.put(BINDINGS.format("tenant-1", "b"), ownership.labels("r1"))
    server.put(f"{NS}/tenant-2", {**ownership.labels("r2"), **SELECTOR})
    server.put(f"{NS}/tenant-3", {"team": "x"})
    server.put(f"{NS}/base/pods/other", {"app": "x"})
    server.put(f"{NS}/elsewhere/pods/k6", ownership.labels("r1"))
    server.put(f"{NS}/adopted", {"team": "x", **SELECTOR}, metadata={"annotations": {ADOPTED_BY: "r1"}})
    server.put(BINDINGS.format("adopted", "b"), ownership.labels("r1"))
    return server


def test_deletes_exactly_what_the_run_owns(full, cluster):
    done = tear_down(cluster, "r1", ["base"])
    assert {kind: names for kind, names in done["deleted"].items() if names} == {
        "Pod": ["base/k6"],
        "Secret": ["base/token"],
        "RoleBinding": ["base/b", "adopted/b"],
        "ClusterRole": ["c"],
        "Namespace": ["tenant-1"],
    }
    assert done["remaining"] == []
    assert done["released"] == ["adopted"]
    left = {"/".join(key) for key in full.objects}
    assert left == {f"{NS}/base", f"{NS}/tenant-2", f"{NS}/tenant-3", f"{NS}/base/pods/other", f"{NS}/elsewhere/pods/k6", f"{NS}/adopted"} | {
        BINDINGS.format("tenant-1", "b")  # goes with its namespace, which the fake does not model
    }
    assert done["others"] == [{"object": "Namespace tenant-2", "why": "created by run r2"}]
    assert full.get(f"{NS}/adopted")["metadata"]["labels"] == {"team": "x"}
    assert not full.get(f"{NS}/adopted")["metadata"]["annotations"]


def owned_by(name, kind="Deployment"):
    return {"metadata": {"ownerReferences": [{"kind": kind, "name": name, "uid": f"uid-{name}"}]}}


TENANT = f"{NS}/tenant-1"
TOO = "Tear those runs down, then this one again, or all with teardown_all"
KEEPS = "holds unmanaged objects: {}. Move or delete them, or keep the namespace"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        pytest.param(f"{TENANT}/pods/colleague", "Pod colleague", id="pod"),
        pytest.param(f"{TENANT}/secrets/colleague", "Secret colleague", id="secret"),
        pytest.param(f"{TENANT}/configmaps/colleague", "Configmap colleague", id="configmap"),
        pytest.param("/apis/apps/v1/namespaces/tenant-1/statefulsets/db", "Statefulset db", id="kind-we-never-create"),
        pytest.param("/apis/example.com/v1/namespaces/tenant-1/widgets/w", "Widget w", id="custom-kind"),
    ],
)
def test_a_namespace_with_unmanaged_objects_remains(full, cluster, path, names):
    full.put(path)
    done = tear_down(cluster, "r1", ["base"])
    assert full.get(TENANT)
    assert full.get(path)
    assert done["deleted"]["Namespace"] == []
    assert done["remaining"] == [{"object": "Namespace tenant-1", "why": KEEPS.format(names)}]
    # What is ours in it goes all the same.
    assert "tenant-1/b" in done["deleted"]["RoleBinding"]
    assert full.get(BINDINGS.format("tenant-1", "b")) is None


def test_what_unmanaged_objects_own_is_not_named(full, cluster):
    full.put(f"{TENANT}/deployments/web")
    full.put(f"{TENANT}/replicasets/web-1", **owned_by("web"))
    full.put(f"{TENANT}/pods/web-1-x", **owned_by("web-1"))
    assert tear_down(cluster, "r1", ["base"])["remaining"] == [{"object": "Namespace tenant-1", "why": KEEPS.format("Deployment web")}]


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        pytest.param(f"{TENANT}/configmaps/kube-root-ca.crt", {}, id="root-ca"),
        pytest.param(f"{TENANT}/serviceaccounts/default", {}, id="default-account"),
        pytest.param(f"{TENANT}/secrets/t", {"metadata": {"annotations": {"kubernetes.io/service-account.name": "default"}}}, id="token-of-default"),
        pytest.param(f"{TENANT}/events/e", {}, id="event"),
        pytest.param("/apis/coordination.k8s.io/v1/namespaces/tenant-1/leases/leader", {}, id="leader-lock"),
        pytest.param("/apis/operators.coreos.com/v1alpha1/namespaces/tenant-1/csvs/odh", {"labels": {"olm.copiedFrom": "x"}}, id="copied-by-olm"),
        pytest.param(f"{TENANT}/pods/of-ours", owned_by("b"), id="owned-by-ours"),
        pytest.param(f"{TENANT}/pods/goes", {"metadata": {"deletionTimestamp": "now"}}, id="being-deleted"),
    ],
)
def test_system_objects_and_dependents_of_ours_prevent_no_deletion(full, cluster, path, parts):
    full.put(path, **parts)
    done = tear_down(cluster, "r1", ["base"])
    assert done["deleted"]["Namespace"] == ["tenant-1"]
    assert done["remaining"] == []


def test_a_token_of_an_unmanaged_account_prevents_the_deletion(full, cluster):
    full.put(f"{TENANT}/secrets/t", metadata={"annotations": {"kubernetes.io/service-account.name": "colleague"}})
    assert tear_down(cluster, "r1", ["base"])["deleted"]["Namespace"] == []


def test_objects_of_another_run_prevent_the_deletion_without_a_failure(full, cluster):
    full.put(f"{TENANT}/configmaps/c", ownership.labels("r2"))
    done = tear_down(cluster, "r1", ["base"])
    assert done["deleted"]["Namespace"] == []
    assert done["remaining"] == []
    assert {"object": "Namespace tenant-1", "why": f"holds objects of other runs: Configmap c (r2). {TOO}"} in done["others"]
    assert tear_down(cluster, None, ["base"])["deleted"]["Namespace"] == ["tenant-1", "tenant-2"]


COLLEAGUES = {
    "Pod": "/api/v1/namespaces/{}/pods/colleague",
    "Secret": "/api/v1/namespaces/{}/secrets/colleague",
    "Configmap": "/api/v1/namespaces/{}/configmaps/colleague",
    "Persistentvolumeclaim": "/api/v1/namespaces/{}/persistentvolumeclaims/colleague",
    "Service": "/api/v1/namespaces/{}/services/colleague",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles/colleague",
    "Job": "/apis/batch/v1/namespaces/{}/jobs/colleague",
    "Mlflowconfig": "/apis/mlflow.kubeflow.org/v1/namespaces/{}/mlflowconfigs/colleague",
}


@pytest.mark.parametrize("run_id", ["r1", None], ids=["one-run", "all-runs"])
@pytest.mark.parametrize("kind", COLLEAGUES)
def test_unmanaged_objects_stay_in_every_namespace_of_ours(server, cluster, kind, run_id):
    """The namespaces of the load generator and of MLflow, and two tenants, were created by the run; each holds an object of a colleague."""
    namespaces = ("opendatahub", "perfscale", "tenant-1", "tenant-2")
    for namespace in namespaces:
        server.put(f"{NS}/{namespace}", ownership.labels("r1"))
        server.put(f"{NS}/{namespace}/secrets/ours", ownership.labels("r1"))
        server.put(COLLEAGUES[kind].format(namespace))
    done = tear_down(cluster, run_id, namespaces[:2])
    why = KEEPS.format(f"{kind} colleague")
    assert done["remaining"] == [{"object": f"Namespace {namespace}", "why": why} for namespace in namespaces]
    assert done["deleted"]["Secret"] == [f"{namespace}/ours" for namespace in namespaces]
    for namespace in namespaces:
        assert server.get(f"{NS}/{namespace}")
        assert server.get(COLLEAGUES[kind].format(namespace))
        assert server.get(f"{NS}/{namespace}/secrets/ours") is None


STAYING = [
    {"object": "Secret base/token", "why": "is used by MLflow mlflow", "run_id": ""},
    {"object": "ClusterRole c", "why": "serves", "run_id": ""},
    {"object": "Secret tenant-1/used", "why": "is used by MLflow mlflow"},
]


@pytest.mark.parametrize("run_id", ["", "r2"], ids=["unmanaged", "another-run"])
def test_what_was_listed_as_staying_stays_with_its_namespace(full, cluster, run_id):
    staying = [{**entry, "run_id": run_id} for entry in STAYING]
    full.put(f"{TENANT}/secrets/used", ownership.labels("r1"))
    full.put(f"{TENANT}/pods/of-it", **owned_by("used"))
    done = tear_down(cluster, "r1", ["base"], staying=staying)
    deleted = {"Pod": ["base/k6"], "RoleBinding": ["base/b", "adopted/b", "tenant-1/b"]}
    assert {kind: names for kind, names in done["deleted"].items() if names} == deleted
    for path in (TENANT, f"{TENANT}/secrets/used", f"{NS}/base/secrets/token", "/apis/rbac.authorization.k8s.io/v1/clusterroles/c"):
        assert full.get(path)
    why = f"holds objects of other runs: Secret used (r2). {TOO}" if run_id else "holds objects that stay: Secret used"
    expected = [*({"object": entry["object"], "why": entry["why"]} for entry in STAYING), {"object": "Namespace tenant-1", "why": why}]
    others = [entry for entry in done["others"] if entry["object"] != "Namespace tenant-2"]
    assert (done["remaining"], others) == (([], expected) if run_id else (expected, []))


MLFLOW = {"object": "MLflow mlflow", "why": "created by run r2", "run_id": "r2"}


@pytest.fixture
def shared(server):
    """A namespace of run r1 with what the operator created for the MLflow of run r2: no label, and an owner outside of the namespace."""
    server.put(f"{NS}/opendatahub", ownership.labels("r1"))
    for path in ("/apis/apps/v1/namespaces/opendatahub/deployments/mlflow", f"{NS}/opendatahub/serviceaccounts/mlflow-sa"):
        server.put(path, {"app": "mlflow"}, **owned_by("mlflow", "MLflow"))
    server.put(f"{NS}/opendatahub/pods/mlflow-1", **owned_by("mlflow"))
    # OpenShift's registry gives every service account one.
    server.put(f"{NS}/opendatahub/secrets/pull", metadata={"annotations": {"kubernetes.io/service-account.name": "mlflow-sa"}})
    return server


def test_the_objects_of_another_runs_mlflow_are_named_as_its(shared, cluster):
    done = tear_down(cluster, "r1", ["opendatahub"], staying=[MLFLOW])
    why = f"holds objects of other runs: Deployment mlflow (r2), Serviceaccount mlflow-sa (r2). {TOO}"
    assert done["others"] == [{"object": "MLflow mlflow", "why": "created by run r2"}, {"object": "Namespace opendatahub", "why": why}]
    assert done["remaining"] == []
    assert not any(done["deleted"].values())


def test_unmanaged_objects_beside_another_runs_mlflow_fail_the_teardown(shared, cluster):
    shared.put(f"{NS}/opendatahub/configmaps/colleague")
    done = tear_down(cluster, "r1", ["opendatahub"], staying=[MLFLOW])
    [entry] = done["remaining"]
    assert entry["why"].startswith(KEEPS.format("Configmap colleague"))
    assert entry["why"].endswith(f"Serviceaccount mlflow-sa (r2). {TOO}")


def test_the_objects_of_a_stuck_mlflow_are_named_as_staying(shared, cluster):
    done = tear_down(cluster, "r1", ["opendatahub"], staying=[{**MLFLOW, "why": "waits for its finalizers x/y", "run_id": ""}])
    why = "holds objects that stay: Deployment mlflow, Serviceaccount mlflow-sa"
    assert done["remaining"][1] == {"object": "Namespace opendatahub", "why": why}


@pytest.mark.parametrize("count", [1, 6], ids=["one-by-one", "whole-cluster"])
def test_many_namespaces_cost_one_list_a_kind(full, cluster, count):
    for number in range(10, 10 + count):
        full.put(f"{NS}/tenant-{number}", ownership.labels("r1"))
    full.put(f"{NS}/tenant-10/pods/colleague")
    done = tear_down(cluster, "r1", [])
    assert [entry["object"] for entry in done["remaining"]] == ["Namespace tenant-10"]
    lists = [path.split("?")[0] for method, path, _body in full.requests if method == "GET" and "labelSelector" not in path]
    assert (f"{NS}/tenant-10/pods" in lists) is (count == 1)
    assert ("/api/v1/pods" in lists) is (count == 6)


@pytest.mark.parametrize("count", [1, 6], ids=["one-by-one", "whole-cluster"])
def test_kinds_that_cannot_be_listed_prevent_the_deletion(full, cluster, count):
    for number in range(10, 10 + count):
        full.put(f"{NS}/tenant-{number}", ownership.labels("r1"))
    full.put(f"{NS}/elsewhere/secrets/s")
    full.hook = lambda _method, path, _body: (403, {"reason": "Forbidden"}) if path.endswith("/secrets") and "base" not in path else None
    done = tear_down(cluster, "r1", ["base"], kinds=["Namespace"])
    assert done["deleted"]["Namespace"] == []
    why = "kinds cannot be listed: Secret (403 Forbidden). Grant the part `teardown` of rbac.yml, or delete the namespace manually"
    assert {entry["why"] for entry in done["remaining"]} == {why}


def test_an_api_that_does_not_respond_prevents_the_deletion(full, cluster, pauses):
    full.put("/apis/metrics.example.com/v1/namespaces/elsewhere/things/t")
    full.hook = lambda _method, path, _body: (503, {"reason": "ServiceUnavailable"}) if path == "/apis/metrics.example.com/v1" else None
    done = tear_down(cluster, "r1", ["base"], timeout_s=0.05)
    assert done["deleted"]["Namespace"] == []
    assert "kinds of metrics.example.com/v1 (503 ServiceUnavailable)" in done["remaining"][0]["why"]


def test_a_second_time_finds_nothing(full, cluster):
    tear_down(cluster, "r1", ["base"])
    full.requests.clear()
    done = tear_down(cluster, "r1", ["base"])
    assert full.writes() == []
    assert not any(done["deleted"].values())
    assert done["released"] == []


def test_objects_of_all_runs_are_deleted_on_request(full, cluster):
    done = tear_down(cluster, None, ["base"])
    assert done["deleted"]["Namespace"] == ["tenant-1", "tenant-2"]
    assert done["others"] == []


def test_only_the_named_kinds_go(full, cluster):
    done = tear_down(cluster, "r1", ["base"], kinds=["Pod"])
    assert done["deleted"] == {"Pod": ["base/k6"]}
    assert full.get(f"{NS}/tenant-1")
    assert full.get(f"{NS}/adopted")["metadata"]["labels"]["team"]


def test_check_mode_only_reports(full, cluster):
    done = tear_down(cluster, "r1", ["base"], check_mode=True)
    assert full.writes() == []
    assert done["deleted"]["Pod"] == ["base/k6"]
    assert done["released"] == ["adopted"]


def test_deletes_the_object_that_it_saw(full, cluster):
    tear_down(cluster, "r1", ["base"])
    body = next(body for method, path, body in full.requests if method == "DELETE" and path == f"{NS}/base/pods/k6")
    assert body["preconditions"] == {"uid": "uid-k6"}
    assert body["propagationPolicy"] == "Background"


@pytest.mark.parametrize(("status", "fails"), [(404, False), (409, False), (403, True)], ids=["gone", "another", "forbidden"])
def test_an_object_that_is_already_gone_is_no_error(full, cluster, status, fails):
    full.answers[("DELETE", f"{NS}/base/pods/k6")] = [(status, {})]
    if fails:
        with pytest.raises(ClusterError):
            tear_down(cluster, "r1", ["base"], timeout_s=0.1)
    else:
        tear_down(cluster, "r1", ["base"], timeout_s=0.1)


@pytest.mark.parametrize(
    ("path", "parts", "name", "why"),
    [
        pytest.param(
            f"{NS}/base/pods/k6",
            {"metadata": {"deletionTimestamp": "now", "finalizers": ["x/y"]}},
            "Pod base/k6",
            "waits for its finalizers x/y",
            id="finalizer",
        ),
        pytest.param(
            f"{NS}/tenant-1",
            {
                "metadata": {"deletionTimestamp": "now"},
                "status": {"conditions": [{"type": "NamespaceContentRemaining", "status": "True", "message": "pods remain"}]},
            },
            "Namespace tenant-1",
            "is being deleted (pods remain)",
            id="namespace",
        ),
        pytest.param(f"{NS}/base/pods/k6", {}, "Pod base/k6", "is not being deleted", id="ignored"),
    ],
)
def test_reports_what_remains_and_why(full, cluster, path, parts, name, why):
    full.put(path, ownership.labels("r1"), **parts)
    full.hook = lambda method, target, _body: (200, {}) if (method, target) == ("DELETE", path) else None
    assert tear_down(cluster, "r1", ["base"], timeout_s=0.05)["remaining"] == [{"object": name, "why": why}]


def test_waits_until_it_is_gone(full, cluster, monkeypatch):
    path = f"{NS}/base/pods/k6"
    full.hook = lambda method, target, _body: (200, {}) if (method, target) == ("DELETE", path) else None
    monkeypatch.setattr("time.sleep", lambda _seconds: full.objects.pop(tuple(path.rsplit("/", 1))))
    assert tear_down(cluster, "r1", ["base"])["remaining"] == []


def test_passes_over_kinds_that_the_cluster_does_not_have(full, cluster):
    full.answers[("GET", "/apis/batch/v1/namespaces/base/jobs")] = [(404, {})]
    assert tear_down(cluster, "r1", ["base"], kinds=["Job"])["deleted"] == {"Job": []}
