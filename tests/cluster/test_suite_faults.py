# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults in the middle of a run in the cluster: each is named, no finished cell is lost, and the same run_id goes on."""

from __future__ import annotations

import re
import time

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tokens import request_token
from cluster_suite import MANAGED, ClusterSuite, nothing_left
from node import faults
from run_settings import settings_for

pytestmark = pytest.mark.alone
CELL = "t1-c5-r1"
ONE = {"test_matrix_tenants": 1}
NAMESPACE = "/api/v1/namespaces/opendatahub"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
INTEGRATION = "mlflow-operator-mlflow-integration"
OUTAGE_S = 60


@pytest.fixture(name="stack", scope="module")
def fixture_stack(cluster, images, prometheus, tmp_path_factory):
    """A deployed MLflow whose faults the tests below cause, one after the other."""
    settings = settings_for(tmp_path_factory.mktemp("operator"), images, prometheus)
    # MLflow caches decisions of the API server for five minutes, longer than any cell here: a fault would have no effect.
    settings["mlflow_server_env"] = {"MLFLOW_K8S_AUTH_CACHE_TTL_SECONDS": "5"}
    suite = ClusterSuite(tmp_path_factory.mktemp("cluster-faults"), settings)
    yield suite
    suite.play("teardown", {"teardown_all": True})


def reasons(record):
    return " ".join(record["verdict"]["reasons"])


def test_a_killed_mlflow_invalidates_the_cell_with_the_reason(stack, cluster):
    playing = stack.start("full_suite", {**ONE, "run_id": "mlflow-killed"})
    stack.wait_for_load("mlflow-killed", CELL)
    [pod] = [item for item in cluster.items(f"{NAMESPACE}/pods", selector="app=mlflow") if item["status"]["phase"] == "Running"]
    cluster.request("DELETE", f"{NAMESPACE}/pods/{pod['metadata']['name']}", {"gracePeriodSeconds": 0})
    assert playing.wait(timeout=300) != 0
    cell = stack.cell(CELL, "mlflow-killed")
    assert cell["verdict"]["status"] == "invalid"
    assert "MLflow ended or restarted inside the window" in reasons(cell)
    assert cell["total"]["failed"] > 0
    assert cell["attempts"][-1]["n"] == 1
    assert re.search(r"Pod opendatahub/mlflow-\S+ of mlflow created at ", " ".join(cell["notes"]["disturbances"]))
    assert "Traceback" not in stack.output()


@pytest.fixture(name="bound_token")
def fixture_bound_token(cluster):
    """A token of another account that may use every tenant, and what ends it: the Secret that it is bound to."""
    cluster.request("POST", f"{NAMESPACE}/serviceaccounts", {"metadata": {"name": "own"}})
    secret = cluster.request("POST", f"{NAMESPACE}/secrets", {"metadata": {"name": "bound"}})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": INTEGRATION}
    subject = {"kind": "ServiceAccount", "name": "own", "namespace": "opendatahub"}
    cluster.request("POST", BINDINGS, {"metadata": {"name": "own"}, "roleRef": role, "subjects": [subject]})
    yield request_token(cluster, "opendatahub", "own", 3600, {"name": "bound", "uid": secret["metadata"]["uid"]}).text
    for path in (f"{BINDINGS}/own", f"{NAMESPACE}/serviceaccounts/own"):
        cluster.request("DELETE", path)


def test_a_token_that_ends_in_a_cell_is_counted_by_status(stack, cluster, bound_token):
    playing = stack.start("full_suite", {**ONE, "run_id": "expired"}, env={"MLFLOW_TOKEN": bound_token})
    stack.wait_for_load("expired", CELL)
    cluster.request("DELETE", f"{NAMESPACE}/secrets/bound")
    assert playing.wait(timeout=300) != 0
    cell = stack.cell(CELL, "expired")
    assert cell["total"]["failed_by"].get("http_401", 0) > 10
    # Users whose requests fail wait, so that only a few of all requests failed.
    assert cell["verdict"]["status"] == "invalid"
    assert "outage_share" in reasons(cell)
    assert bound_token.split(".")[2] not in stack.output()


def test_a_prometheus_that_is_down_is_reported_before_anything_is_created(stack):
    rejected = stack.play("full_suite", {**ONE, "run_id": "blind", "monitoring_prometheus_url": "https://10.200.0.1:9"})
    assert rejected.returncode != 0
    assert "Prometheus" in rejected.stdout
    assert "10.200.0.1:9" in rejected.stdout
    assert "Traceback" not in rejected.stdout
    assert not (stack.results / "blind" / "target.json").exists()


def test_an_api_server_that_is_gone_for_a_minute_costs_no_sample(stack, node):
    """The load and its files are not affected; requests that MLflow cannot authorize meanwhile are counted by status, and the verdict follows from them.

    After all others that need a pod: the kubelet asks again only after up to a minute, and until then none starts.
    """
    playing = stack.start("full_suite", {**ONE, "run_id": "outage", "test_matrix_duration": "75s"})
    stack.wait_for_load("outage", CELL)
    with faults.api_server_down(node):
        time.sleep(OUTAGE_S)
    playing.wait(timeout=300)
    cell = stack.cell(CELL, "outage")
    assert "not reachable, which the load does not need" in stack.output()
    assert [entry["n"] for entry in cell["attempts"]] == [1]
    assert cell["window"]["end"] - cell["window"]["start"] == pytest.approx(75, abs=0.5)
    assert cell["notes"]["partial"] is None
    assert cell["total"]["n"] > 500
    assert cell["total"]["failed"] == sum(cell["total"]["failed_by"].values()) > 0
    # What happened around the window is evidence.
    assert "load generator not reachable for " in " ".join(cell["notes"]["disturbances"])
    assert "disturbances: " in " ".join(cell["verdict"]["warnings"])
    assert "failed_by" in reasons(cell) + " ".join(cell["verdict"]["warnings"])


def test_a_teardown_of_all_runs_removes_ours_and_nothing_else(stack, cluster, images):
    """Run last, over what the runs above left. Alone, since it would take the tenants of other tests as well."""
    assert cluster.items("/api/v1/namespaces", selector=MANAGED)
    pod = {"metadata": {"name": "colleague"}, "spec": {"containers": [{"name": "main", "image": images["busybox"], "command": ["sleep", "600"]}]}}
    unmanaged = [cluster.request("POST", f"{NAMESPACE}/pods", pod), cluster.request("POST", f"{NAMESPACE}/secrets", {"metadata": {"name": "colleague"}})]
    paths = [f"{NAMESPACE}/{plural}/colleague" for plural in ("pods", "secrets")]
    kept = stack.play("teardown", {"teardown_all": True})
    assert kept.returncode != 0
    text = " ".join(kept.stdout.split())
    assert "Namespace opendatahub holds unmanaged objects: Pod colleague, Secret colleague." in text
    assert [cluster.request("GET", path)["metadata"]["uid"] for path in paths] == [found["metadata"]["uid"] for found in unmanaged]
    assert [item["metadata"]["name"] for item in cluster.items("/api/v1/namespaces", selector=MANAGED)] == ["opendatahub"]
    for path in paths:
        cluster.request("DELETE", path, {"gracePeriodSeconds": 0})
    with nothing_left(cluster, MANAGED):
        assert stack.play("teardown", {"teardown_all": True}).returncode == 0
    assert cluster.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mlflows.mlflow.opendatahub.io") is None
