# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small pod that mounts a volume of a cluster, so that files can be put on it and read from it; and the claim of that volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_lifecycle
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership, readiness
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import Container
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import CONTAINER_SECURITY_CONTEXT, POD_SECURITY_CONTEXT, check_running

CONTAINER, MOUNT = "volume", "/volume"
# A pod that nobody removes ends by itself; the next publication makes another one.
LIFE_S = 3600
# Tells whose a claim is, and is not the label by which teardown finds what it deletes: results stay.
KEPT = {"app.kubernetes.io/part-of": ownership.OURS}


def pod_name(claim: str) -> str:
    """Returns the name of the pod that mounts a claim."""
    return f"perfscale-volume-{claim}"[:63].rstrip("-.")


def pod(namespace: str, claim: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the pod; it follows the restricted security standard and takes any user id. `settings`: image and how to pull it, run_as_user, fs_group."""
    identity = {key: int(settings[name]) for key, name in (("runAsUser", "run_as_user"), ("fsGroup", "fs_group")) if settings.get(name)}
    secrets = [{"name": name} for name in settings.get("image_pull_secrets") or []]
    container = {
        "name": CONTAINER,
        "image": settings["image"],
        "imagePullPolicy": settings.get("image_pull_policy") or "IfNotPresent",
        "command": ["sleep", str(LIFE_S)],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
        "securityContext": CONTAINER_SECURITY_CONTEXT,
        "volumeMounts": [{"name": "results", "mountPath": MOUNT}],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {**POD_SECURITY_CONTEXT, **identity},
        "containers": [container],
        "volumes": [{"name": "results", "persistentVolumeClaim": {"claimName": claim}}],
        **({"imagePullSecrets": secrets} if secrets else {}),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod_name(claim), "namespace": namespace}, "spec": spec}


def ensure_claim(cluster: Cluster, namespace: str, claim: str, size: str, storage_class: str, create: bool) -> None:
    """Makes sure that a claim is there. Raises ClusterError when it is not and may not be made."""
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    if cluster.get(f"{path}/{claim}") is not None:
        return
    if not create:
        raise ClusterError(f"PersistentVolumeClaim {namespace}/{claim}: does not exist. Make it, or set create: true.", 404, "NotFound")
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class:
        spec["storageClassName"] = storage_class
    cluster.request("POST", path, {"metadata": {"name": claim, "labels": KEPT}, "spec": spec})


def present(cluster: Cluster, run_id: str, manifest: dict[str, Any], timeout_s: float) -> Container:
    """Returns the container in the pod when it runs; one that has ended, or is going, is replaced. Raises ClusterError."""
    objects = Objects(cluster, run_id, timeout_s)
    metadata = manifest["metadata"]
    found = pod_lifecycle.get_pod(cluster, metadata["namespace"], metadata["name"])
    if found is not None and ownership.is_ours(found) and _is_over(found):
        _remove(objects, found)
        found = None
    if found is None or not ownership.is_ours(found):
        # The name in the hands of somebody else is refused there.
        pod_lifecycle.create_pod(objects, manifest, dry_run=False)
    return _await(cluster, metadata, timeout_s)


def absent(cluster: Cluster, namespace: str, claim: str, timeout_s: float) -> None:
    """Removes the pod where it is ours, and waits until it is gone, since a volume may be mounted by one at a time. Raises ClusterError."""
    found = pod_lifecycle.get_pod(cluster, namespace, pod_name(claim))
    if found is not None and ownership.is_ours(found):
        _remove(Objects(cluster, timeout_s=timeout_s), found)


def _is_over(found: Mapping[str, Any]) -> bool:
    return bool(found["metadata"].get("deletionTimestamp")) or (found.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def _remove(objects: Objects, found: dict[str, Any]) -> None:
    manifest = {**found, "apiVersion": "v1", "kind": "Pod"}
    objects.delete(manifest)
    for stays in objects.wait_gone([manifest]):
        raise ClusterError(f"{stays['object']}: is still there after {objects.timeout_s:g} s ({stays['why']}). Remove it, then publish again.")


def _await(cluster: Cluster, metadata: Mapping[str, Any], timeout_s: float) -> Container:
    where = f"{metadata['namespace']}/{metadata['name']}"

    def look() -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        found = pod_lifecycle.get_pod(cluster, metadata["namespace"], metadata["name"])
        return found, pod_lifecycle.pod_events(cluster, found) if found and (found.get("status") or {}).get("phase") == "Pending" else []

    _seen, outcome = readiness.wait(look, lambda seen: check_running(seen[0], CONTAINER, seen[1]), timeout_s, pause_s=0.5, patience=20)
    if outcome.ended != "ready":
        said = "; ".join(outcome.readiness.reasons)
        raise ClusterError(
            f"Pod {where}: did not start within {outcome.seconds:.0f} s ({said}). Correct the claim, its storage class, or the image (publish_pod_image)."
        )
    return Container(metadata["namespace"], metadata["name"], CONTAINER)
