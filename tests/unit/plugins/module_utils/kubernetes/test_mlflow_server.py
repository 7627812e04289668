# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an MLflow of the operator serves what its resource asks for; the statuses are those that were seen of the real operator."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import deployments, mlflow_server, ownership, pods
from ansible_collections.perfscale.mlflow.tests.unit.plugins.module_utils.kubernetes.cluster_stand_in import ClusterStandIn

CORE = "/api/v1/namespaces/odh"
DEPLOYMENT = "/apis/apps/v1/namespaces/odh/deployments/mlflow"


def condition(kind: str, status: str, reason: str, message: str = "") -> dict:
    return {"type": kind, "status": status, "reason": reason, "message": message}


STORE = {"name": "MLFLOW_BACKEND_STORE_URI", "value": "sqlite:////mlflow/mlflow.db"}
FROM_SECRET = {"name": "MLFLOW_BACKEND_STORE_URI", "valueFrom": {"secretKeyRef": {"name": "db", "key": "uri"}}}
READY = [condition("Available", "True", "DeploymentReady"), condition("Progressing", "False", "ReconcileComplete")]
MIGRATING = [condition("Available", "False", "MigrationRunning"), condition("Progressing", "True", "MigrationRunning")]


def resource(conditions: list | None = None, version: str = "3.17.2", **spec: object) -> dict:
    status = {"conditions": READY if conditions is None else conditions, "version": version, "address": {"url": "https://mlflow.odh.svc:8443/mlflow"}}
    asked = {"replicas": 1, "workers": 1, "backendStoreUri": "sqlite:////mlflow/mlflow.db", **spec}
    return ownership.labelled({"metadata": {"name": "mlflow", "generation": 3}, "spec": asked, "status": status}, "run-1")


def deployment(replicas: int = 1, seen: int = 4, container: dict | None = None, **counts: int) -> dict:
    full = {"readyReplicas": replicas, "availableReplicas": replicas, "updatedReplicas": replicas, "replicas": replicas, **counts}
    whole = {"name": "mlflow", "image": "mlflow:1", "args": ["server", "--workers=1"], **(container or {})}
    whole["env"] = [whole.pop("store", STORE), *whole.get("env", [])]
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "mlflow"}}, "template": {"spec": {"containers": [whole]}}}
    return {"metadata": {"name": "mlflow", "generation": 4}, "spec": spec, "status": {"observedGeneration": seen, **full}}


def pod(name: str, labels: dict | None = None, **status: object) -> dict:
    return {"metadata": {"name": name, "labels": labels or {"app": "mlflow"}}, "spec": {"nodeName": "node0"}, "status": status}


def waiting(reason: str, name: str = "mlflow", **more: object) -> dict:
    return {"name": name, "image": "mlflow:1", "state": {"waiting": {"reason": reason, "message": "back-off"}}, **more}


def state(conditions: list | None = None, deployed: dict | None = None, **more: object) -> mlflow_server.State:
    return mlflow_server.State(resource(conditions), deployed or deployment(), **more)


UNSCHEDULED = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}]}


@pytest.mark.parametrize(
    ("seen", "waiting_for"),
    [
        pytest.param(state(), "", id="ready"),
        pytest.param(mlflow_server.State(None), "MLflow mlflow: does not exist", id="no-resource"),
        pytest.param(mlflow_server.State(resource()), "Deployment mlflow: does not exist", id="no-deployment"),
        pytest.param(state(MIGRATING, deployment(0)), "does not show replicas of the MLflow resource yet", id="migrating"),
        pytest.param(state(deployed=deployment(seen=3)), "its change has not been seen yet", id="generation-not-observed"),
        pytest.param(state(deployed=deployment(readyReplicas=0)), "0 of 1 replicas ready, 1 updated, 1 there", id="pod-not-ready"),
        pytest.param(state(deployed=deployment(updatedReplicas=0)), "1 of 1 replicas ready, 0 updated, 1 there", id="old-pod-still-serves"),
        pytest.param(state(MIGRATING), "Available=False (MigrationRunning)", id="conditions-lag"),
        pytest.param(state([]), "no condition Available", id="no-conditions"),
        pytest.param(mlflow_server.State(resource(version=""), deployment()), "status.version is empty", id="no-version"),
        pytest.param(
            state(MIGRATING, deployment(0), migration_pods=[pod("mlflow-mg-3172-g1-x", **UNSCHEDULED)]),
            "pod mlflow-mg-3172-g1-x: Unschedulable (0/1 nodes are available)",
            id="no-node",
        ),
        pytest.param(
            state(MIGRATING, deployment(0), claim={"metadata": {"name": "mlflow-pvc"}, "status": {"phase": "Pending"}}),
            "PersistentVolumeClaim mlflow-pvc: Pending",
            id="no-volume",
        ),
    ],
)
def test_judge(seen: mlflow_server.State, waiting_for: str) -> None:
    verdict = mlflow_server.judge(seen)
    assert verdict.ready == (waiting_for == "")
    assert waiting_for in "; ".join(verdict.waiting_for)


