# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a cluster, created and deleted under the rule of ownership: an object without our label is changed only if the user allows it.

Objects are sent by server-side apply, so the fields that others set are preserved (https://kubernetes.io/docs/reference/using-api/server-side-apply/).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import MERGE_PATCH, Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import in_order, merge, object_name
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.namespace_contents import kept_namespaces

APPLY_PATCH = "application/apply-patch+yaml"
FIELD_MANAGER = ownership.OURS
CRD = "CustomResourceDefinition"
# What to do with an object that exists without our label.
UNMANAGED = ("fail", "adopt", "keep")
POLL_S = 0.25
# After a cleanup that failed once, the API server may not process a deleted CRD until its next resync (five minutes); a change triggers it.
TRIGGER_S = 15.0
TRIGGERED = f"{ownership.OURS}/waited-for"
# Set by the API server on every write, or by controllers: no difference to the manifest.
_VOLATILE = ("managedFields", "resourceVersion", "generation")


class User(NamedTuple):
    """What uses objects of ours: its name, and the run of ours that created it, or an empty text."""

    name: str
    run_id: str


class Objects:
    """The objects of one cluster: created, changed and deleted under the rule of ownership."""

    def __init__(self, cluster: Cluster, run_id: str = "", timeout_s: float = 60.0) -> None:
        """`run_id` labels what is created; `timeout_s` limits each wait."""
        self.cluster = cluster
        self.run_id = run_id
        self.timeout_s = timeout_s
        self._resources: dict[str, dict[str, dict[str, Any]]] = {}

    def collection(self, api_version: str, kind: str, namespace: str | None) -> str:
        """Return the path of all objects of a kind, in a namespace if the kind has them. Raises ClusterError when the API is not served."""
        resource = self._resource(api_version, kind)
        root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        if not resource["namespaced"]:
            return f"{root}/{resource['name']}"
        if not namespace:
            raise ClusterError(f"{kind}: missing namespace. Set metadata.namespace, or the option namespace.")
        return f"{root}/namespaces/{namespace}/{resource['name']}"

    def path(self, manifest: Mapping[str, Any]) -> str:
        """Return the path of one object. Raises ClusterError when its API is not served or its namespace is not given."""
        metadata = manifest["metadata"]
        return f"{self.collection(manifest['apiVersion'], manifest['kind'], metadata.get('namespace'))}/{metadata['name']}"

    def serves(self, api_version: str, kind: str) -> bool:
        """Return whether the cluster serves this kind. Raises ClusterError for other failures."""
        return kind in self._kinds(api_version)

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """Return whether a kind is namespaced; a kind that is not served (yet) is not."""
        return bool(self._kinds(api_version).get(kind, {}).get("namespaced"))

    def _kinds(self, api_version: str, fresh: bool = False) -> dict[str, dict[str, Any]]:
        if fresh or api_version not in self._resources:
            found = self.cluster.get(f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}") or {}
            self._resources[api_version] = {entry["kind"]: entry for entry in found.get("resources") or [] if "/" not in entry["name"]}
        return self._resources[api_version]

    def _resource(self, api_version: str, kind: str) -> dict[str, Any]:
        if not self.serves(api_version, kind):
            remedy = "Install its CRD, correct apiVersion and kind, or leave the kind out (skipped_kinds)."
            raise ClusterError(f"Kind {kind} ({api_version}): not served by the cluster. {remedy}", 404, "NotFound")
        return self._resources[api_version][kind]

    def present(self, manifest: Mapping[str, Any], unmanaged: str = "fail", dry_run: bool = False) -> dict[str, Any]:
        """Return {object, changed, created, owned} after one object is as specified.

        An object of an earlier run of ours is reused and keeps its labels. Raises ClusterError when it exists without our label and
        `unmanaged` is fail; adopt changes it without labelling it, so that teardown does not delete it; keep does not change it.
        """
        path = self.path(manifest)
        found = self.cluster.get(path)
        ours = found is None or ownership.is_ours(found)
        if not ours and unmanaged == "fail":
            raise ClusterError(
                f"{object_name(manifest)}: exists without the label {ownership.MANAGED_BY}={ownership.OURS}, so it is not managed by this collection. "
                "Delete it, choose another name, or allow its adoption."
            )
        if not ours and unmanaged == "keep":
            return {"object": found, "changed": False, "created": False, "owned": False}
        run_id = ownership.run_id(found) or self.run_id if found else self.run_id
        body = ownership.labelled(manifest, run_id) if ours else dict(manifest)
        query = {"fieldManager": FIELD_MANAGER, "force": "true", **({"dryRun": "All"} if dry_run else {})}
        response = self.cluster.request("PATCH", path, body=body, query=query, content_type=APPLY_PATCH)
        return {"object": response, "changed": found is None or _comparable(found) != _comparable(response), "created": found is None, "owned": ours}

    def wait_established(self, names: Iterable[str]) -> None:
        """Wait until CRDs are served. Raises ClusterError naming the one that is not, and its last condition."""
        deadline = time.monotonic() + self.timeout_s
        for name in names:
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
            while True:
                found = self.cluster.get(path) or {}
                conditions = {entry["type"]: entry for entry in (found.get("status") or {}).get("conditions") or []}
                if conditions.get("Established", {}).get("status") == "True" and self._are_served(found["spec"]):
                    break
                if time.monotonic() > deadline:
                    message = conditions.get("NamesAccepted", {}).get("message") or conditions.get("Established", {}).get("message") or "nothing yet"
                    raise ClusterError(f"{CRD} {name}: not established within {self.timeout_s:g} s (last seen: {message}). Check the API server.")
                time.sleep(POLL_S)

    def _are_served(self, spec: Mapping[str, Any]) -> bool:
        """Return whether discovery shows the kind, which comes after the condition; a request in between fails."""
        versions = [f"{spec['group']}/{version['name']}" for version in spec["versions"] if version.get("served")]
        return all(spec["names"]["kind"] in self._kinds(version, fresh=True) for version in versions)

    def ours(self, api_version: str, kind: str, namespace: str | None, run_id: str | None = None, selector: str = "") -> list[dict[str, Any]]:
        """Return our objects of a kind (of one run, if named); none where the cluster does not serve the kind."""
        if not self.serves(api_version, kind):
            return []
        wanted = ",".join(part for part in (ownership.selector(run_id), selector) if part)
        found = self.cluster.items(self.collection(api_version, kind, namespace), wanted)
        return [{**entry, "apiVersion": api_version, "kind": kind} for entry in found]

    def delete(self, manifest: Mapping[str, Any]) -> None:
        """Delete exactly the object that was read (its uid), dependents in the background. Raises ClusterError; one that is gone is fine."""
        uid = (manifest.get("metadata") or {}).get("uid")
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", **({"preconditions": {"uid": uid}} if uid else {})}
        try:
            self.cluster.request("DELETE", self.path(manifest), body=options)
        except ClusterError as error:
            if error.status != 404:
                raise

    def instances(self, crd: Mapping[str, Any]) -> int:
        """Return how many objects of a custom kind there are in the whole cluster."""
        spec = crd["spec"]
        version = next((version["name"] for version in spec["versions"] if version.get("served")), "")
        return len(self.cluster.items(f"/apis/{spec['group']}/{version}/{spec['names']['plural']}")) if version else 0

    def wait_gone(self, manifests: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
        """Wait until objects are gone; return {object, why} of those that remain when time is up."""
        left = {self.path(manifest): manifest for manifest in manifests}
        deadline = time.monotonic() + self.timeout_s
        trigger_at = time.monotonic() + TRIGGER_S
        why: dict[str, str] = {}
        while left:
            triggers = time.monotonic() > trigger_at
            if triggers:
                trigger_at = time.monotonic() + TRIGGER_S
            for path, manifest in list(left.items()):
                found = self.cluster.get(path)
                if found is None or found["metadata"].get("uid") != (manifest["metadata"].get("uid") or found["metadata"].get("uid")):
                    del left[path]
                    continue
                why[path] = deletion_blocker(found)
                if triggers and manifest["kind"] == CRD and found["metadata"].get("deletionTimestamp"):
                    self._trigger(path, found["metadata"]["uid"])
            if not left or time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
        return [{"object": object_name(manifest), "why": why[path]} for path, manifest in left.items()]

    def _trigger(self, path: str, uid: str) -> None:
        """Change an object that is being deleted, so that its controller processes it again; without permission it is waited for only."""
        body = {"metadata": {"uid": uid, "annotations": {TRIGGERED: f"{time.time():.0f}"}}}
        try:
            self.cluster.request("PATCH", path, body=body, content_type=MERGE_PATCH)
        except ClusterError as error:
            if error.status not in (403, 404, 409):
                raise


def deletion_blocker(manifest: Mapping[str, Any]) -> str:
    """Return why a deleted object is still there, as far as its metadata and conditions tell."""
    metadata = manifest["metadata"]
    if not metadata.get("deletionTimestamp"):
        return "is not being deleted"
    if metadata.get("finalizers"):
        return f"waits for its finalizers {', '.join(metadata['finalizers'])}"
    messages = [entry.get("message", "") for entry in (manifest.get("status") or {}).get("conditions") or [] if entry.get("status") == "True"]
    return "is being deleted" + (f" ({'; '.join(message for message in messages if message)})" if any(messages) else "")


def _comparable(manifest: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in _VOLATILE}
    return {**{key: value for key, value in manifest.items() if key != "status"}, "metadata": metadata}


def apply_all(
    objects: Objects,
    manifests: Iterable[dict[str, Any]],
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
    unmanaged: str = "fail",
    dry_run: bool = False,
) -> dict[str, list[Any]]:
    """Return {changed, unchanged, unmanaged, remaining} after every object is as specified; CRDs are served before the next kind is sent.

    `unmanaged` is as in Objects.present, except that an unmanaged namespace is always used as it is. Raises ClusterError.
    """
    done: dict[str, list[Any]] = {"changed": [], "unchanged": [], "unmanaged": [], "remaining": []}
    ordered = in_order(manifests)
    pending = [manifest["metadata"]["name"] for manifest in ordered if manifest["kind"] == CRD]
    for manifest in ordered:
        if pending and manifest["kind"] not in (CRD, "Namespace"):
            if not dry_run:
                objects.wait_established(pending)
            pending = []
        complete = _complete(objects, manifest, namespace, labels or {})
        if dry_run and _lacks_prerequisites(objects, complete):
            done["changed"].append(object_name(complete))
            continue
        found = objects.present(complete, "keep" if manifest["kind"] == "Namespace" else unmanaged, dry_run)
        done["changed" if found["changed"] else "unchanged"].append(object_name(complete))
        done["unmanaged"] += [] if found["owned"] else [object_name(complete)]
    if pending and not dry_run:
        objects.wait_established(pending)
    return done


def _complete(objects: Objects, manifest: dict[str, Any], namespace: str | None, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return a manifest with the common labels and, if it lacks one, the default namespace."""
    needs = namespace and not manifest["metadata"].get("namespace") and objects.is_namespaced(manifest["apiVersion"], manifest["kind"])
    complete: dict[str, Any] = merge(manifest, {"metadata": {"labels": dict(labels), **({"namespace": namespace} if needs else {})}})
    return complete


def _lacks_prerequisites(objects: Objects, manifest: Mapping[str, Any]) -> bool:
    """In check mode neither the definition of a kind nor the namespace need exist: an earlier task would have created them."""
    if not objects.serves(manifest["apiVersion"], manifest["kind"]):
        return True
    namespace = manifest["metadata"].get("namespace")
    return bool(namespace) and objects.cluster.get(f"/api/v1/namespaces/{namespace}") is None


def remove_all(
    objects: Objects,
    manifests: Iterable[dict[str, Any]] = (),
    namespace: str | None = None,
    kinds: Iterable[tuple[str, str, str | None]] = (),
    selector: str = "",
    wait_gone: Iterable[dict[str, Any]] = (),
    dry_run: bool = False,
    used_by: User | None = None,
    is_unit: bool = False,
) -> dict[str, list[Any]]:
    """Return {changed, unchanged, unmanaged, remaining} after everything named, and all that is ours of `kinds`, is gone or time is up.

    With a run id in `objects` only the objects of that run are deleted. A CRD that still has objects remains, and so does a namespace with contents
    that are not ours. What is `used_by` something remains as a whole. A unit (`is_unit`), such as an operator with its CRDs and permissions, remains
    as a whole if one of its CRDs does. `wait_gone` names what the garbage collector or a controller deletes in consequence. Entries of `remaining`
    are {object, why, run_id}, `run_id` being another run of ours that is the reason, or an empty text. Raises ClusterError.
    """
    done: dict[str, list[Any]] = {"changed": [], "unchanged": [], "unmanaged": [], "remaining": []}
    run_id = objects.run_id or None
    found: list[dict[str, Any]] = []
    for manifest in reversed(in_order(manifests)):
        complete = _complete(objects, manifest, namespace, {}) if objects.serves(manifest["apiVersion"], manifest["kind"]) else None
        existing = objects.cluster.get(objects.path(complete)) if complete else None
        if existing is None:
            done["unchanged"].append(object_name(manifest))
        elif not ownership.is_ours(existing) or (run_id and ownership.run_id(existing) != run_id):
            done["unmanaged"].append(object_name(manifest))
        else:
            found.append({**existing, "apiVersion": manifest["apiVersion"], "kind": manifest["kind"]})
    found += [entry for api_version, kind, where in kinds for entry in objects.ours(api_version, kind, where, run_id, selector)]
    remaining = _used(objects, found, run_id, used_by, is_unit)
    removed = []
    for manifest in found:
        name = object_name(manifest)
        if name in remaining:
            done["remaining"].append({"object": name, **remaining[name]})
            continue
        done["changed"].append(name)
        removed.append(manifest)
        if not dry_run:
            objects.delete(manifest)
    if not dry_run and not used_by:
        dependents = [_complete(objects, manifest, namespace, {}) for manifest in wait_gone if objects.serves(manifest["apiVersion"], manifest["kind"])]
        done["remaining"] += [{**entry, "run_id": ""} for entry in objects.wait_gone(removed + dependents)]
    return done


def _used(objects: Objects, found: list[dict[str, Any]], run_id: str | None, used_by: User | None, is_unit: bool) -> dict[str, dict[str, str]]:
    """Return {why, run_id} by name of those of our objects that cannot be deleted without harm to something else."""
    names = [object_name(manifest) for manifest in found]
    if used_by:
        return {name: {"why": f"is used by {used_by.name}", "run_id": used_by.run_id} for name in names}
    kept = kept_namespaces(objects.cluster, [entry["metadata"]["name"] for entry in found if entry["kind"] == "Namespace"], run_id)
    used = {
        f"Namespace {name}": {"why": contents.why, "run_id": contents.other_run if contents.is_only_of_other_runs else ""}
        for name, contents in kept.items()
    }
    for manifest in found:
        count = objects.instances(manifest) if manifest["kind"] == CRD else 0
        if count:
            why = f"{count} objects of this kind still exist, which would be deleted with it"
            used[object_name(manifest)] = {"why": why, "run_id": ""}
    definitions = [name for name in used if name.startswith(CRD)]
    if is_unit and definitions:
        used = {name: used.get(name) or {"why": f"serves objects of {definitions[0]}", "run_id": ""} for name in names}
    return used
