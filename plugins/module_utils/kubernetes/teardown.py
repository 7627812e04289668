# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teardown of a run on a cluster: all objects with its labels are deleted concurrently, and those that remain are reported with the reason."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import MERGE_PATCH, Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import object_name
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.namespace_contents import kept_namespaces
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import deletion_blocker
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import ADOPTED_BY, RBAC, SELECTOR, unselecting_patch

# Kinds that this collection creates: API root and plural. Controllers come before the objects that they create.
NAMESPACED = {
    "TestRun": ("/apis/k6.io/v1alpha1", "testruns"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "Job": ("/apis/batch/v1", "jobs"),
    "Pod": ("/api/v1", "pods"),
    "Service": ("/api/v1", "services"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Secret": ("/api/v1", "secrets"),
    "RoleBinding": (f"/apis/{RBAC}/v1", "rolebindings"),
    "Role": (f"/apis/{RBAC}/v1", "roles"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
}
CLUSTER_WIDE = {
    "ClusterRoleBinding": (f"/apis/{RBAC}/v1", "clusterrolebindings"),
    "ClusterRole": (f"/apis/{RBAC}/v1", "clusterroles"),
    "Namespace": ("/api/v1", "namespaces"),
}
KINDS = (*NAMESPACED, *CLUSTER_WIDE)
_POLL_S = 1.0


@dataclass(frozen=True)
class Collection:
    """The objects of one kind in one namespace, or in none."""

    kind: str
    namespace: str = ""

    @property
    def path(self) -> str:
        """The path of the collection."""
        root, plural = (NAMESPACED | CLUSTER_WIDE)[self.kind]
        return f"{root}/namespaces/{self.namespace}/{plural}" if self.namespace else f"{root}/{plural}"

    def ours(self, cluster: Cluster, run_id: str | None) -> list[dict[str, Any]]:
        """Return our objects in it, of one run if named."""
        try:
            found = cluster.items(self.path, ownership.selector(run_id))
        except ClusterError as error:
            if error.status == 404:
                return []
            raise
        return [{**item, "kind": self.kind} for item in found]


def tear_down(
    cluster: Cluster,
    run_id: str | None,
    namespaces: Iterable[str],
    kinds: Iterable[str] = KINDS,
    selector: Mapping[str, str] | None = None,
    parallelism: int = 16,
    timeout_s: float = 600.0,
    check_mode: bool = False,
    staying: Iterable[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """Delete the objects of a run (`run_id` None: of all runs), of `kinds`, in `namespaces` and outside of them, and wait until they are gone.

    A namespace of ours is deleted with all its contents, unless some are not ours: such a namespace is kept and reported with the reason, and only
    our objects in it are deleted. Adopted namespaces lose the `selector` label and our objects.
    `staying` are {object, why, run_id} of objects that were found to be in use: they are kept, with their namespaces, and reported; `run_id` is
    another run of ours that uses them, or an empty text.
    Returns {deleted {kind: [names]}, released [], remaining [{object, why}], others [{object, why}], seconds}; `remaining` are objects that exist
    after `timeout_s`, those that stay and namespaces with unmanaged objects, `others` what stays because of other runs.
    With `check_mode` nothing is changed and `deleted` is what would be. Raises ClusterError.
    """
    started = time.monotonic()
    selected = set(kinds)
    used = {entry["object"]: entry for entry in staying}
    everything = cluster.items("/api/v1/namespaces") if "Namespace" in selected else []
    adopted = [item["metadata"]["name"] for item in everything if _is_adopted(item, run_id)]
    created = [item for item in everything if ownership.is_ours(item) and run_id in (None, ownership.run_id(item))]
    runs = {name: entry.get("run_id") or "" for name, entry in used.items()}
    kept = kept_namespaces(cluster, [item["metadata"]["name"] for item in created], run_id, parallelism, runs)
    # The contents of a namespace are deleted with it.
    deleting = {item["metadata"]["name"] for item in created} - kept.keys()
    listed = [name for name in dict.fromkeys([*namespaces, *adopted, *kept]) if name not in deleting]
    collections = [Collection(kind, name) for kind in NAMESPACED if kind in selected for name in listed]
    collections += [Collection(kind) for kind in CLUSTER_WIDE if kind in selected]
    found = _list(cluster, collections, run_id, parallelism)
    spared = {f"Namespace {name}" for name in kept} | used.keys()
    found = {collection: [item for item in items if object_name(item) not in spared] for collection, items in found.items()}
    found = {collection: items for collection, items in found.items() if items}
    if not check_mode:
        release = unselecting_patch(selector or SELECTOR)
        in_parallel(lambda name: cluster.request("PATCH", f"/api/v1/namespaces/{name}", body=release, content_type=MERGE_PATCH), adopted, parallelism)
        pairs = [(collection, item) for collection, items in found.items() for item in items]
        in_parallel(lambda pair: _delete(cluster, *pair), pairs, parallelism)
    left = [] if check_mode else _wait(cluster, found, run_id, parallelism, started + timeout_s)
    deleted: dict[str, list[str]] = {kind: [] for kind in KINDS if kind in selected}
    for collection, items in found.items():
        deleted[collection.kind] += [_name(item) for item in items]
    others = _of_others(cluster, collections, run_id, parallelism) if run_id else []
    reasons = {name: {"object": f"Namespace {name}", "why": contents.why} for name, contents in kept.items()}
    stays = [({"object": entry["object"], "why": entry["why"]}, bool(entry.get("run_id"))) for entry in used.values()]
    stays += [(reasons[name], contents.is_only_of_other_runs) for name, contents in kept.items()]
    return {
        "deleted": deleted,
        "released": adopted,
        "remaining": [{"object": object_name(item), "why": deletion_blocker(item)} for item in left]
        + [reason for reason, is_of_other_run in stays if not is_of_other_run],
        "others": [{"object": object_name(item), "why": f"created by run {ownership.run_id(item)}"} for item in others]
        + [reason for reason, is_of_other_run in stays if is_of_other_run],
        "seconds": round(time.monotonic() - started, 3),
    }


def _is_adopted(namespace: Mapping[str, Any], run_id: str | None) -> bool:
    adopter = (namespace["metadata"].get("annotations") or {}).get(ADOPTED_BY)
    return adopter is not None and not ownership.is_ours(namespace) and run_id in (None, adopter)


def _list(cluster: Cluster, collections: list[Collection], run_id: str | None, parallelism: int) -> dict[Collection, list[dict[str, Any]]]:
    responses = in_parallel(lambda collection: collection.ours(cluster, run_id), collections, parallelism)
    return {collection: items for collection, items in zip(collections, responses, strict=True) if items}


def _of_others(cluster: Cluster, collections: list[Collection], run_id: str, parallelism: int) -> list[dict[str, Any]]:
    """Return our objects of other runs, except those in namespaces that are listed themselves."""
    items = [item for found in _list(cluster, collections, None, parallelism).values() for item in found if ownership.run_id(item) != run_id]
    inside = {item["metadata"]["name"] for item in items if item["kind"] == "Namespace"}
    return [item for item in items if item["metadata"].get("namespace") not in inside]


def _delete(cluster: Cluster, collection: Collection, item: Mapping[str, Any]) -> None:
    """Delete exactly the object that was read; another one of the same name is kept."""
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", "preconditions": {"uid": item["metadata"]["uid"]}}
    try:
        cluster.request("DELETE", f"{collection.path}/{item['metadata']['name']}", body=options)
    except ClusterError as error:
        if error.status not in (404, 409):
            raise


def _wait(cluster: Cluster, found: Mapping[Collection, list[dict[str, Any]]], run_id: str | None, parallelism: int, deadline: float) -> list[dict[str, Any]]:
    """Return those of the found objects that are still there when all are gone or the deadline (monotonic) passes."""
    uids = {item["metadata"]["uid"] for items in found.values() for item in items}
    collections = list(found)
    while collections:
        existing = _list(cluster, collections, run_id, parallelism)
        left = {collection: [item for item in items if item["metadata"]["uid"] in uids] for collection, items in existing.items()}
        collections = [collection for collection, items in left.items() if items]
        if collections and time.monotonic() >= deadline:
            return [item for items in left.values() for item in items]
        if collections:
            time.sleep(_POLL_S)
    return []


def _name(item: Mapping[str, Any]) -> str:
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]