@pytest.mark.parametrize(
    ("spec", "container", "same"),
    [
        pytest.param({"image": {"image": "mlflow:2"}}, {}, False, id="image"),
        pytest.param({"workers": 2}, {}, False, id="workers"),
        pytest.param({}, {"store": FROM_SECRET}, False, id="still-another-database"),
        pytest.param({"backendStoreUri": None, "backendStoreUriFrom": {"name": "db", "key": "uri"}}, {}, False, id="still-sqlite"),
        pytest.param({"backendStoreUri": None, "backendStoreUriFrom": {"name": "db", "key": "uri"}}, {"store": FROM_SECRET}, True, id="the-secret"),
        pytest.param({"backendStoreUri": None, "backendStoreUriFrom": {"name": "db2", "key": "uri"}}, {"store": FROM_SECRET}, False, id="another-secret"),
        pytest.param({"podAnnotations": {"certificate": "2"}}, {}, False, id="annotations"),
        pytest.param({"replicas": 2}, {}, False, id="replicas"),
        pytest.param({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "0"}]}, False, id="value"),
        pytest.param({"env": [{"name": "A", "value": "1"}]}, {}, False, id="variable-missing"),
        pytest.param({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "B"}, {"name": "A", "value": "1"}]}, True, id="variable"),
        pytest.param({"resources": {"limits": {"cpu": "1000m"}}}, {"resources": {"limits": {"cpu": "1"}}}, True, id="the-same-amount"),
        pytest.param({"resources": {"limits": {"cpu": "2"}}}, {"resources": {"limits": {"cpu": "1"}}}, False, id="another-amount"),
        pytest.param({"resources": {"limits": {"cpu": "2"}}}, {}, False, id="no-limits-yet"),
    ],
)
def test_available_may_be_stale(spec: dict, container: dict, same: bool) -> None:
    """The resource says Available from before the change; the Deployment tells whether the operator has acted on it."""
    verdict = mlflow_server.judge(mlflow_server.State(resource(**spec), deployment(container=container)))
    assert verdict.ready == same


def test_a_migration_that_was_given_up_is_a_problem() -> None:
    failed = [condition("Available", "False", "MigrationFailed"), condition("Migration", "False", "MigrationFailed", "unexpected MLflow version")]
    verdict = mlflow_server.judge(state(failed, deployment(0)))
    assert "unexpected MLflow version" in verdict.problems[0] and "force-migrate" in verdict.problems[0]


def test_a_container_that_cannot_start_is_a_doubt() -> None:
    broken = pod("mlflow-1", containerStatuses=[waiting("ImagePullBackOff")])
    verdict = mlflow_server.judge(state(deployed=deployment(readyReplicas=0), pods=[broken]))
    assert verdict.doubts == ["pod mlflow-1: ImagePullBackOff (back-off)"]


@pytest.mark.parametrize(("generation", "remedy"), [(2, ", of settings from before, for which the operator waits: delete Job mlflow-mg-3172-g2"), (3, "")])
def test_a_migration_of_settings_from_before_that_cannot_start_has_to_go(generation: int, remedy: str) -> None:
    name = f"mlflow-mg-3172-g{generation}-x7k2p"
    stuck = pod(name, {"mlflow.opendatahub.io/migration-job": "true"}, containerStatuses=[waiting("ImagePullBackOff", "db-migrate")])
    verdict = mlflow_server.judge(state(MIGRATING, deployment(0), migration_pods=[stuck]))
    assert verdict.doubts == [f"pod {name}: ImagePullBackOff (back-off){remedy}{', and run the same again' if remedy else ''}"]


@pytest.mark.parametrize(
    ("restarts", "lines"), [pytest.param(0, "it starts\nit failed", id="still-tries"), pytest.param(1, "it starts\nit failed", id="started-again")]
)
def test_diagnose_shows_the_log_of_a_server_that_is_not_ready(restarts: int, lines: str) -> None:
    server = ClusterStandIn()
    server.logs[f"{CORE}/pods/mlflow-1/log"] = lines
    entry = {"name": "mlflow", "ready": False, "restartCount": restarts, "state": {"running": {}}}
    other = {"name": "bundle", "ready": False, "state": {"running": {}}}
    seen = mlflow_server.State(resource(), pods=[pod("mlflow-1", containerStatuses=[entry, other])])
    assert mlflow_server.diagnose(server, "odh", seen) == [f"log of pod mlflow-1:\n{lines}"]
    assert server.asked_logs == [{"container": "mlflow", "tailLines": 20, **({"previous": "true"} if restarts else {})}]


