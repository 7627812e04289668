# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster itself: what every other test of this folder relies on."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from node import layout, lifecycle
from node.faults import api_server_down
from node.program import until

LIMIT_S = 120.0
RESTRICTED = {"runAsNonRoot": True, "runAsUser": 12345, "seccompProfile": {"type": "RuntimeDefault"}}


def pod(name: str, image: str, script: str, **spec: Any) -> dict[str, Any]:
    """Return the manifest of a pod that runs a shell script, with a volume of the PersistentVolumeClaim `data` when `volumes` names it."""
    security = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script], "securityContext": security}
    if "volumes" in spec:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    body = {"containers": [container], "securityContext": RESTRICTED, "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, **spec}
    return {"metadata": {"name": name}, "spec": body}


@pytest.fixture
def run(cluster: Cluster, namespace: str, images: dict[str, str]) -> Callable[..., str]:
    """Run a script in a pod without permissions to its end and return what it printed."""

    def run_script(name: str, script: str, **spec: Any) -> str:
        pods = f"/api/v1/namespaces/{namespace}/pods"
        cluster.request("POST", pods, pod(name, images["busybox"], script, **spec))

        def seen() -> str:
            phase = cluster.request("GET", f"{pods}/{name}")["status"].get("phase")
            return "" if phase in ("Succeeded", "Failed") else f"phase {phase}"

        until(f"Pod {name}", seen, LIMIT_S)
        return cluster.text(f"{pods}/{name}/log")

    return run_script


@pytest.fixture
def stranger(cluster: Cluster, kubeconfig: str, namespace: str) -> Cluster:
    """A client without permissions: a service account without a binding."""
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    cluster.request("POST", accounts, {"metadata": {"name": "stranger"}})
    token = cluster.request("POST", f"{accounts}/stranger/token", {"spec": {"expirationSeconds": 600}})["status"]["token"]
    return connect({"host": cluster.host, "api_key": token, "ca_cert": cluster.configuration.ssl_ca_cert})


def test_a_pod_without_permissions_runs(run: Callable[..., str]) -> None:
    assert run("hello", "id -u; echo done").split() == ["12345", "done"]


def test_a_pvc_is_bound_and_stores_what_is_written(cluster: Cluster, namespace: str, run: Callable[..., str]) -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}}
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", claim)
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    run("writes", "echo kept > /data/file", volumes=volumes)
    assert run("reads", "cat /data/file", volumes=volumes).strip() == "kept"


def test_names_of_services_resolve_and_lead_somewhere(run: Callable[..., str]) -> None:
    """kube-proxy translates the service's address; the API server's answer to a stranger is a sign of life."""
    output = run("asks", "nslookup kubernetes.default.svc.cluster.local; echo | nc -w 5 kubernetes.default.svc 443; echo code $?")
    assert "10.202.0.1" in output or "Address" in output
    assert "code 0" in output


def test_names_of_services_resolve_for_the_controller(node: layout.Layout) -> None:
    assert socket.gethostbyname("kubernetes.default.svc.cluster.local") == socket.gethostbyname("kubernetes.default.svc")


def test_permissions_are_enforced(stranger: Cluster, namespace: str) -> None:
    with pytest.raises(ClusterError, match="403"):
        stranger.request("GET", f"/api/v1/namespaces/{namespace}/pods")


def test_a_network_policy_is_stored(cluster: Cluster, namespace: str) -> None:
    """Nothing enforces it here: the pods' network is a plain bridge."""
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
    cluster.request("POST", path, {"metadata": {"name": "closed"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}})
    assert [item["metadata"]["name"] for item in cluster.items(path)] == ["closed"]


def test_prometheus_distinguishes_containers(cluster: Cluster, namespace: str, images: dict[str, str], prometheus: dict[str, str]) -> None:
    body = pod("busy", images["busybox"], "while true; do :; done")
    body["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "50m", "memory": "32Mi"}}
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/pods", body)
    selector = f'namespace="{namespace}",pod="busy",container="main"'
    queries = [
        f'container_cpu_usage_seconds_total{{job="kubelet",image!="",{selector}}} > 0',
        f'container_cpu_usage_seconds_total{{job="kubelet-resource",{selector}}}',
        f'kube_pod_container_resource_limits{{resource="cpu",{selector}}} == 0.05',
    ]
    client = PrometheusClient(prometheus["url"], ca_file=prometheus["ca_file"] or None)
    for query in queries:
        until(f"Query {query}", lambda query=query: "" if client.instant(query, time.time(), "test")["result"] else "no series", LIMIT_S)


def test_the_audit_log_has_user_and_object_of_each_request(cluster: Cluster, stranger: Cluster, namespace: str, node: layout.Layout) -> None:
    with pytest.raises(ClusterError):
        stranger.request("GET", f"/api/v1/namespaces/{namespace}/secrets/wanted")
    with open(node.audit_log, encoding="utf-8") as stream:
        events = [event for event in map(json.loads, stream) if event["requestURI"] == f"/api/v1/namespaces/{namespace}/secrets/wanted"]
    assert [(event["user"]["username"], event["verb"], event["responseStatus"]["code"]) for event in events] == [
        (f"system:serviceaccount:{namespace}:stranger", "get", 403)
    ]
    assert "requestObject" not in events[0]


@pytest.mark.alone
def test_pods_outlive_the_api_server(cluster: Cluster, namespace: str, images: dict[str, str], node: layout.Layout) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods/stays"
    cluster.request("POST", path.rsplit("/", 1)[0], pod("stays", images["busybox"], "sleep 600"))
    until("Pod stays", lambda: "" if cluster.request("GET", path)["status"].get("phase") == "Running" else "not running", LIMIT_S)
    with api_server_down(node), pytest.raises(ClusterError, match="does not respond"):
        cluster.request("GET", path, attempts=1)
    after = cluster.request("GET", path)["status"]
    assert [status["restartCount"] for status in after["containerStatuses"]] == [0]
    # After an outage of the API server the node is ready again with the kubelet's next report.
    until(f"Node {layout.NODE}", lambda: lifecycle.node_state(cluster), LIMIT_S)
