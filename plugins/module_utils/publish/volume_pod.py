# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small pod that mounts a volume of a cluster, so that files can be put on it and read from it; and its PersistentVolumeClaim."""

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
# A pod that is left over ends by itself; the next publication creates another one.
LIFE_S = 3600
# Says who created a PVC, and is not the label by which teardown finds what it deletes: results stay.
PVC_LABELS = {"app.kubernetes.io/part-of": ownership.OURS}


def pod_name(claim: str) -> str:
    """Return the name of the pod that mounts a PVC."""
    return f"perfscale-volume-{claim}"[:63].rstrip("-.")


def pod(namespace: str, claim: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pod; it follows the restricted security standard and takes any user id. `settings`: image and how to pull it, run_as_user, fs_group."""
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


def ensure_pvc(cluster: Cluster, namespace: str, claim: str, size: str, storage_class: str, create: bool) -> None:
    """Create a PVC unless it exists. Raises ClusterError when it is missing and may not be created."""
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    if cluster.get(f"{path}/{claim}") is not None:
        return
    if not create:
        raise ClusterError(f"PersistentVolumeClaim {namespace}/{claim}: does not exist. Create it, or set create: true.", 404, "NotFound")
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class:
        spec["storageClassName"] = storage_class
    cluster.request("POST", path, {"metadata": {"name": claim, "labels": PVC_LABELS}, "spec": spec})


def present(cluster: Cluster, run_id: str, manifest: dict[str, Any], timeout_s: float) -> Container:
    """Return the container in the running pod; a pod that has ended, or is being deleted, is replaced. Raises ClusterError."""
    objects = Objects(cluster, run_id, timeout_s)
    metadata = manifest["metadata"]
    found = pod_lifecycle.get_pod(cluster, metadata["namespace"], metadata["name"])
    if found is not None and ownership.is_ours(found) and _has_ended(found):
        _remove(objects, found)
        found = None
    if found is None or not ownership.is_ours(found):
        # An unmanaged pod of this name is an error there.
        pod_lifecycle.create_pod(objects, manifest, dry_run=False)
    return _await(cluster, metadata, timeout_s)


def absent(cluster: Cluster, namespace: str, claim: str, timeout_s: float) -> None:
    """Delete the pod if it is ours, and wait until it is gone, since a volume may be mounted by one at a time. Raises ClusterError."""
    found = pod_lifecycle.get_pod(cluster, namespace, pod_name(claim))
    if found is not None and ownership.is_ours(found):
        _remove(Objects(cluster, timeout_s=timeout_s), found)


def _has_ended(found: Mapping[str, Any]) -> bool:
    return bool(found["metadata"].get("deletionTimestamp")) or (found.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def _remove(objects: Objects, found: dict[str, Any]) -> None:
    manifest = {**found, "apiVersion": "v1", "kind": "Pod"}
    objects.delete(manifest)
    for stays in objects.wait_gone([manifest]):
        raise ClusterError(f"{stays['object']}: still exists after {objects.timeout_s:g} s ({stays['why']}). Delete it, then publish again.")


def _await(cluster: Cluster, metadata: Mapping[str, Any], timeout_s: float) -> Container:
    where = f"{metadata['namespace']}/{metadata['name']}"

    def observe() -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        found = pod_lifecycle.get_pod(cluster, metadata["namespace"], metadata["name"])
        return found, pod_lifecycle.pod_events(cluster, found) if found and (found.get("status") or {}).get("phase") == "Pending" else []

    _seen, outcome = readiness.wait(observe, lambda seen: check_running(seen[0], CONTAINER, seen[1]), timeout_s, pause_s=0.5, patience=20)
    if outcome.ended != "ready":
        problem = "; ".join(outcome.readiness.reasons)
        raise ClusterError(
            f"Pod {where}: did not start within {outcome.seconds:.0f} s ({problem}). Correct the PVC, its storage class, or the image (publish_pod_image)."
        )
    return Container(metadata["namespace"], metadata["name"], CONTAINER)
