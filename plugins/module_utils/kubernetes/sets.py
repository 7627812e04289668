# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of objects: applied in the order in which a cluster can take them, removed in the opposite one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import describe, in_order, merge
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.namespace_contents import kept_namespaces
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import CRD, Objects


def apply_all(
    objects: Objects,
    manifests: Iterable[dict[str, Any]],
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
    foreign: str = "refuse",
    dry_run: bool = False,
) -> dict[str, list[Any]]:
    """Returns {changed, same, foreign, stays} after every object is as wanted; CRDs are served before the next kind is sent.

    `foreign` is as in Objects.present, except that a namespace which is not ours is always used as it is. Raises ClusterError.
    """
    done: dict[str, list[Any]] = {"changed": [], "same": [], "foreign": [], "stays": []}
    wanted = in_order(manifests)
    pending = [manifest["metadata"]["name"] for manifest in wanted if manifest["kind"] == CRD]
    for manifest in wanted:
        if pending and manifest["kind"] not in (CRD, "Namespace"):
            if not dry_run:
                objects.wait_established(pending)
            pending = []
        complete = _complete(objects, manifest, namespace, labels or {})
        if dry_run and _cannot_be_asked_yet(objects, complete):
            done["changed"].append(describe(complete))
            continue
        found = objects.present(complete, "keep" if manifest["kind"] == "Namespace" else foreign, dry_run)
        done["changed" if found["changed"] else "same"].append(describe(complete))
        done["foreign"] += [] if found["owned"] else [describe(complete)]
    if pending and not dry_run:
        objects.wait_established(pending)
    return done


def _complete(objects: Objects, manifest: dict[str, Any], namespace: str | None, labels: Mapping[str, str]) -> dict[str, Any]:
    """Returns a manifest with the labels that every object gets and the namespace that it lacks."""
    needs = namespace and not manifest["metadata"].get("namespace") and objects.is_namespaced(manifest["apiVersion"], manifest["kind"])
    return merge(manifest, {"metadata": {"labels": dict(labels), **({"namespace": namespace} if needs else {})}})


def _cannot_be_asked_yet(objects: Objects, manifest: Mapping[str, Any]) -> bool:
    """In check mode neither the definition of a kind nor the namespace need exist: an earlier task would have made them."""
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
    """Returns {changed, same, foreign, stays} after everything named, and all that is ours of `kinds`, is gone or time is up.

    With a run id in `objects` only what that run made is removed. A definition of which somebody else has objects stays, and so does a namespace
    in which there is more than ours.
    `wait_gone` names what the garbage collector or a controller removes in consequence. Raises ClusterError.
    """
    done: dict[str, list[Any]] = {"changed": [], "same": [], "foreign": [], "stays": []}
    run_id = objects.run_id or None
    found: list[dict[str, Any]] = []
    for manifest in reversed(in_order(manifests)):
        complete = _complete(objects, manifest, namespace, {}) if objects.serves(manifest["apiVersion"], manifest["kind"]) else None
        existing = objects.cluster.get(objects.path(complete)) if complete else None
        if existing is None:
            done["same"].append(describe(manifest))
        elif not ownership.is_ours(existing) or (run_id and ownership.run_id(existing) != run_id):
            done["foreign"].append(describe(manifest))
        else:
            found.append({**existing, "apiVersion": manifest["apiVersion"], "kind": manifest["kind"]})
    found += [entry for api_version, kind, place in kinds for entry in objects.ours(api_version, kind, place, run_id, selector)]
    kept = kept_namespaces(objects.cluster, [entry["metadata"]["name"] for entry in found if entry["kind"] == "Namespace"], run_id)
    removed = []
    for manifest in found:
        if manifest["kind"] == "Namespace" and manifest["metadata"]["name"] in kept:
            done["stays"].append({"object": describe(manifest), "why": kept[manifest["metadata"]["name"]].why})
            continue
        used = objects.instances(manifest) if manifest["kind"] == CRD else 0
        if used:
            done["stays"].append({"object": describe(manifest), "why": f"there are still {used} objects of this kind, which would go with it"})
            continue
        done["changed"].append(describe(manifest))
        removed.append(manifest)
        if not dry_run:
            objects.delete(manifest)
    if not dry_run:
        follow = [_complete(objects, manifest, namespace, {}) for manifest in wait_gone if objects.serves(manifest["apiVersion"], manifest["kind"])]
        done["stays"] += objects.wait_gone(removed + follow)
    return done
