# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator's pod made present or absent, seen to work, and where it came to lie."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_access, pod_definition
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_layout as layout
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_script import PodScript
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership, readiness
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import quantity
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import Container
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import check_running

_VERSION = re.compile(r"\bv?(\d+\.\d+\.\d+\S*)")
# Pulling an image may fail for a moment; so many looks of a second must show it. The kubelet tries again after about ten.
PULL_PATIENCE = 20
ACCOUNT_WITHIN_S = 30.0


def container_of(settings: Mapping[str, Any]) -> Container:
    """Returns where commands run in the generator's pod."""
    return Container(settings["namespace"], settings["name"], layout.CONTAINER)


def get(cluster: Cluster, namespace: str, name: str, **options: Any) -> dict[str, Any] | None:
    """Returns a pod, or None. Raises ClusterError."""
    return cluster.get(f"/api/v1/namespaces/{namespace}/pods/{name}", **options)


def present(cluster: Cluster, settings: Mapping[str, Any], files: Mapping[str, str], held: Mapping[str, bytes], dry_run: bool = False) -> dict[str, Any]:
    """Makes the pod run with these scripts and this access, and returns {changed, generator}, the generator as in target.json.

    One that runs and is made of the same stays as it is. Raises ClusterError: the name is taken, the pod does not start (with what the
    scheduler or the kubelet says), the image lacks k6, another load runs in a pod that would have to be replaced.
    """
    objects = Objects(cluster, settings["run_id"], settings["timeout_s"])
    changed = _namespace(objects, settings["namespace"], dry_run)
    if dry_run and changed:
        return {"changed": True, "generator": {}}
    companions = [pod_definition.config_map(settings, files)]
    # Without anything to put into it, what an earlier cell put into it stays.
    companions += [pod_access.secret(settings["namespace"], settings["name"], held)] if held else []
    companions += [pod_definition.claim(settings)] if settings["volume"] == "claim" else []
    companions += [pod_definition.network_policy(settings)] if settings["network_policy"] else []
    for manifest in companions:
        changed = objects.present(manifest, dry_run=dry_run)["changed"] or changed
    changed = _pod(objects, pod_definition.pod(settings, files), dry_run) or changed
    if dry_run:
        return {"changed": changed, "generator": {}}
    running = _await(cluster, settings)
    script = PodScript(cluster, container_of(settings))
    version = _probe(script, settings, files)
    pod_access.renew(cluster, script, held)
    return {"changed": changed, "generator": describe(cluster, settings, running, version)}


def absent(cluster: Cluster, settings: Mapping[str, Any], dry_run: bool = False) -> dict[str, Any]:
    """Removes the pod and its companions where they are ours, and returns {changed, stays}. Raises ClusterError."""
    objects = Objects(cluster, settings["run_id"], settings["timeout_s"])
    name, namespace = settings["name"], settings["namespace"]
    kinds = (
        ("v1", "Pod", name),
        ("v1", "ConfigMap", layout.scripts_name(name)),
        ("v1", "Secret", layout.secret_name(name)),
        ("v1", "PersistentVolumeClaim", layout.claim_name(name)),
        ("networking.k8s.io/v1", "NetworkPolicy", name),
    )
    found = []
    for api_version, kind, object_name in kinds:
        manifest = cluster.get(objects.path({"apiVersion": api_version, "kind": kind, "metadata": {"name": object_name, "namespace": namespace}}))
        if manifest is not None and ownership.is_ours(manifest):
            found.append({**manifest, "apiVersion": api_version, "kind": kind})
    if not dry_run:
        for manifest in found:
            objects.delete(manifest)
    return {"changed": bool(found), "stays": [] if dry_run else objects.wait_gone(found)}


