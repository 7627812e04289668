# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several objects at once: applied in the order of their dependencies, deleted in reverse order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import in_order, merge, object_name
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.namespace_contents import kept_namespaces
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import CRD, Objects


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
) -> dict[str, list[Any]]:
    """Return {changed, unchanged, unmanaged, remaining} after everything named, and all that is ours of `kinds`, is gone or time is up.

    With a run id in `objects` only the objects of that run are deleted. A CRD that still has objects remains, and so does a namespace with contents
    that are not ours. `wait_gone` names what the garbage collector or a controller deletes in consequence. Raises ClusterError.
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
    kept = kept_namespaces(objects.cluster, [entry["metadata"]["name"] for entry in found if entry["kind"] == "Namespace"], run_id)
    removed = []
    for manifest in found:
        if manifest["kind"] == "Namespace" and manifest["metadata"]["name"] in kept:
            done["remaining"].append({"object": object_name(manifest), "why": kept[manifest["metadata"]["name"]].why})
            continue
        used = objects.instances(manifest) if manifest["kind"] == CRD else 0
        if used:
            done["remaining"].append({"object": object_name(manifest), "why": f"{used} objects of this kind still exist, which would be deleted with it"})
            continue
        done["changed"].append(object_name(manifest))
        removed.append(manifest)
        if not dry_run:
            objects.delete(manifest)
    if not dry_run:
        dependents = [_complete(objects, manifest, namespace, {}) for manifest in wait_gone if objects.serves(manifest["apiVersion"], manifest["kind"])]
        done["remaining"] += objects.wait_gone(removed + dependents)
    return done
