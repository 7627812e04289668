# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster has room for the runners of the k6-operator: quotas, nodes, and network policies that would cut them off. Nothing is changed.

A runner that cannot be created would leave its TestRun waiting for ever. Fields:
https://kubernetes.io/docs/concepts/policy/resource-quotas/, https://kubernetes.io/docs/concepts/services-networking/network-policies/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import quantity

# k6's control API in each runner, which the operator waits for and its starter calls.
PORT = 6565
# Initializer and starter run beside the runners; each is a pod of a Job.
_OTHER_PODS = 2
_RUNNER_LABELS = {"app": "k6", "runner": "true"}
_NAMESPACE_NAME = "kubernetes.io/metadata.name"


def runner_problems(cluster: Cluster, runners: Mapping[str, Any], **options: Any) -> list[str]:
    """Return what would keep the runners from being created, placed or reached.

    `runners` has namespace, operator_namespace, shards, spread, resources and node_selector; `options` go to each request. Raises ClusterError.
    """
    return [*_quota_problems(cluster, runners, options), *_node_problems(cluster, runners, options), *_policy_problems(cluster, runners, options)]


def _quota_problems(cluster: Cluster, runners: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    wanted = _wanted(runners)
    found = cluster.items(f"/api/v1/namespaces/{runners['namespace']}/resourcequotas", options=options)
    problems = []
    for quota in found:
        status = quota.get("status") or {}
        for name, hard in (status.get("hard") or {}).items():
            key = name.removeprefix("requests.") if name in ("requests.cpu", "requests.memory") else name
            free = (quantity(hard) or 0.0) - (quantity((status.get("used") or {}).get(name)) or 0.0)
            if wanted.get(key, 0.0) > free:
                problems.append(_quota_problem(f"{runners['namespace']}/{quota['metadata']['name']}", name, free, runners["shards"], wanted[key]))
    return problems


def _quota_problem(quota: str, name: str, free: float, shards: int, wanted: float) -> str:
    return (
        f"ResourceQuota {quota}: {free:g} left of {name}, and {shards} runners need {wanted:g} of it. "
        "Raise it, or take fewer or smaller runners (k6_runner_shards, k6_runner_pod_resources)."
    )


def _wanted(runners: Mapping[str, Any]) -> dict[str, float]:
    """Return what all runners together take of a quota, by the names that quotas use."""
    resources, shards = runners["resources"], runners["shards"]
    limits = resources.get("limits") or {}
    requests = {**limits, **(resources.get("requests") or {})}
    wanted = {name: (quantity(requests.get(name)) or 0.0) * shards for name in ("cpu", "memory")}
    wanted |= {f"limits.{name}": (quantity(limits.get(name)) or 0.0) * shards for name in ("cpu", "memory")}
    pods = float(shards + _OTHER_PODS)
    return {**wanted, "pods": pods, "count/pods": pods, "count/jobs.batch": pods, "services": float(shards), "count/services": float(shards)}


def _node_problems(cluster: Cluster, runners: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Return whether empty nodes could hold the runners at all; who else runs on them is the scheduler's business."""
    selector = ",".join(f"{key}={value}" for key, value in runners["node_selector"].items())
    try:
        nodes = cluster.items("/api/v1/nodes", selector, options=options)
    except ClusterError as error:
        if error.status == 403:  # the part `nodes` of the permissions is optional
            return []
        raise
    nodes = [node for node in nodes if not (node.get("spec") or {}).get("unschedulable")]
    shards, one = runners["shards"], _wanted({**runners, "shards": 1})
    fit = [_fitting(node, one) for node in nodes]
    if runners["spread"] == "separate":
        fit = [min(1, count) for count in fit]
    if sum(fit) >= shards:
        return []
    each = f"{one['cpu']:g} cores and {one['memory'] / (1 << 30):g} GiB"
    how = ", one on each (k6_runner_spread=separate)" if runners["spread"] == "separate" else ""
    return [
        f"Nodes: room for {sum(fit)} of {shards} runners of {each}{how}, on {len(nodes)} nodes were they empty. "
        "Add nodes, or take fewer or smaller runners (k6_runner_shards, k6_runner_pod_resources)."
    ]


def _fitting(node: Mapping[str, Any], one: Mapping[str, float]) -> int:
    """Return how many runners fit on an empty node."""
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    counts = [int((quantity(allocatable.get(name)) or 0.0) // one[name]) for name in ("cpu", "memory") if one[name]]
    return min([*counts, int(quantity(allocatable.get("pods")) or 110)])


def _policy_problems(cluster: Cluster, runners: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Return the network policies that select runners when none of them lets the operator in."""
    found = cluster.items(f"/apis/networking.k8s.io/v1/namespaces/{runners['namespace']}/networkpolicies", options=options)
    selecting = [policy["metadata"]["name"] for policy in found if _restricts(policy["spec"])]
    if not selecting or any(_admits(policy["spec"], runners) for policy in found if _restricts(policy["spec"])):
        return []
    return [
        f"NetworkPolicy {', '.join(selecting)} in {runners['namespace']}: selects runners and admits nothing from namespace {runners['operator_namespace']} "
        f"to port {PORT}, where the k6-operator waits for them. Admit it, and the pods of this namespace with the label app=k6."
    ]


def _restricts(spec: Mapping[str, Any]) -> bool:
    """Return whether a policy is about what comes in to runners; an expression is taken to match."""
    selector = (spec.get("podSelector") or {}).get("matchLabels") or {}
    is_about = all(_RUNNER_LABELS.get(key, value if key == "k6_cr" else None) == value for key, value in selector.items())
    return is_about and "Ingress" in (spec.get("policyTypes") or ["Ingress"])


def _admits(spec: Mapping[str, Any], runners: Mapping[str, Any]) -> bool:
    return any(_has_port(rule) and _has_peer(rule, runners) for rule in spec.get("ingress") or [])


def _has_port(rule: Mapping[str, Any]) -> bool:
    ports = [entry.get("port") for entry in rule.get("ports") or []]
    # A named port may be the one.
    return not ports or any(port in (PORT, None) or isinstance(port, str) for port in ports)


def _has_peer(rule: Mapping[str, Any], runners: Mapping[str, Any]) -> bool:
    """Return whether a rule may admit the operator; labels of its namespace other than its name are taken to match."""
    peers = rule.get("from") or []
    if not peers:
        return True
    for peer in peers:
        if "ipBlock" in peer:
            return True
        is_same = "namespaceSelector" not in peer and runners["namespace"] == runners["operator_namespace"]
        labels = (peer.get("namespaceSelector") or {}).get("matchLabels") or {}
        is_of_name = "namespaceSelector" in peer and labels.get(_NAMESPACE_NAME, runners["operator_namespace"]) == runners["operator_namespace"]
        if is_same or is_of_name:
            return True
    return False
