# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is recorded of a cluster, and what happened to nodes and pods during a load."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster_state import disturbances, fingerprint

COMPONENTS = {"mlflow": {"namespace": "odh", "pod": "mlflow-[a-z0-9]+"}, "k6_benchmark": {"namespace": "bench", "pod": "k6"}}
SINCE = 1_795_521_600.0  # 2026-11-24T12:00:00Z
BEFORE, DURING = "2026-11-24T11:59:59Z", "2026-11-24T12:00:30Z"
IMAGE = "registry.example.com/mlflow@sha256:0123"


def ready(status="True", changed=BEFORE, **more):
    return {"conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": status, "lastTransitionTime": changed, **more}]}


def put_node(server, name, **status):
    info = {"nodeInfo": {"architecture": "amd64", "kubeletVersion": "v1.34.4"}, "allocatable": {"cpu": "1930m", "memory": "4Gi"}}
    server.put(f"/api/v1/nodes/{name}", status={**info, **ready(), **status})


def put_pod(server, namespace, name, node="n1", created=BEFORE, **container):
    status = {"containerStatuses": [{"name": "main", "imageID": IMAGE, "state": {"running": {}}, **container}]}
    metadata = {"creationTimestamp": created, "namespace": namespace}
    server.put(f"/api/v1/namespaces/{namespace}/pods/{name}", spec={"nodeName": node}, status=status, metadata=metadata)


@pytest.fixture
def quiet(server):
    """A cluster in which nothing happened to the components; what happened elsewhere is not theirs."""
    put_node(server, "n1")
    put_node(server, "n2", **ready("False", DURING))
    put_pod(server, "odh", "mlflow-abc")
    put_pod(server, "odh", "operator-x", created=DURING)
    put_pod(server, "bench", "k6")
    default = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    server.put("/apis/storage.k8s.io/v1/storageclasses/slow")
    server.put("/apis/storage.k8s.io/v1/storageclasses/fast", metadata=default)
    server.answers[("GET", "/version")] = [(200, {"gitVersion": "v1.34.4"})]
    return server


def test_the_state_of_a_cluster(quiet, cluster):
    node = {"cpu_cores": 1.93, "memory_bytes": 4 * 2**30, "architecture": "amd64", "kubelet": "v1.34.4"}
    assert fingerprint(cluster, COMPONENTS) == {
        "kubernetes": "v1.34.4",
        "nodes": [{"name": "n1", **node}, {"name": "n2", **node}],
        "storage_class": "fast",
        "images": {"mlflow": [IMAGE], "k6_benchmark": [IMAGE]},
    }


def test_what_may_not_be_read_is_null(quiet, cluster):
    quiet.hook = lambda _method, path, _body: (403, {"reason": "Forbidden"}) if path != "/version" else None
    assert fingerprint(cluster, COMPONENTS) == {"kubernetes": "v1.34.4", "nodes": None, "storage_class": None, "images": {"mlflow": [], "k6_benchmark": []}}
    assert disturbances(cluster, COMPONENTS, SINCE) == []


def test_a_quiet_cluster_has_no_disturbances(quiet, cluster):
    assert disturbances(cluster, COMPONENTS, SINCE) == []


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        pytest.param(lambda server: put_pod(server, "odh", "mlflow-new", created=DURING), f"Pod odh/mlflow-new of mlflow created at {DURING}", id="new-pod"),
        pytest.param(
            lambda server: put_pod(server, "odh", "mlflow-abc", lastState={"terminated": {"finishedAt": DURING, "reason": "OOMKilled", "exitCode": 137}}),
            f"Pod odh/mlflow-abc of mlflow: container main ended at {DURING} (OOMKilled, exit code 137)",
            id="restart",
        ),
        pytest.param(
            lambda server: put_pod(server, "bench", "k6", state={"terminated": {"finishedAt": DURING, "exitCode": 1}}),
            f"Pod bench/k6 of k6_benchmark: container main ended at {DURING} (no reason given, exit code 1)",
            id="ended",
        ),
        pytest.param(lambda server: put_node(server, "n1", **ready("True", DURING)), f"Node n1 not ready until {DURING}", id="node-was-not-ready"),
        pytest.param(
            lambda server: put_node(server, "n1", **ready("Unknown", BEFORE, reason="NodeStatusUnknown")),
            f"Node n1 not ready since {BEFORE} (NodeStatusUnknown)",
            id="node-is-not-ready",
        ),
    ],
)
def test_what_happened_during_the_load(quiet, cluster, change, phrase):
    change(quiet)
    assert disturbances(cluster, COMPONENTS, SINCE) == [phrase]
