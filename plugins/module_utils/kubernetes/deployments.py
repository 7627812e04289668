# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Deployment: whether its newest change is rolled out, and what prevents its pods from running."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership, pods
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.readiness import Outcome, Readiness, wait

POLL_S = 1.0
# Kubernetes' recommended label (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/), and that of OLM.
VERSION_LABEL, OLM_OWNER = "app.kubernetes.io/version", "olm.owner"
# Tags such as latest, main or a commit name no version; some have the name of the program before it (controller-v1.6.0).
_VERSION_TAG = re.compile(r"(?:[a-z]+-)*(v?\d+(?:\.\d+)+\S*)")


@dataclass(frozen=True)
class State:
    """The observed Deployment (None where absent), its pods, and the PersistentVolumeClaims that they use."""

    name: str
    deployment: dict[str, Any] | None
    pods: list[dict[str, Any]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)


def read(cluster: Cluster, namespace: str, name: str) -> State:
    """Return the current state of a Deployment. Raises ClusterError."""
    deployment = cluster.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
    if deployment is None:
        return State(name, None)
    core = f"/api/v1/namespaces/{namespace}"
    labels = deployment["spec"]["selector"].get("matchLabels") or {}
    volumes = deployment["spec"]["template"]["spec"].get("volumes") or []
    names = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]
    claims = [cluster.get(f"{core}/persistentvolumeclaims/{claim}") for claim in names]
    return State(name, deployment, _pods(cluster, f"{core}/pods", labels), [claim for claim in claims if claim])


def _pods(cluster: Cluster, path: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the pods with these labels; none where they may not be listed, as of an operator that is only used: they serve the diagnosis."""
    try:
        return cluster.items(path, ",".join(f"{key}={value}" for key, value in labels.items()))
    except ClusterError as error:
        if error.status != 403:
            raise
        return []


def rollout_problems(name: str, deployment: Mapping[str, Any] | None) -> list[str]:
    """Return what is missing until the newest change of a Deployment is rolled out; nothing when it is."""
    if deployment is None:
        return [f"Deployment {name}: does not exist"]
    replicas, status = deployment["spec"].get("replicas", 1), deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return [f"Deployment {name}: its change is not observed yet"]
    counts = {key: status.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "availableReplicas", "replicas")}
    if any(count != replicas for count in counts.values()):
        return [f"Deployment {name}: {counts['readyReplicas']} of {replicas} replicas ready, {counts['updatedReplicas']} updated, {counts['replicas']} present"]
    return []


def check_readiness(state: State) -> Readiness:
    """Return whether a Deployment is rolled out; a container that cannot start is a doubt."""
    waiting = rollout_problems(state.name, state.deployment)
    if not waiting:
        return Readiness()
    return Readiness(waiting_for=waiting + placement_problems(state.pods, state.claims), doubts=[text for text in map(pods.start_failure, state.pods) if text])


def placement_problems(found: list[dict[str, Any]], claims: list[dict[str, Any]]) -> list[str]:
    """Return why pods have no node or no volume (yet)."""
    phases = {claim["metadata"]["name"]: (claim.get("status") or {}).get("phase", "Pending") for claim in claims}
    unbound = [f"PersistentVolumeClaim {name}: {phase}" for name, phase in phases.items() if phase != "Bound"]
    return [text for text in map(pods.scheduling_failure, found) if text] + unbound


def wait_ready(cluster: Cluster, namespace: str, name: str, timeout_s: float, patience_s: float) -> tuple[State | None, Outcome]:
    """Wait until a Deployment is rolled out, a container cannot start for `patience_s`, or time is up; a limit of 0 checks once.

    Raises ClusterError when the API server denies a request.
    """
    return wait(lambda: read(cluster, namespace, name), check_readiness, timeout_s, pause_s=POLL_S, patience=patience(patience_s))


def patience(seconds: float) -> int:
    """Return in how many consecutive observations a doubt may show."""
    return max(1, round(seconds / POLL_S))


def outcome_facts(outcome: Outcome) -> dict[str, Any]:
    """Return {ready, ended, seconds, reasons} of a wait, as modules return it."""
    readiness = outcome.readiness
    return {"ready": readiness.ready, "ended": outcome.ended, "seconds": round(outcome.seconds, 1), "reasons": readiness.reasons}


def warnings_about(cluster: Cluster, namespace: str, names: list[str]) -> list[str]:
    """Return the newest warnings of the cluster about objects with these names."""
    try:
        return pods.warnings_about(cluster.items(f"/api/v1/namespaces/{namespace}/events"), names)
    except ClusterError as error:
        return [f"no events: {error}"]


def diagnose(cluster: Cluster, namespace: str, state: State | None) -> list[str]:
    """Return warnings about a Deployment, its pods and claims, and about the owners of its pods."""
    if state is None or state.deployment is None:
        return []
    owners = {owner["name"] for pod in state.pods for owner in pod["metadata"].get("ownerReferences") or []}
    objects = [entry["metadata"]["name"] for entry in [*state.pods, *state.claims]]
    return warnings_about(cluster, namespace, [state.name, *objects, *sorted(owners)])


def declared_version(deployment: Mapping[str, Any], image: str | None) -> dict[str, str | None]:
    """Return {version, source} of what runs in a container of a Deployment; where nothing declares it, `version` is null and `source` the reason.

    Sources, in this order: the label of Deployment or pods, the ClusterServiceVersion by which OLM installed it (named PACKAGE.vVERSION), the image's tag.
    """
    labels = {**(deployment["spec"]["template"].get("metadata") or {}).get("labels", {}), **(deployment["metadata"].get("labels") or {})}
    csv = labels.get(OLM_OWNER, "")
    tag = (image or "").partition("@")[0].rpartition("/")[2].partition(":")[2]
    if labels.get(VERSION_LABEL):
        return {"version": labels[VERSION_LABEL], "source": f"label {VERSION_LABEL}"}
    if ".v" in csv:
        return {"version": csv.partition(".v")[2], "source": f"ClusterServiceVersion {csv}"}
    tagged = _VERSION_TAG.fullmatch(tag)
    if tagged:
        return {"version": tagged[1], "source": "image tag"}
    return {"version": None, "source": f"not declared: no label {VERSION_LABEL}, not installed by OLM, image tag {tag or 'absent'}"}


def facts(state: State | None) -> dict[str, Any]:
    """Return what roles need to know of a Deployment; null where there is none."""
    deployment = (state.deployment if state else None) or {}
    containers = deployment["spec"]["template"]["spec"]["containers"] if deployment else []
    found = state.pods if state else []
    images = {entry["name"]: entry.get("image") for entry in containers}
    return {
        "exists": bool(deployment),
        "owned": ownership.is_ours(deployment),
        "run_id": ownership.run_id(deployment),
        "images": images,
        "versions": {name: declared_version(deployment, image) for name, image in images.items()},
        "pods": sorted(pod["metadata"]["name"] for pod in found),
        "nodes": sorted({pod["spec"]["nodeName"] for pod in found if (pod.get("spec") or {}).get("nodeName")}),
    }
