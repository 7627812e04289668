# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an MLflow of the operator serves what its resource requests; with statuses that the real operator wrote."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import deployments, ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform import mlflow_server
from fakes.fake_cluster import FakeCluster
from fakes.workloads import deployment, event, pod, waiting

CORE = "/api/v1/namespaces/odh"
DEPLOYMENT = "/apis/apps/v1/namespaces/odh/deployments/mlflow"


def condition(kind: str, status: str, reason: str, message: str = "") -> dict:
    return {"type": kind, "status": status, "reason": reason, "message": message}


FROM_SECRET = {"name": "MLFLOW_BACKEND_STORE_URI", "valueFrom": {"secretKeyRef": {"name": "db", "key": "uri"}}}
READY = [condition("Available", "True", "DeploymentReady"), condition("Progressing", "False", "ReconcileComplete")]
MIGRATING = [condition("Available", "False", "MigrationRunning"), condition("Progressing", "True", "MigrationRunning")]


def resource(conditions: list | None = None, version: str = "3.17.2", **spec: object) -> dict:
    status = {"conditions": READY if conditions is None else conditions, "version": version, "address": {"url": "https://mlflow.odh.svc:8443/mlflow"}}
    requested = {"replicas": 1, "workers": 1, "backendStoreUri": "sqlite:////mlflow/mlflow.db", **spec}
    return ownership.labelled({"metadata": {"name": "mlflow", "generation": 3}, "spec": requested, "status": status}, "run-1")


def state(conditions: list | None = None, deployed: dict | None = None, **more: object) -> mlflow_server.State:
    return mlflow_server.State(resource(conditions), deployed or deployment(), **more)


UNSCHEDULED = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}]}


