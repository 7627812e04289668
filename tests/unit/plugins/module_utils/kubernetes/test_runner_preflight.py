# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.runner_preflight import runner_problems

RUNNERS = {
    "namespace": "bench",
    "operator_namespace": "k6-operator-system",
    "shards": 4,
    "spread": "even",
    "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    "node_selector": {},
}
OPERATOR = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "k6-operator-system"}}}


def problems_of(cluster, **changes):
    return runner_problems(cluster, {**RUNNERS, **changes})


def put_node(server, name="a", cpu="4", memory="16Gi", labels=None, **spec):
    server.put(f"/api/v1/nodes/{name}", labels, spec=spec, status={"allocatable": {"cpu": cpu, "memory": memory, "pods": "110"}})


def put_quota(server, hard, used):
    server.put("/api/v1/namespaces/bench/resourcequotas/q", status={"hard": hard, "used": used})


def put_policy(server, **spec):
    server.put("/apis/networking.k8s.io/v1/namespaces/bench/networkpolicies/p", spec={"podSelector": {}, **spec})


def test_an_empty_cluster_with_room_has_no_problems(server, cluster):
    put_node(server)
    assert problems_of(cluster) == []


@pytest.mark.parametrize(
    ("hard", "used", "sentence"),
    [
        pytest.param({"requests.cpu": "4"}, {"requests.cpu": "2500m"}, "1.5 left of requests.cpu, and 4 runners need 2", id="requests"),
        pytest.param({"cpu": "1"}, {}, "1 left of cpu, and 4 runners need 2", id="cpu-is-a-request"),
        pytest.param({"limits.cpu": "3"}, {}, "3 left of limits.cpu, and 4 runners need 4", id="limits"),
        pytest.param({"pods": "10"}, {"pods": "5"}, "5 left of pods, and 4 runners need 6", id="pods"),
    ],
)
def test_a_quota_without_room_is_named(server, cluster, hard, used, sentence):
    put_node(server)
    put_quota(server, hard, used)
    [problem] = problems_of(cluster)
    assert problem.startswith(f"ResourceQuota bench/q: {sentence}")


def test_a_quota_with_room_or_of_something_else_is_none(server, cluster):
    put_node(server)
    put_quota(server, {"requests.cpu": "2", "configmaps": "1"}, {"configmaps": "1"})
    assert problems_of(cluster) == []


@pytest.mark.parametrize(
    ("nodes", "changes", "room"),
    [
        pytest.param([("a", {"cpu": "1500m"})], {}, "room for 3 of 4", id="cores"),
        pytest.param([("a", {"memory": "2Gi"})], {}, "room for 2 of 4", id="memory"),
        pytest.param([("a", {}), ("b", {})], {"spread": "separate"}, "room for 2 of 4", id="separate"),
        pytest.param([("a", {})], {"node_selector": {"load": "yes"}}, "room for 0 of 4", id="no-such-node"),
        pytest.param([("a", {"unschedulable": True})], {}, "room for 0 of 4", id="cordoned"),
    ],
)
def test_nodes_without_room_are_named(server, cluster, nodes, changes, room):
    for name, node in nodes:
        put_node(server, name, **node)
    [problem] = problems_of(cluster, **changes)
    assert room in problem


def test_without_permission_to_list_nodes_they_are_not_checked(server, cluster):
    server.answers[("GET", "/api/v1/nodes")] = [(403, {"message": "forbidden"})]
    assert problems_of(cluster) == []


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"ingress": []}, id="all-denied"),
        pytest.param({"podSelector": {"matchLabels": {"runner": "true"}}, "ingress": []}, id="runners-denied"),
        pytest.param({"ingress": [{"ports": [{"port": 80}]}]}, id="another-port"),
        pytest.param({"ingress": [{"from": [{"podSelector": {}}]}]}, id="own-namespace-only"),
        pytest.param({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "x"}}}]}]}, id="another-namespace"),
    ],
)
def test_a_policy_that_cuts_runners_off_is_named(server, cluster, spec):
    put_node(server)
    put_policy(server, **spec)
    [problem] = problems_of(cluster)
    assert problem.startswith("NetworkPolicy p in bench: selects runners and admits nothing from namespace k6-operator-system to port 6565")


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"podSelector": {"matchLabels": {"app": "mlflow"}}, "ingress": []}, id="of-other-pods"),
        pytest.param({"policyTypes": ["Egress"]}, id="egress"),
        pytest.param({"ingress": [{}]}, id="all-admitted"),
        pytest.param({"ingress": [{"ports": [{"port": 6565}], "from": [OPERATOR]}]}, id="operator-admitted"),
        pytest.param({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}, id="addresses"),
    ],
)
def test_a_policy_that_admits_the_operator_is_none(server, cluster, spec):
    put_node(server)
    put_policy(server, **spec)
    assert problems_of(cluster) == []