def describe(cluster: Cluster, settings: Mapping[str, Any], pod: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Returns the generator as target.json has it: what it is, what it may use, and which measured components share its node."""
    limits = settings["resources"].get("limits") or {}
    node = pod["spec"].get("nodeName")
    memory = quantity(limits.get("memory"))
    return {
        "kind": "pod",
        "namespace": settings["namespace"],
        "pod": settings["name"],
        "image": settings["image"],
        "version": version,
        "cores": quantity(limits.get("cpu")),
        "memory_limit_bytes": int(memory) if memory is not None else None,
        "node": node,
        "secret": layout.secret_name(settings["name"]),
        "shares_node_with": neighbours(cluster, settings.get("avoid") or [], node, settings["namespace"]),
    }


def neighbours(cluster: Cluster, avoid: list[Mapping[str, Any]], node: str | None, home: str) -> list[str] | None:
    """Returns the names of those components to avoid that are known to have a pod on the node.

    Whoever may not list the pods of all namespaces sees those of `home`, the generator's namespace. None when that leaves nothing known: a
    component that was not seen may be there all the same. Raises ClusterError.
    """
    found, is_all = [], True
    for entry in avoid:
        selector = ",".join(f"{key}={value}" for key, value in entry["labels"].items())
        seen = [_on_node(cluster, namespace, selector, node) for namespace in entry.get("namespaces") or [""]]
        if None in seen:
            is_all = False
            seen.append(_on_node(cluster, home, selector, node))
        if any(seen):
            found.append(entry["name"])
    return found if found or is_all else None


def _on_node(cluster: Cluster, namespace: str, selector: str, node: str | None) -> bool | None:
    """Returns whether such a pod of a namespace (empty: of any) is on the node, or None when its pods may not be listed."""
    path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
    try:
        return bool(cluster.items(path, selector, fieldSelector=f"spec.nodeName={node}"))
    except ClusterError as error:
        if error.status == 403:
            return None
        raise


def _namespace(objects: Objects, name: str, dry_run: bool) -> bool:
    """Makes the namespace unless it is there; whose it is does not matter, since we only put things into it."""
    if objects.cluster.get(f"/api/v1/namespaces/{name}") is not None:
        return False
    return bool(objects.present({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, dry_run=dry_run)["changed"])


def _pod(objects: Objects, manifest: dict[str, Any], dry_run: bool) -> bool:
    """Makes the pod, in place of one of ours that is made of something else, has failed or is going. Returns whether anything changed."""
    metadata = manifest["metadata"]
    found = get(objects.cluster, metadata["namespace"], metadata["name"])
    if found is not None and ownership.is_ours(found):
        is_same = (found["metadata"].get("annotations") or {}).get(pod_definition.DIGEST) == metadata["annotations"][pod_definition.DIGEST]
        is_going = bool(found["metadata"].get("deletionTimestamp"))
        if is_same and not is_going and (found.get("status") or {}).get("phase") not in ("Failed", "Succeeded"):
            return False
        if not dry_run:
            if not is_going:
                _refuse_busy(objects.cluster, found)
            _replace(objects, {**found, "apiVersion": "v1", "kind": "Pod"})
        elif found:
            return True
    create(objects, manifest, dry_run)
    return True


def create(objects: Objects, manifest: dict[str, Any], dry_run: bool) -> None:
    """A new namespace gets its service account a moment later, and takes no pods before."""
    deadline = time.monotonic() + ACCOUNT_WITHIN_S
    while True:
        try:
            objects.present(manifest, dry_run=dry_run)
        except ClusterError as error:
            if error.status != 403 or "looking up service account" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def _refuse_busy(cluster: Cluster, pod: Mapping[str, Any]) -> None:
    metadata = pod["metadata"]
    if (pod.get("status") or {}).get("phase") != "Running":
        return
    script = PodScript(cluster, Container(metadata["namespace"], metadata["name"], layout.CONTAINER), attempts=1)
    try:
        running = script.ask("probe", layout.PROGRAM).get("running")
    except ClusterError:
        return
    if running:
        raise ClusterError(
            f"Pod {metadata['namespace']}/{metadata['name']}: k6 runs in it (pid {running}), and the settings want another pod. "
            "Wait for its end or stop it (playbooks/teardown.yml), then run the same again."
        )


def _replace(objects: Objects, pod: dict[str, Any]) -> None:
    objects.delete(pod)
    stays = objects.wait_gone([pod])
    if stays:
        raise ClusterError(f"{stays[0]['object']}: is still there after {objects.timeout_s:g} s ({stays[0]['why']}). Remove it, and run the same again.")


def _await(cluster: Cluster, settings: Mapping[str, Any]) -> dict[str, Any]:
    where = f"{settings['namespace']}/{settings['name']}"

    def look() -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        pod = get(cluster, settings["namespace"], settings["name"])
        return pod, events(cluster, pod) if pod and (pod.get("status") or {}).get("phase") == "Pending" else []

    state, outcome = readiness.wait(
        look, lambda seen: check_running(seen[0], layout.CONTAINER, seen[1]), settings["timeout_s"], pause_s=1.0, patience=PULL_PATIENCE
    )
    if outcome.ended != "ready":
        said = "; ".join(outcome.readiness.reasons)
        raise ClusterError(
            f"Pod {where}: did not start within {outcome.seconds:.0f} s ({said}). Correct image, resources or placement of the generator "
            "(k6_runner_pod_image, k6_runner_pod_resources, k6_runner_pod_avoid_required, k6_runner_pod_node_selector)."
        )
    return state[0]


def events(cluster: Cluster, pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    query = {"fieldSelector": f"involvedObject.uid={pod['metadata']['uid']}"}
    try:
        found = cluster.items(f"/api/v1/namespaces/{pod['metadata']['namespace']}/events", **query)
    except ClusterError:
        return []
    return sorted(found, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))


def _probe(script: PodScript, settings: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """Returns the version of k6 in the pod. Raises ClusterError when it is missing, or the scripts are others than ours."""
    where = f"Pod {settings['namespace']}/{settings['name']}"
    seen = script.ask("probe", layout.PROGRAM)
    version = _VERSION.search(seen.get("version", ""))
    if not version:
        raise ClusterError(f"{where}: image {settings['image']} has no k6 on its PATH. Choose an image with k6, such as grafana/k6 (k6_runner_pod_image).")
    wrong = [path for path, text in files.items() if seen.get(f"sum {path}") != hashlib.sha256(text.encode()).hexdigest()]
    if wrong:
        raise ClusterError(f"{where}: its {layout.SCRIPTS} has other contents than this collection ({', '.join(wrong[:3])}). Delete the pod and run again.")
    return version[1]
