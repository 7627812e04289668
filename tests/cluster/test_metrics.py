# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What real pods use according to the profile of clusters, compared with their kernel and their limits; and the way to OpenShift's monitoring."""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import pod_exec
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.certificates import issue
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import Request, Window, collect
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.files import series_csv
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import load_profile
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import measured_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import SPEC_KEYS
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.verdict import evaluate_rules
from fake_querier import Querier, querier
from fakes.record_parts import record_parts

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "10.200.0.1"
LIMIT_S = 120
MIB = 2**20
# A process that never rests uses what its limit leaves it: a tenth of a core, less on a machine that has no time for it.
CORES = 0.1
BUSY = "while true; do :; done"
# Sleeps until the test signals it, then allocates memory until the kernel kills it; the second time it behaves as the others.
GREEDY = f"if [ -e /state/killed ]; then {BUSY}; fi; until [ -e /state/go ]; do sleep 1; done; touch /state/killed; exec dd if=/dev/zero of=/dev/null bs=64M"
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "cluster-monitoring-view"},
    "rules": [{"apiGroups": ["monitoring.coreos.com"], "resources": ["prometheuses/api"], "resourceNames": ["k8s"], "verbs": ["get", "create", "update"]}],
}  # fmt: skip
METRICS_ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
    "metadata": {"name": "f-pods-metrics-reader", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
    "rules": [{"apiGroups": ["metrics.k8s.io"], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
}  # fmt: skip
# As little of OpenShift's API of routes as a route's host needs.
ROUTES = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "routes.route.openshift.io"},
    "spec": {
        "group": "route.openshift.io", "scope": "Namespaced", "names": {"kind": "Route", "plural": "routes"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}},
        ],
    },
}  # fmt: skip
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
NAMESPACES = "/api/v1/namespaces"


