# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles mlflow_operator, postgresql and mlflow_server on a real cluster, with the real MLflow and a fake of its operator.

The tests share one operator and, as the operator does, one MLflow; each leaves both fit for the next.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import MERGE_PATCH, Cluster
from fake_gateway import Gateway
from fake_operator import children, manifests, status

NAMESPACE = "b-mlflow"
RESOURCE = "/apis/mlflow.opendatahub.io/v1/mlflows/mlflow"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mlflow"
DEFINITION = "mlflows.mlflow.opendatahub.io"
# What an MLflow uses that this collection created, and what must not go with its namespace.
USED = (
    CORE,
    RESOURCE,
    DEPLOYMENT,
    f"{CORE}/secrets/mlflow-tls",
    f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mlflow-operator-controller-manager",
    f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{DEFINITION}",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/mlflow-operator-manager-role",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/mlflow-operator-manager-rolebinding",
)
VERSION = "3.17.2"
CLEAR_LIMIT_S = 90
SEQUENCE = yaml.safe_load((Path(__file__).parent / "fake_operator" / "sequence.yml").read_text(encoding="utf-8"))
SMALL = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
Deploy = Callable[..., Any]


def seen(resource: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a status as the table of the real operator writes it."""
    found = (resource or {}).get("status") or {}
    if not found.get("conditions"):
        return None
    conditions = {entry["type"]: f"{entry['status']}/{entry['reason']}" for entry in found["conditions"]}
    return {"version": bool(found.get("version")), "conditions": conditions}


def steps(name: str) -> list[dict[str, Any]]:
    return [{"version": step["version"], "conditions": step["conditions"]} for step in SEQUENCE[name]]


class Watcher:
    """Collects each new status of the MLflow resource, in order."""

    def __init__(self, cluster: Cluster) -> None:
        self.statuses: list[dict[str, Any]] = []
        self._cluster, self._stop = cluster, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_error: Any) -> None:
        self._stop.set()
        self._thread.join(10)

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            found = seen(self._cluster.get(RESOURCE))
            if found and self.statuses[-1:] != [found]:
                self.statuses.append(found)


@pytest.fixture(scope="module")
def manifests_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifests.write(tmp_path_factory.mktemp("operator"), NAMESPACE)


@pytest.fixture
def variables(images: dict[str, str], manifests_directory: Path, tmp_path: Path) -> dict[str, Any]:
    """The variables of a user of a small cluster."""
    return {
        "test_matrix_run_dir": str(tmp_path / "run-b"),
        **{f"{role}_namespace": NAMESPACE for role in ("mlflow_operator", "postgresql", "mlflow_server")},
        "mlflow_operator_manifests": [str(manifests_directory)],
        "mlflow_operator_image": images["mlflow"],
        "mlflow_operator_mlflow_image": images["mlflow"],
        "mlflow_operator_env": {"SUPPORTED_MLFLOW_VERSION": VERSION, "MIGRATION_BACKOFF_LIMIT": "0", "EXPOSE_METRICS": "true"},
        "mlflow_server_db_backend": "sqlite",
        "mlflow_server_storage_size": "1Gi",
        "mlflow_server_resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
        "mlflow_server_timeout_s": 240,
        "mlflow_server_patience_s": 10,
        "postgresql_image": images["postgresql"],
        "postgresql_exporter_image": images["postgres-exporter"],
        "postgresql_storage_size": "1Gi",
        "postgresql_resources": SMALL,
        "postgresql_settings": {"max_connections": 100, "shared_buffers": "64MB"},
    }


@pytest.fixture
def deploy(playbook: Callable[..., Any], variables: dict[str, Any]) -> Deploy:
    """Run the roles with changed variables."""
    return lambda *options, **changes: playbook("tests/cluster/deploy_mlflow.yml", {**variables, **changes}, *options)


@pytest.fixture
def remove(playbook: Callable[..., Any], variables: dict[str, Any]) -> Deploy:
    """Run the teardown of the roles."""
    return lambda **changes: playbook("tests/cluster/remove_mlflow.yml", {**variables, **changes})


@pytest.fixture(scope="module", autouse=True)
def nothing_stays(cluster: Cluster) -> Iterator[None]:
    """Nothing of an interrupted run is there before, nothing of this one after."""
    clear(cluster)
    yield
    clear(cluster)


def clear(cluster: Cluster) -> None:
    for path in (RESOURCE, CORE):
        if cluster.get(path):
            cluster.request("DELETE", path)
        for _second in range(CLEAR_LIMIT_S):
            if cluster.get(path) is None:
                break
            time.sleep(1)
        assert cluster.get(path) is None, f"{path} is still there after {CLEAR_LIMIT_S} s"


def target(variables: dict[str, Any]) -> dict[str, Any]:
    return json.loads((Path(variables["test_matrix_run_dir"]) / "target.json").read_text(encoding="utf-8"))


def changes(played: Any) -> str:
    return next(part for part in played.stdout.splitlines()[-4:] if "changed=" in part).split("changed=")[1].split()[0]


@pytest.mark.parametrize(
    ("name", "states", "version"),
    [
        pytest.param(
            "create",
            [
                (status.Seen("running", None, 0, 0, False), False),
                (status.Seen("succeeded", None, 0, 1, False), False),
                (status.Seen("succeeded", None, 1, 1, True), False),
            ],
            False,
            id="create",
        ),
        pytest.param(
            "pod_deleted", [(status.Seen("absent", None, 0, 1, False), True), (status.Seen("absent", None, 1, 1, True), True)], True, id="pod-deleted"
        ),
        pytest.param("migration_gives_up", [(status.Seen("failed", 10, 0, 0, False), False)], False, id="migration-gives-up"),
        pytest.param("migration_is_tried_again", [(status.Seen("failed", 15, 0, 0, False), False)], False, id="migration-is-tried-again"),
    ],
)
def test_the_fake_writes_the_status_of_the_real_operator(name: str, states: list, version: bool) -> None:
    """Compare the statuses of the fake with those recorded from the real operator."""
    reported, conditions = [], {"Migration": status.condition("Migration", "True", "MigrationSucceeded")} if version else {}
    for state, migrated in states:
        for step in status.steps(state, 1, migrated):
            conditions |= {entry["type"]: entry for entry in step}
            version = version or conditions["Migration"]["reason"] == "MigrationSucceeded"
            reported.append(seen({"status": {"conditions": list(conditions.values()), "version": "v" if version else ""}}))
    assert reported == steps(name)


def test_check_mode_creates_nothing(cluster: Cluster, deploy: Deploy) -> None:
    assert deploy("--check").returncode == 0
    assert cluster.get(CORE) is None


def test_sqlite_on_a_volume(cluster: Cluster, deploy: Deploy, variables: dict[str, Any]) -> None:
    with Watcher(cluster) as watcher:
        assert deploy().returncode == 0
    expected = steps("create")
    # A watcher that polls every 50 ms may miss the step that lasts 4 ms.
    assert watcher.statuses in (expected, [*expected[:2], expected[3]])
    found = target(variables)
    assert found["mlflow"]["url"] == f"https://mlflow.{NAMESPACE}.svc:8443/mlflow"
    assert (found["mlflow"]["version"], found["mlflow"]["owned"], found["mlflow"]["tls_verify"]) == (VERSION, True, True)
    assert found["factors"] == {"target": "internal", "db_backend": "sqlite", "replicas": 1, "workers": 1}
    context = ssl.create_default_context(cafile=found["mlflow"]["ca_file"])
    with urllib.request.urlopen(found["mlflow"]["url"] + "/health", context=context, timeout=10) as answer:
        assert answer.read() == b"OK"
    again = deploy()
    assert (again.returncode, changes(again)) == (0, "0")


def test_the_gateway_can_be_the_target(deploy: Deploy, variables: dict[str, Any], tmp_path: Path) -> None:
    assert deploy().returncode == 0
    # The next deployment writes what clients of the gateway trust into the same file.
    inside = Path(target(variables)["mlflow"]["ca_file"]).rename(tmp_path / "inside.crt")
    with Gateway(tmp_path, "localhost", (f"mlflow.{NAMESPACE}.svc", 8443), str(inside)) as gateway:
        url = f"https://localhost:{gateway.port}/mlflow"
        played = deploy(mlflow_server_external_url=url, mlflow_server_external_ca_file=gateway.ca_file)
    assert played.returncode == 0
    found = target(variables)
    assert (found["mlflow"]["url"], found["factors"]["target"]) == (url, "external")
    assert Path(found["mlflow"]["ca_file"]).read_text(encoding="utf-8").split() == Path(gateway.ca_file).read_text(encoding="utf-8").split()


def test_a_gateway_that_does_not_answer_is_named(deploy: Deploy) -> None:
    played = deploy(mlflow_server_external_url="https://localhost:9/mlflow", mlflow_server_probe_timeout_s=3)
    assert played.returncode != 0
    assert "MLflow https://localhost:9/mlflow" in played.stdout


def test_an_image_that_cannot_be_pulled_is_named(deploy: Deploy) -> None:
    played = deploy(mlflow_server_image="registry.invalid/mlflow:0")
    text = " ".join(played.stdout.split())
    assert played.returncode != 0
    assert "MLflow mlflow: not ready after" in text
    assert "registry.invalid/mlflow:0" in text
    assert "ErrImagePull" in text or "ImagePullBackOff" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"mlflow_server_replicas": 0}, "spec.replicas", id="replicas"),
        pytest.param({"mlflow_server_spec": {"backendStoreUriFrom": {"name": "a", "key": "b"}}}, "exactly one of backendStoreUri", id="two-stores"),
    ],
)
def test_what_the_schema_rejects_is_named(deploy: Deploy, change: dict[str, Any], message: str) -> None:
    played = deploy(**change)
    assert played.returncode != 0
    assert message in " ".join(played.stdout.split())


def test_an_unmanaged_mlflow_is_used_as_it_is(cluster: Cluster, deploy: Deploy, remove: Deploy, variables: dict[str, Any]) -> None:
    assert deploy().returncode == 0
    labels = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}}
    before = cluster.request("PATCH", RESOURCE, labels, content_type=MERGE_PATCH)
    try:
        played = deploy(mlflow_server_workers=3)
        assert (played.returncode, changes(played)) == (0, "1")  # only target.json
        assert target(variables)["mlflow"]["owned"] is False
        assert target(variables)["database"]["owned"] is False
        removed = remove()
        assert removed.returncode == 0
        assert f"Secret {NAMESPACE}/mlflow-tls" in removed.stdout
        # What is listed as staying stays in the last step too, with the namespace that the run created, and the exit code tells.
        mine = {"cluster_environment_platform": "kubernetes", "cluster_cleanup_run_id": "run-b", "cluster_cleanup_token_files": []}
        whole = remove(whole=True, cluster_cleanup_namespaces=[NAMESPACE], **mine)
        assert whole.returncode != 0
        text = " ".join(whole.stdout.split())
        assert f"- Secret {NAMESPACE}/mlflow-tls is used by MLflow mlflow" in text
        assert f"- Deployment {NAMESPACE}/mlflow-operator-controller-manager is used by MLflow mlflow" in text
        assert f"- CustomResourceDefinition {DEFINITION} is used by MLflow mlflow" in text
        assert f"- Namespace {NAMESPACE} holds unmanaged objects: " in text
        assert [path for path in USED if cluster.get(path) is None or cluster.get(path)["metadata"].get("deletionTimestamp")] == []
        after = cluster.get(RESOURCE)
        assert after is not None
        assert after["metadata"]["generation"] == before["metadata"]["generation"]
        assert cluster.get(DEPLOYMENT) is not None
    finally:
        ours = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "perfscale.mlflow"}}}
        cluster.request("PATCH", RESOURCE, ours, content_type=MERGE_PATCH)


def test_two_managers_are_rejected(cluster: Cluster, deploy: Deploy) -> None:
    assert deploy().returncode == 0
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mlflow-operator-controller-manager"
    cluster.request("PATCH", path, {"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}}, content_type=MERGE_PATCH)
    played = deploy()
    text = " ".join(played.stdout.split())
    assert played.returncode != 0
    assert f"Deployment {NAMESPACE}/mlflow-operator-controller-manager: unmanaged MLflow operator" in text
    used = deploy(mlflow_operator_manifests=[])
    assert (used.returncode, changes(used)) == (0, "0")
    cluster.request("PATCH", path, {"metadata": {"labels": {"app.kubernetes.io/managed-by": "perfscale.mlflow"}}}, content_type=MERGE_PATCH)


def test_teardown_removes_what_is_ours_and_nothing_else(cluster: Cluster, remove: Deploy) -> None:
    assert cluster.get(DEPLOYMENT) is not None
    unmanaged = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "somebody-elses"}}
    cluster.request("POST", f"{CORE}/configmaps", unmanaged)
    played = remove()
    assert played.returncode == 0
    assert "stays: []" in played.stdout
    gone = [RESOURCE, DEPLOYMENT, f"{CORE}/persistentvolumeclaims/mlflow-pvc", f"{CORE}/secrets/mlflow-tls", f"{CORE}/services/mlflow"]
    assert [path for path in gone if cluster.get(path)] == []
    assert cluster.items(f"{CORE}/pods", f"{children.MIGRATION}=true") == []
    assert cluster.get(f"{CORE}/configmaps/somebody-elses") is not None


def test_postgresql(cluster: Cluster, deploy: Deploy, variables: dict[str, Any]) -> None:
    assert deploy(mlflow_server_db_backend="postgres").returncode == 0
    found = target(variables)
    assert (found["database"]["kind"], found["database"]["owned"], found["database"]["version"].split(".")[0]) == ("postgres", True, "15")
    assert found["factors"]["db_backend"] == "postgres"
    assert found["fingerprint"]["database_settings"] == {"max_connections": 100, "shared_buffers": "64MB"}
    secret = cluster.get(f"{CORE}/secrets/postgresql-credentials")
    again = deploy(mlflow_server_db_backend="postgres")
    assert (again.returncode, changes(again)) == (0, "0")
    assert cluster.get(f"{CORE}/secrets/postgresql-credentials")["data"] == secret["data"]


def test_two_replicas_on_a_database_that_is_already_there(cluster: Cluster, deploy: Deploy, variables: dict[str, Any]) -> None:
    """Use the server of the previous test as an unmanaged one: the role gets only the Secret with its URI."""
    uri = cluster.get(f"{CORE}/secrets/postgresql-credentials")["data"]["uri"]
    bare = base64.b64encode(b"postgresql" + base64.b64decode(uri)[len("postgresql+psycopg2") :]).decode()
    cluster.request("POST", f"{CORE}/secrets", {"metadata": {"name": "given"}, "data": {"uri": uri, "bare": bare}})
    given = {"mlflow_server_db_backend": "postgres", "postgresql_uri_secret": "given"}
    rejected = deploy(**given, postgresql_uri_key="bare")
    assert rejected.returncode != 0
    assert "its bare does not begin with postgresql+DRIVER://" in " ".join(rejected.stdout.split())
    assert deploy(**given, mlflow_server_replicas=2).returncode == 0
    found = target(variables)
    assert (found["database"]["kind"], found["database"]["owned"], found["factors"]["replicas"]) == ("postgres", False, 2)
    assert cluster.get(RESOURCE)["spec"]["backendStoreUriFrom"] == {"name": "given", "key": "uri"}
    assert cluster.get(DEPLOYMENT)["status"]["readyReplicas"] == 2


def test_a_volume_that_remains_pending_is_reported(deploy: Deploy, remove: Deploy) -> None:
    assert remove().returncode == 0
    played = deploy(mlflow_server_storage_class="absent", mlflow_server_timeout_s=15)
    assert played.returncode != 0
    assert "PersistentVolumeClaim mlflow-pvc: Pending" in " ".join(played.stdout.split())
    assert remove().returncode == 0


def test_without_operator_and_manifests_the_error_has_the_remedy(deploy: Deploy) -> None:
    played = deploy(mlflow_operator_manifests=[])
    assert played.returncode != 0
    assert f"MLflow operator: no Deployment {NAMESPACE}/mlflow-operator-controller-manager" in " ".join(played.stdout.split())