@pytest.mark.parametrize(
    ("seen", "waiting_for"),
    [
        pytest.param(state(), "", id="ready"),
        pytest.param(mlflow_server.State(None), "MLflow mlflow: does not exist", id="no-resource"),
        pytest.param(mlflow_server.State(resource()), "Deployment mlflow: does not exist", id="no-deployment"),
        pytest.param(state(MIGRATING, deployment(0)), "replicas of the MLflow resource not applied yet", id="migrating"),
        pytest.param(state(deployed=deployment(observed=3)), "its change is not observed yet", id="generation-not-observed"),
        pytest.param(state(deployed=deployment(readyReplicas=0)), "0 of 1 replicas ready, 1 updated, 1 present", id="pod-not-ready"),
        pytest.param(state(deployed=deployment(updatedReplicas=0)), "1 of 1 replicas ready, 0 updated, 1 present", id="old-pod-still-serves"),
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
def test_readiness(seen: mlflow_server.State, waiting_for: str) -> None:
    readiness = mlflow_server.check_readiness(seen)
    assert readiness.ready == (waiting_for == "")
    assert waiting_for in "; ".join(readiness.waiting_for)


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
    """The resource is Available from before the change; the Deployment shows whether the operator has acted on it."""
    readiness = mlflow_server.check_readiness(mlflow_server.State(resource(**spec), deployment(container=container)))
    assert readiness.ready == same


def test_a_migration_that_was_given_up_is_a_problem() -> None:
    failed = [condition("Available", "False", "MigrationFailed"), condition("Migration", "False", "MigrationFailed", "unexpected MLflow version")]
    readiness = mlflow_server.check_readiness(state(failed, deployment(0)))
    assert "unexpected MLflow version" in readiness.problems[0]
    assert "force-migrate" in readiness.problems[0]


def test_a_container_that_cannot_start_is_a_doubt() -> None:
    broken = pod("mlflow-1", containerStatuses=[waiting("ImagePullBackOff")])
    readiness = mlflow_server.check_readiness(state(deployed=deployment(readyReplicas=0), pods=[broken]))
    assert readiness.doubts == ["pod mlflow-1: ImagePullBackOff (back-off)"]


@pytest.mark.parametrize(
    ("generation", "remedy"), [(2, ", a migration for former settings that the operator waits for: delete Job mlflow-mg-3172-g2"), (3, "")]
)
def test_the_remedy_for_a_migration_of_former_settings(generation: int, remedy: str) -> None:
    name = f"mlflow-mg-3172-g{generation}-x7k2p"
    failing = pod(name, {"mlflow.opendatahub.io/migration-job": "true"}, containerStatuses=[waiting("ImagePullBackOff", "db-migrate")])
    readiness = mlflow_server.check_readiness(state(MIGRATING, deployment(0), migration_pods=[failing]))
    assert readiness.doubts == [f"pod {name}: ImagePullBackOff (back-off){remedy}{', and retry' if remedy else ''}"]


@pytest.mark.parametrize(
    ("restarts", "lines"), [pytest.param(0, "it starts\nit failed", id="still-tries"), pytest.param(1, "it starts\nit failed", id="started-again")]
)
def test_diagnose_shows_the_log_of_a_server_that_is_not_ready(restarts: int, lines: str) -> None:
    server = FakeCluster()
    server.logs[f"{CORE}/pods/mlflow-1/log"] = lines
    entry = {"name": "mlflow", "ready": False, "restartCount": restarts, "state": {"running": {}}}
    other = {"name": "bundle", "ready": False, "state": {"running": {}}}
    seen = mlflow_server.State(resource(), pods=[pod("mlflow-1", containerStatuses=[entry, other])])
    assert mlflow_server.diagnose(server, "odh", seen) == [f"log of pod mlflow-1:\n{lines}"]
    assert server.log_queries == [{"container": "mlflow", "tailLines": 20, **({"previous": "true"} if restarts else {})}]


def test_a_log_is_shown_without_the_password_of_the_database() -> None:
    server = FakeCluster()
    server.logs[f"{CORE}/pods/mlflow-1/log"] = "unsupported URI 'postgresql://me:c4nary/+@db:5432/mlflow', see https://example.org/a:b"
    seen = mlflow_server.State(resource(), pods=[pod("mlflow-1", containerStatuses=[{"name": "mlflow", "ready": False, "state": {"running": {}}}])])
    [log] = mlflow_server.diagnose(server, "odh", seen)
    assert log.endswith("unsupported URI 'postgresql://me:***@db:5432/mlflow', see https://example.org/a:b")


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


def test_a_failing_pod_beside_a_ready_server_is_no_doubt() -> None:
    assert mlflow_server.check_readiness(state(pods=[pod("old", containerStatuses=[waiting("ImagePullBackOff")])])).ready


def cluster(conditions: list, deployed: dict, *found: dict) -> FakeCluster:
    pods_found = [(f"{CORE}/pods/{entry['metadata']['name']}", entry) for entry in found]
    return FakeCluster((f"{mlflow_server.RESOURCE}/mlflow", resource(conditions)), (DEPLOYMENT, deployed), *pods_found)


def test_read_separates_pods_of_the_server_from_those_of_its_migration() -> None:
    migration = pod("mlflow-mg-1", {"app": "mlflow", "mlflow.opendatahub.io/migration-job": "true"})
    seen = mlflow_server.read(cluster(READY, deployment(), pod("mlflow-1"), migration), "odh")
    assert [entry["metadata"]["name"] for entry in seen.pods] == ["mlflow-1"]
    assert [entry["metadata"]["name"] for entry in seen.migration_pods] == ["mlflow-mg-1"]


@pytest.mark.parametrize(("timeout_s", "reads"), [pytest.param(0, 1, id="once"), pytest.param(5, 2, id="seen-twice")])
def test_wait_ready_checks_twice_unless_the_limit_is_zero(monkeypatch, timeout_s: float, reads: int) -> None:
    monkeypatch.setattr(deployments, "POLL_S", 0.01)
    server = cluster(READY, deployment())
    state_seen, outcome = mlflow_server.wait_ready(server, "odh", timeout_s, 60)
    assert outcome.ended == "ready"
    assert state_seen.resource is not None
    assert [path for _method, path in server.requests].count(DEPLOYMENT) == reads


def test_wait_ready_ends_when_a_container_cannot_start(monkeypatch) -> None:
    monkeypatch.setattr(deployments, "POLL_S", 0.01)
    server = cluster(MIGRATING, deployment(readyReplicas=0), pod("mlflow-1", containerStatuses=[waiting("ImagePullBackOff")]))
    _state, outcome = mlflow_server.wait_ready(server, "odh", 60, 0.03)
    assert deployments.outcome_facts(outcome)["ended"] == "problem"
    assert deployments.outcome_facts(outcome)["reasons"][0] == "pod mlflow-1: ImagePullBackOff (back-off)"


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
    server = FakeCluster((f"{CORE}/events/1", {**event("mg-1", "cannot mount", "1"), "metadata": {}}))
    server.logs[f"{CORE}/pods/mg-2/log"] = "no such database\n"
    seen = mlflow_server.State(resource(), migration_pods=[first, last, fine])
    assert mlflow_server.diagnose(server, "odh", seen) == ["Pod mg-1: Failed (cannot mount)", "log of migration pod mg-2:\nno such database"]
    server.logs.clear()
    assert "no log of migration pod mg-2" in mlflow_server.diagnose(server, "odh", seen)[1]
    assert mlflow_server.diagnose(server, "odh", None) == []