def test_a_log_is_shown_without_the_password_of_the_database() -> None:
    server = ClusterStandIn()
    server.logs[f"{CORE}/pods/mlflow-1/log"] = "unsupported URI 'postgresql://me:c4nary/+@db:5432/mlflow', see https://example.org/a:b"
    seen = mlflow_server.State(resource(), pods=[pod("mlflow-1", containerStatuses=[{"name": "mlflow", "ready": False, "state": {"running": {}}}])])
    [told] = mlflow_server.diagnose(server, "odh", seen)
    assert told.endswith("unsupported URI 'postgresql://me:***@db:5432/mlflow', see https://example.org/a:b")


@pytest.mark.parametrize(
    ("status", "version", "url"),
    [
        pytest.param({"version": "v3.17.2", "url": "https://gateway/mlflow"}, "3.17.2", "https://gateway/mlflow", id="with-a-v"),
        pytest.param({"version": "3.17.2", "url": "https://www.gateway-hostname-placeholder-with-mlflow-path.com/mlflow"}, "3.17.2", None, id="no-domain-yet"),
    ],
)
def test_facts_of_other_builds(status: dict, version: str, url: str | None) -> None:
    found = mlflow_server.facts(mlflow_server.State({**resource(), "status": status}))
    assert (found["version"], found["external_url"]) == (version, url)


def test_a_stuck_pod_beside_a_ready_server_is_no_doubt() -> None:
    assert mlflow_server.judge(state(pods=[pod("old", containerStatuses=[waiting("ImagePullBackOff")])])).ready


@pytest.mark.parametrize(
    ("status", "text"),
    [
        pytest.param({}, "", id="nothing-known"),
        pytest.param({"containerStatuses": [{"name": "a", "state": {"running": {}}}]}, "", id="runs"),
        pytest.param({"containerStatuses": [waiting("ContainerCreating")]}, "", id="is-being-made"),
        pytest.param(
            {"containerStatuses": [waiting("CrashLoopBackOff", lastState={"terminated": {"exitCode": 3}})]},
            "pod p: CrashLoopBackOff (back-off, last exit code 3)",
            id="crashes",
        ),
        pytest.param({"initContainerStatuses": [waiting("ErrImagePull")]}, "pod p: ErrImagePull (back-off)", id="prepares"),
    ],
)
def test_stuck(status: dict, text: str) -> None:
    assert pods.stuck(pod("p", **status)) == text


def event(name: str, message: str, when: str, kind: str = "Warning") -> dict:
    return {"type": kind, "reason": "Failed", "message": message, "lastTimestamp": when, "involvedObject": {"kind": "Pod", "name": name}}


def test_last_events_are_the_newest_warnings_once_each() -> None:
    events = [event("p", "old", "1"), event("p", "new\n line", "3"), event("p", "new  line", "2"), event("q", "other", "4"), event("p", "fine", "5", "Normal")]
    assert pods.last_events(events, ["p"]) == ["Pod p: Failed (new line)", "Pod p: Failed (old)"]


def cluster(conditions: list, deployed: dict, *found: dict) -> ClusterStandIn:
    pods_found = [(f"{CORE}/pods/{entry['metadata']['name']}", entry) for entry in found]
    return ClusterStandIn((f"{mlflow_server.RESOURCE}/mlflow", resource(conditions)), (DEPLOYMENT, deployed), *pods_found)


def test_look_tells_pods_of_the_server_from_those_of_its_migration() -> None:
    migration = pod("mlflow-mg-1", {"app": "mlflow", "mlflow.opendatahub.io/migration-job": "true"})
    seen = mlflow_server.look(cluster(READY, deployment(), pod("mlflow-1"), migration), "odh")
    assert [entry["metadata"]["name"] for entry in seen.pods] == ["mlflow-1"]
    assert [entry["metadata"]["name"] for entry in seen.migration_pods] == ["mlflow-mg-1"]


@pytest.mark.parametrize(("timeout_s", "looks"), [pytest.param(0, 1, id="one-look"), pytest.param(5, 2, id="seen-twice")])
def test_wait_ready_looks_again_unless_asked_for_one_look(monkeypatch, timeout_s: float, looks: int) -> None:
    monkeypatch.setattr(deployments, "POLL_S", 0.01)
    server = cluster(READY, deployment())
    state_seen, outcome = mlflow_server.wait_ready(server, "odh", timeout_s, 60)
    assert outcome.ended == "ready" and state_seen.resource is not None
    assert [path for _method, path in server.requests].count(DEPLOYMENT) == looks


def test_wait_ready_ends_when_a_container_stays_stuck(monkeypatch) -> None:
    monkeypatch.setattr(deployments, "POLL_S", 0.01)
    server = cluster(MIGRATING, deployment(readyReplicas=0), pod("mlflow-1", containerStatuses=[waiting("ImagePullBackOff")]))
    _state, outcome = mlflow_server.wait_ready(server, "odh", 60, 0.03)
    assert deployments.ending(outcome)["ended"] == "problem"
    assert deployments.ending(outcome)["reasons"][0] == "pod mlflow-1: ImagePullBackOff (back-off)"