def pod(name: str, image: str, script: str) -> dict[str, Any]:
    container = {
        "name": "mlflow", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script],
        "resources": {"limits": {"cpu": f"{CORES * 1000:.0f}m", "memory": "32Mi"}, "requests": {"cpu": "10m", "memory": "16Mi"}},
        "volumeMounts": [{"name": "state", "mountPath": "/state"}],
    }  # fmt: skip
    spec = {"containers": [container], "volumes": [{"name": "state", "emptyDir": {}}], "terminationGracePeriodSeconds": 0, "restartPolicy": "Always"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def wait_for(what: str, is_so: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.5)
    pytest.fail(f"{what}: not within {limit_s:g} s")


def seen(prometheus: dict[str, str], query: str) -> int:
    """Return how many series Prometheus has of a query now."""
    client = PrometheusClient(prometheus["url"], ca_file=prometheus["ca_file"] or None)
    return len(client.instant(query, time.time(), "seen")["result"])


def cpu_seconds(cluster: Cluster, namespace: str, name: str) -> float:
    """Return what the kernel has counted for the first process of a container, the shell that never rests."""
    result = pod_exec.run(cluster, pod_exec.Container(namespace, name, "mlflow"), ["cat", "/proc/1/stat"])
    assert result.code == 0, result.stderr
    user, system = result.stdout.decode().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(name="pods")
def fixture_pods(cluster: Cluster, namespace: str, images: dict[str, str], prometheus: dict[str, str]) -> str:
    """The path of the pods of a namespace in which three of "MLflow" run, each with at least three samples in Prometheus."""
    path = f"{NAMESPACES}/{namespace}/pods"
    for name, script in (("mlflow-aaa-bbbb1", BUSY), ("mlflow-aaa-bbbb2", BUSY), ("mlflow-aaa-bbbb3", GREEDY)):
        cluster.request("POST", path, pod(name, images["busybox"], script))
    sampled = f'count_over_time(container_cpu_usage_seconds_total{{image!="",container="mlflow",namespace="{namespace}"}}[5m]) > 2'
    wait_for("Samples of three pods", lambda: seen(prometheus, sampled) == 3)
    return path


def test_measurements_of_pods_agree_with_kernel_and_limits(
    cluster: Cluster, namespace: str, pods: str, images: dict[str, str], prometheus: dict[str, str], playbook: Callable[..., Any], tmp_path: Path
) -> None:
    described = playbook(
        "tests/prometheus/access.yml",
        {
            "monitoring_run_dir": str(tmp_path), "monitoring_prometheus_url": prometheus["url"], "monitoring_ca_file": prometheus["ca_file"],
            "monitoring_mlflow_namespace": namespace,
            "monitoring_further_components": {"router": {"namespace": "openshift-ingress", "pod": "router-default-.*"}},
        },
    )  # fmt: skip
    assert described.returncode == 0
    target = json.loads((tmp_path / "target.json").read_text(encoding="utf-8"))
    assert sorted(target["components"]) == ["k6_benchmark", "mlflow"]
    interval = target["prometheus"]["scrape_interval_s"]
    print(f"samples every {interval:g} s")
    assert 1 <= interval <= 40

    start, used = time.time(), cpu_seconds(cluster, namespace, "mlflow-aaa-bbbb1")
    cluster.request("DELETE", f"{pods}/mlflow-aaa-bbbb2")
    cluster.request("POST", pods, pod("mlflow-aaa-bbbb4", images["busybox"], BUSY))
    assert pod_exec.run(cluster, pod_exec.Container(namespace, "mlflow-aaa-bbbb3", "mlflow"), ["touch", "/state/go"]).code == 0
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    end = start + 6 * interval + 20
    while time.time() < end:
        cluster.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        time.sleep(0.5)
    end = time.time()
    truth = (cpu_seconds(cluster, namespace, "mlflow-aaa-bbbb1") - used) / (end - start)

    profile = load_profile(str(ROOT / "files/metrics_profiles/kubernetes.yml"))
    client = PrometheusClient(prometheus["url"], ca_file=prometheus["ca_file"] or None)
    components = {"mlflow": target["components"]["mlflow"]}
    found = collect(Request(profile, components, Window(start, end), interval), client, wait_after=interval)
    mlflow = found.resources["mlflow"]
    print(f"cores of one pod by its kernel: {truth:.4f}", json.dumps(found.resources, indent=1), found.warnings)
    assert found.errors == []
    assert client.requests == len(profile) <= 14
    assert mlflow["instances"]["mlflow-aaa-bbbb1"]["cpu_cores_mean"] == pytest.approx(truth, rel=0.2)
    # The others worked too, though not all the time, and none more than its limit lets it; no series counts twice.
    assert 1.3 * truth <= mlflow["cpu_cores_mean"] <= 3.3 * CORES
    # At a constant load the mean, of a whole window, and the peak, of single steps, differ by the noise of single samples only.
    assert mlflow["cpu_cores_mean"] <= 1.05 * mlflow["cpu_cores_peak"] <= 1.05 * 4 * CORES
    assert (mlflow["restarts"], mlflow["oom_kills"], mlflow["instances_started"]) == (1.0, 1.0, 1.0)
    assert mlflow["instance_count_last"] == 3.0
    assert mlflow["throttled_ratio"] > 0
    # The same loop in all of them: more than a quarter of the periods of a limit of a tenth of a core are throttled, which the verdict says.
    planned = {**dict.fromkeys(SPEC_KEYS), "id": "cell", "profile": "closed"}
    record = measured_record(planned, {}, {**record_parts(), "resources": found.resources})
    rules = yaml.safe_load((ROOT / "files/validity/default.yml").read_text(encoding="utf-8"))["rules"]
    assert any(warning.startswith("throttled_ratio: mlflow") for warning in evaluate_rules(record, rules)["warnings"])
    assert mlflow["limits"] == {"cpu_cores": pytest.approx(3 * CORES), "memory_bytes": 3 * 32 * MIB}
    assert mlflow["requests"] == {"cpu_cores": pytest.approx(0.03), "memory_bytes": 3 * 16 * MIB}
    assert 0 < mlflow["memory_bytes_mean"] <= mlflow["memory_bytes_peak"] <= 4 * 32 * MIB
    assert mlflow["network"]["receive_bytes_per_s_mean"] >= 0
    assert 0 < found.resources["cluster"]["cpu_utilization_mean"] <= 1
    rows = list(csv.DictReader(series_csv(found.measurements).splitlines()))
    assert max(float(row["value"]) for row in rows if row["metric"] == "requests" and "selfsubjectaccessreviews" in row["instance"]) > 0.5


@contextmanager
def present(cluster: Cluster, path: str, manifest: dict[str, Any]) -> Iterator[None]:
    """Create an object that exists while a test needs it."""
    cluster.request("POST", path, manifest)
    try:
        yield
    finally:
        cluster.request("DELETE", f"{path}/{manifest['metadata']['name']}")


def service(name: str, port: int, target: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a Service without pods, and the EndpointSlice by which it leads to a port of the node."""
    behind = {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4", "ports": [{"name": "web", "port": target}], "endpoints": [{"addresses": [ADDRESS]}],
    }  # fmt: skip
    front = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"name": "web", "port": port}]}}
    return front, behind


@pytest.mark.parametrize(
    ("way", "port", "methods"),
    [
        pytest.param("inside", 9091, {"POST"}, id="inside"),
        pytest.param("tenancy", 9092, {"GET"}, id="tenancy"),
        pytest.param("route", 443, {"POST"}, id="by its route"),
    ],
)
def test_openshifts_monitoring_is_discovered_trusted_and_queried(
    cluster: Cluster,
    node: Any,
    namespace: str,
    prometheus: dict[str, str],
    playbook: Callable[..., Any],
    tmp_path: Path,
    way: str,
    port: int,
    methods: set[str],
) -> None:
    """The role creates its account, binds it, gets a token and the certificates, and is admitted; without the binding it reports what is missing."""
    host = f"thanos-querier.{namespace}.svc"
    certificate = issue([host], 1)
    variables = {
        "monitoring_run_dir": str(tmp_path / "run"), "monitoring_state_dir": str(tmp_path / "state"), "monitoring_cluster_profile": "openshift",
        "monitoring_inside": way != "route", "monitoring_openshift_namespace": namespace, "monitoring_service_account_namespace": namespace,
        "monitoring_tenancy_namespace": namespace if way == "tenancy" else "", "monitoring_mlflow_namespace": namespace,
    }  # fmt: skip
    bindings = f"/apis/rbac.authorization.k8s.io/v1/{f'namespaces/{namespace}/rolebindings' if way == 'tenancy' else 'clusterrolebindings'}"
    binding = f"{bindings}/perfscale-monitoring-{namespace}"
    with ExitStack() as stack:
        asked, at = stack.enter_context(querier(cluster, prometheus, ADDRESS, certificate, tmp_path, way == "tenancy"))
        front, behind = service("thanos-querier", port, at)
        cluster.request("POST", f"{NAMESPACES}/{namespace}/services", front)
        cluster.request("POST", f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", behind)
        stack.enter_context(present(cluster, ROLES, METRICS_ROLE if way == "tenancy" else ROLE))
        if way == "route":
            routes(cluster, stack, namespace, host, certificate)
        else:
            cluster.request("POST", f"{NAMESPACES}/{namespace}/configmaps", ca_config_map("openshift-service-ca.crt", "service-ca.crt", certificate))
        assert playbook("tests/prometheus/access.yml", variables).returncode == 0
        _check_openshift(asked, tmp_path, namespace, methods)
        again = playbook("tests/prometheus/access.yml", variables)
        assert (again.returncode, "changed=0" in again.stdout) == (0, True)
        labels = cluster.request("GET", binding)["metadata"]["labels"]
        assert labels == {"app.kubernetes.io/managed-by": "perfscale.mlflow", "perfscale.mlflow/run-id": "run"}
        cluster.request("DELETE", binding)
        rejected = playbook("tests/prometheus/describe.yml", variables)
        assert rejected.returncode == 2
        assert "request rejected (403" in " ".join(rejected.stdout.split())


def ca_config_map(name: str, key: str, certificate: dict[str, bytes]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {key: certificate["ca.crt"].decode()}}


def routes(cluster: Cluster, stack: ExitStack, namespace: str, host: str, certificate: dict[str, bytes]) -> None:
    """Create a route to the host, and the certificates of the router, where OpenShift stores them."""
    stack.enter_context(present(cluster, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", ROUTES))
    path = f"/apis/route.openshift.io/v1/namespaces/{namespace}/routes"
    wait_for("Definition of routes", lambda: cluster.get(path) is not None)
    route = {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": {"name": "thanos-querier"}, "status": {"ingress": [{"host": host}]}}
    cluster.request("POST", path, route)
    stack.enter_context(present(cluster, NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "openshift-config-managed"}}))
    cluster.request("POST", f"{NAMESPACES}/openshift-config-managed/configmaps", ca_config_map("default-ingress-cert", "ca-bundle.crt", certificate))


def _check_openshift(asked: Querier, directory: Path, namespace: str, methods: set[str]) -> None:
    assert asked.asked
    assert {user for user, _method in asked.asked} == {f"system:serviceaccount:{namespace}:perfscale-monitoring"}
    assert {method for _user, method in asked.asked} == methods
    found = json.loads((directory / "run" / "target.json").read_text(encoding="utf-8"))["prometheus"]
    assert found["service_account"] == {"namespace": namespace, "name": "perfscale-monitoring"}
    assert found["tls_verify"] is True
    token = Path(found["token_file"])
    assert token.stat().st_mode & 0o777 == 0o600
    assert not token.is_relative_to(directory / "run")
    assert not any(
        token.read_text(encoding="utf-8") in path.read_text(encoding="utf-8", errors="replace") for path in (directory / "run").rglob("*") if path.is_file()
    )
