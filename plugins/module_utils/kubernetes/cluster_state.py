# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a cluster that a measurement depends on: nodes, storage class, images, and what happened to nodes and pods during a load.

Fields: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/node-v1/ and workload-resources/pod-v1/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import quantity
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import container_statuses
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.preflight import IS_DEFAULT
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.readiness import conditions

Pods = dict[str, list[dict[str, Any]]]
"""The pods of each component."""


def fingerprint(cluster: Cluster, components: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return {kubernetes, nodes, storage_class, images} of a cluster; null is what may not be read.

    `components` are those of target.json. nodes: [{name, cpu_cores, memory_bytes, architecture, kubelet}] in the order of their names, of what pods may
    use; storage_class: the default one; images: the image ids (with the digest that was pulled) of each component's containers. Raises ClusterError.
    """
    nodes = _items(cluster, "/api/v1/nodes")
    classes = _items(cluster, "/apis/storage.k8s.io/v1/storageclasses")
    pods = component_pods(cluster, components)
    defaults = [item["metadata"]["name"] for item in classes or [] if (item["metadata"].get("annotations") or {}).get(IS_DEFAULT) == "true"]
    return {
        "kubernetes": cluster.request("GET", "/version").get("gitVersion"),
        "nodes": None if nodes is None else sorted((_node(node) for node in nodes), key=lambda node: str(node["name"])),
        "storage_class": defaults[0] if defaults else None,
        "images": {name: sorted({status["imageID"] for pod in found for status in container_statuses(pod) if status.get("imageID")})
                   for name, found in pods.items()},
    }


def disturbances(cluster: Cluster, components: Mapping[str, Mapping[str, str]], since: float) -> list[str]:
    """Return what happened from `since` (epoch seconds) on to the components' pods and their nodes, one phrase each. Raises ClusterError."""
    pods = component_pods(cluster, components)
    found = [phrase for name, members in pods.items() for pod in members for phrase in _pod_changes(name, pod, since)]
    used = {pod["spec"].get("nodeName") for members in pods.values() for pod in members}
    nodes = [node for node in _items(cluster, "/api/v1/nodes") or [] if node["metadata"]["name"] in used]
    return found + [phrase for node in nodes for phrase in _node_changes(node, since)]


def component_pods(cluster: Cluster, components: Mapping[str, Mapping[str, str]]) -> Pods:
    """Return the pods of each component, which has a `namespace` and a regular expression `pod`; none where they may not be listed."""
    namespaces = {selector["namespace"] for selector in components.values()}
    listed = {namespace: _items(cluster, f"/api/v1/namespaces/{namespace}/pods") or [] for namespace in sorted(namespaces)}
    return {
        name: [pod for pod in listed[selector["namespace"]] if re.fullmatch(selector.get("pod") or ".*", pod["metadata"]["name"])]
        for name, selector in components.items()
    }


def _items(cluster: Cluster, path: str) -> list[dict[str, Any]] | None:
    """Return all objects of a collection, or None where they may not be listed."""
    try:
        return cluster.items(path)
    except ClusterError as error:
        if error.status in (403, 404):
            return None
        raise


def _node(node: Mapping[str, Any]) -> dict[str, Any]:
    status = node.get("status") or {}
    info, usable = status.get("nodeInfo") or {}, status.get("allocatable") or {}
    memory = quantity(usable.get("memory"))
    return {
        "name": node["metadata"]["name"],
        "cpu_cores": quantity(usable.get("cpu")),
        "memory_bytes": None if memory is None else int(memory),
        "architecture": info.get("architecture"),
        "kubelet": info.get("kubeletVersion"),
    }


def _node_changes(node: Mapping[str, Any], since: float) -> list[str]:
    ready = next((entry for entry in conditions(node) if entry.get("type") == "Ready"), {})
    name, changed = node["metadata"]["name"], ready.get("lastTransitionTime") or ""
    if ready and ready.get("status") != "True":
        return [f"Node {name} not ready since {changed} ({ready.get('reason') or 'no reason given'})"]
    return [f"Node {name} not ready until {changed}"] if changed and _epoch(changed) >= since else []


def _pod_changes(component: str, pod: Mapping[str, Any], since: float) -> list[str]:
    metadata = pod["metadata"]
    name, created = f"Pod {metadata['namespace']}/{metadata['name']} of {component}", metadata.get("creationTimestamp") or ""
    changes = [f"{name} created at {created}"] if created and _epoch(created) >= since else []
    for status in container_statuses(pod):
        for state in (status.get("lastState") or {}, status.get("state") or {}):
            ended = state.get("terminated") or {}
            if ended.get("finishedAt") and _epoch(ended["finishedAt"]) >= since:
                details = f"{ended.get('reason') or 'no reason given'}, exit code {ended.get('exitCode')}"
                changes.append(f"{name}: container {status['name']} ended at {ended['finishedAt']} ({details})")
    return changes


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