def test_facts() -> None:
    running = pod("mlflow-1", containerStatuses=[{"name": "mlflow", "imageID": "sha256:1", "state": {"running": {}}}])
    found = mlflow_server.facts(mlflow_server.State(resource(env=[{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {}}]), deployment(), [running]))
    assert found == {
        "exists": True,
        "owned": True,
        "generation": 3,
        "version": "3.17.2",
        "internal_url": "https://mlflow.odh.svc:8443/mlflow",
        "external_url": None,
        "conditions": READY,
        "replicas": 1,
        "workers": 1,
        "image": "mlflow:1",
        "image_id": "sha256:1",
        "resources": {},
        "env": {"A": "1"},
        "database": "sqlite",
        "nodes": ["node0"],
    }
    nothing = mlflow_server.facts(None)
    assert (nothing["exists"], nothing["owned"], nothing["version"], nothing["database"]) == (False, False, None, "unknown")


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        pytest.param({"backendStoreUri": "sqlite:////a"}, "sqlite", id="sqlite"),
        pytest.param({"backendStoreUri": "postgresql+psycopg2://h/d"}, "postgres", id="postgres"),
        pytest.param({"backendStoreUriFrom": {"name": "a", "key": "b"}}, "postgres", id="secret"),
        pytest.param({"backendStoreUri": "mysql://h/d"}, "unknown", id="mysql"),
    ],
)
def test_database_kind(spec: dict, kind: str) -> None:
    assert mlflow_server.database_kind(spec) == kind


def test_diagnose_shows_warnings_and_the_log_of_the_last_failed_migration() -> None:
    ended = {"containerStatuses": [{"name": "db-migrate", "state": {"terminated": {"exitCode": 15}}}]}
    first, last, fine = (pod(name, {"mlflow.opendatahub.io/migration-job": "true"}, **ended) for name in ("mg-1", "mg-2", "mg-3"))
    fine["status"] = {}
    for number, entry in enumerate((first, last, fine)):
        entry["metadata"]["creationTimestamp"] = str(number)
    server = ClusterStandIn((f"{CORE}/events/1", {**event("mg-1", "cannot mount", "1"), "metadata": {}}))
    server.logs[f"{CORE}/pods/mg-2/log"] = "no such database\n"
    seen = mlflow_server.State(resource(), migration_pods=[first, last, fine])
    assert mlflow_server.diagnose(server, "odh", seen) == ["Pod mg-1: Failed (cannot mount)", "log of migration pod mg-2:\nno such database"]
    server.logs.clear()
    assert "no log of migration pod mg-2" in mlflow_server.diagnose(server, "odh", seen)[1]
    assert mlflow_server.diagnose(server, "odh", None) == []


def test_a_deployment_with_its_pods_and_claims() -> None:
    deployed = copy.deepcopy(deployment(readyReplicas=0))
    deployed["spec"]["template"]["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "t", "emptyDir": {}}]
    owned = pod("mlflow-1")
    owned["metadata"]["ownerReferences"] = [{"name": "mlflow-abc"}]
    server = cluster(READY, deployed, owned)
    server.objects[f"{CORE}/persistentvolumeclaims/data"] = {"metadata": {"name": "data"}, "status": {"phase": "Pending"}}
    server.objects[f"{CORE}/events/1"] = {**event("mlflow-abc", "quota", "1"), "metadata": {}}
    seen, outcome = deployments.wait_ready(server, "odh", "mlflow", 0, 60)
    assert deployments.ending(outcome)["reasons"] == ["Deployment mlflow: 0 of 1 replicas ready, 1 updated, 1 there", "PersistentVolumeClaim data: Pending"]
    assert deployments.explain(server, "odh", seen) == ["Pod mlflow-abc: Failed (quota)"]
    assert deployments.facts(seen) == {"exists": True, "owned": False, "run_id": "", "images": {"mlflow": "mlflow:1"}, "pods": ["mlflow-1"], "nodes": ["node0"]}


def test_a_deployment_that_is_not_there() -> None:
    seen, outcome = deployments.wait_ready(ClusterStandIn(), "odh", "mlflow", 0, 60)
    assert deployments.ending(outcome)["reasons"] == ["Deployment mlflow: does not exist"]
    assert deployments.explain(ClusterStandIn(), "odh", seen) == []
    assert deployments.facts(seen) == {"exists": False, "owned": False, "run_id": "", "images": {}, "pods": [], "nodes": []}


def test_a_deployment_that_is_rolled_out() -> None:
    assert deployments.judge(deployments.State("mlflow", deployment())).ready
