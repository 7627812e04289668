# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import deployments
from fakes.fake_cluster import FakeCluster
from fakes.workloads import deployment, event, pod

CORE = "/api/v1/namespaces/odh"
NOT_DECLARED = "not declared: no label app.kubernetes.io/version, not installed by OLM, image tag"
PATH = "/apis/apps/v1/namespaces/odh/deployments/mlflow"


def test_a_deployment_with_its_pods_and_claims() -> None:
    deployed = copy.deepcopy(deployment(readyReplicas=0))
    deployed["spec"]["template"]["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "t", "emptyDir": {}}]
    owned = pod("mlflow-1")
    owned["metadata"]["ownerReferences"] = [{"name": "mlflow-abc"}]
    server = FakeCluster((PATH, deployed), (f"{CORE}/pods/mlflow-1", owned))
    server.objects[f"{CORE}/persistentvolumeclaims/data"] = {"metadata": {"name": "data"}, "status": {"phase": "Pending"}}
    server.objects[f"{CORE}/events/1"] = {**event("mlflow-abc", "quota", "1"), "metadata": {}}
    seen, outcome = deployments.wait_ready(server, "odh", "mlflow", 0, 60)
    assert deployments.outcome_facts(outcome)["reasons"] == [
        "Deployment mlflow: 0 of 1 replicas ready, 1 updated, 1 present",
        "PersistentVolumeClaim data: Pending",
    ]
    assert deployments.diagnose(server, "odh", seen) == ["Pod mlflow-abc: Failed (quota)"]
    assert deployments.facts(seen) == {
        "exists": True,
        "owned": False,
        "run_id": "",
        "images": {"mlflow": "mlflow:1"},
        "versions": {"mlflow": {"version": None, "source": f"{NOT_DECLARED} 1"}},
        "pods": ["mlflow-1"],
        "nodes": ["node0"],
    }


def test_a_deployment_that_is_not_there() -> None:
    seen, outcome = deployments.wait_ready(FakeCluster(), "odh", "mlflow", 0, 60)
    assert deployments.outcome_facts(outcome)["reasons"] == ["Deployment mlflow: does not exist"]
    assert deployments.diagnose(FakeCluster(), "odh", seen) == []
    assert deployments.facts(seen) == {"exists": False, "owned": False, "run_id": "", "images": {}, "versions": {}, "pods": [], "nodes": []}


def test_a_deployment_that_is_rolled_out() -> None:
    assert deployments.check_readiness(deployments.State("mlflow", deployment())).ready


LABEL = {"app.kubernetes.io/version": "1.2.0"}
OF_OLM = {"olm.owner": "opendatahub-operator.v3.5.0", "olm.owner.kind": "ClusterServiceVersion"}


@pytest.mark.parametrize(
    ("labels", "of_pods", "image", "version", "source"),
    [
        pytest.param({**LABEL, **OF_OLM}, {}, "op:3.0.0", "1.2.0", "label app.kubernetes.io/version", id="label"),
        pytest.param({}, LABEL, "op:3.0.0", "1.2.0", "label app.kubernetes.io/version", id="label-of-pods"),
        pytest.param(OF_OLM, {}, "op:3.0.0", "3.5.0", "ClusterServiceVersion opendatahub-operator.v3.5.0", id="olm"),
        pytest.param({}, {}, "registry:5000/op:v0.4.1-rc.1@sha256:0a", "v0.4.1-rc.1", "image tag", id="tag-and-digest"),
        pytest.param({}, {}, "op:controller-v1.6.0", "v1.6.0", "image tag", id="tag-with-a-name"),
        pytest.param({}, {}, "registry:5000/op", None, f"{NOT_DECLARED} absent", id="no-tag"),
        pytest.param({}, {}, "op@sha256:0a", None, f"{NOT_DECLARED} absent", id="digest"),
        pytest.param({}, {}, "op:main", None, f"{NOT_DECLARED} main", id="moving-tag"),
        pytest.param({}, {}, "op:3f2a9c1", None, f"{NOT_DECLARED} 3f2a9c1", id="commit"),
        pytest.param({}, {}, None, None, f"{NOT_DECLARED} absent", id="no-image"),
    ],
)
def test_the_version_that_a_deployment_declares(labels, of_pods, image, version, source) -> None:
    deployed = copy.deepcopy(deployment())
    deployed["metadata"]["labels"] = labels
    deployed["spec"]["template"]["metadata"] = {"labels": of_pods}
    assert deployments.declared_version(deployed, image) == {"version": version, "source": source}
