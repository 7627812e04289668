# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of the generator's pod: created, replaced, verified, described for target.json, deleted."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_manifests as manifests
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_secret, test_run
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_rpc import PodRpc, RejectedError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership, readiness
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import quantity
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import Container
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import check_running

_VERSION = re.compile(r"\bv?(\d+\.\d+\.\d+\S*)")
# Pulling an image may fail for a moment: it counts after so many checks, one a second. The kubelet retries after about ten.
PULL_PATIENCE = 20
SERVICE_ACCOUNT_TIMEOUT_S = 30.0
# What the runners of a divided load have in common with the pod.
RUNNER_SETTINGS = (
    "image_pull_policy",
    "image_pull_secrets",
    "resources",
    "run_as_user",
    "fs_group",
    "volume_size",
    "node_selector",
    "tolerations",
    "avoid",
    "avoid_required",
)


def container_of(settings: Mapping[str, Any]) -> Container:
    """Return where commands run in the generator's pod."""
    return Container(settings["namespace"], settings["name"], manifests.CONTAINER)


def get_pod(cluster: Cluster, namespace: str, name: str, **options: Any) -> dict[str, Any] | None:
    """Return a pod, or None. Raises ClusterError."""
    return cluster.get(f"/api/v1/namespaces/{namespace}/pods/{name}", **options)


def present(cluster: Cluster, settings: Mapping[str, Any], scripts: Mapping[str, str], secrets: Mapping[str, bytes], dry_run: bool = False) -> dict[str, Any]:
    """Create the pod with these scripts and secret files, or replace it, and return {changed, generator}, the generator as in target.json.

    A running pod with the same digest stays as it is. Raises ClusterError: the name is taken, the pod does not start (with the reason of the
    scheduler or the kubelet), the image lacks k6, another load runs in a pod that would have to be replaced.
    """
    objects = Objects(cluster, settings["run_id"], settings["timeout_s"])
    changed = _ensure_namespace(objects, settings["namespace"], dry_run)
    if dry_run and changed:
        return {"changed": True, "generator": {}}
    companions = [manifests.config_map(settings, scripts)]
    # Without new files the Secret keeps those of an earlier cell.
    companions += [pod_secret.secret(settings["namespace"], settings["name"], secrets)] if secrets else []
    companions += [manifests.volume_claim(settings)] if settings["volume"] == "claim" else []
    companions += [manifests.network_policy(settings)] if settings["network_policy"] else []
    companions += [test_run.network_policy(settings)] if settings["network_policy"] and settings.get("shards") else []
    for manifest in companions:
        changed = objects.present(manifest, dry_run=dry_run)["changed"] or changed
    manifest = manifests.pod(settings, scripts)
    changed = _ensure_pod(objects, manifest, dry_run) or changed
    if dry_run:
        return {"changed": changed, "generator": {}}
    running = _wait_until_running(cluster, settings)
    rpc = PodRpc(cluster, container_of(settings))
    version = _verify(rpc, settings, scripts)
    try:
        pod_secret.wait_until_mounted(cluster, rpc, secrets)
    except pod_secret.NotMountedError:
        # A new pod gets the Secret as it is.
        remove_idle_pod(objects, settings["namespace"], settings["name"])
        _ensure_pod(objects, manifest, dry_run)
        running = _wait_until_running(cluster, settings)
        pod_secret.wait_until_mounted(cluster, rpc, secrets)
        changed = True
    return {"changed": changed, "generator": target_part(cluster, settings, running, version)}


def absent(cluster: Cluster, settings: Mapping[str, Any], dry_run: bool = False) -> dict[str, Any]:
    """Delete the pod and its objects if they are managed, and return {changed, stays}. Raises ClusterError."""
    objects = Objects(cluster, settings["run_id"], settings["timeout_s"])
    name, namespace = settings["name"], settings["namespace"]
    kinds = (
        ("v1", "Pod", name),
        ("v1", "ConfigMap", manifests.scripts_name(name)),
        ("v1", "Secret", manifests.secret_name(name)),
        ("v1", "PersistentVolumeClaim", manifests.claim_name(name)),
        ("networking.k8s.io/v1", "NetworkPolicy", name),
        ("networking.k8s.io/v1", "NetworkPolicy", test_run.policy_name(name)),
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


def target_part(cluster: Cluster, settings: Mapping[str, Any], pod: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return the generator's part of target.json: what it is, its limits, and which measured components share its node."""
    limits = settings["resources"].get("limits") or {}
    node = pod["spec"].get("nodeName")
    memory = quantity(limits.get("memory"))
    part = {
        "kind": "pod",
        "namespace": settings["namespace"],
        "pod": settings["name"],
        "image": settings["image"],
        "version": version,
        "cores": quantity(limits.get("cpu")),
        "memory_limit_bytes": int(memory) if memory is not None else None,
        "node": node,
        "secret": manifests.secret_name(settings["name"]),
        "proxy": settings.get("proxy"),
        "shares_node_with": components_on_node(cluster, settings.get("avoid") or [], node, settings["namespace"]),
    }
    return divided(part, settings) if settings.get("shards") else part


def divided(part: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the generator's part of target.json for loads that the k6-operator divides among `settings.shards` runners, each with the pod's resources.

    The pod stays for what is not divided. `runner` is all that a TestRun needs.
    """
    cores = part["cores"]
    operator = {key: value for key, value in settings["operator"].items() if key != "namespace"}
    runner = {**{key: settings.get(key) for key in RUNNER_SETTINGS}, **operator, "cores": cores}
    return {**part, "kind": "k6_operator", "shards": settings["shards"], "cores": cores * settings["shards"] if cores else None, "runner": runner}


def components_on_node(cluster: Cluster, avoid: list[Mapping[str, Any]], node: str | None, namespace: str) -> list[str] | None:
    """Return the names of those components to avoid that are known to have a pod on the node.

    Without permission to list the pods of all namespaces, those of `namespace`, the generator's, are searched. None when the result is not
    conclusive: a component that was not found may still be on the node. Raises ClusterError.
    """
    found, is_all = [], True
    for entry in avoid:
        selector = ",".join(f"{key}={value}" for key, value in entry["labels"].items())
        results = [_is_on_node(cluster, where, selector, node) for where in entry.get("namespaces") or [""]]
        if None in results:
            is_all = False
            results.append(_is_on_node(cluster, namespace, selector, node))
        if any(results):
            found.append(entry["name"])
    return found if found or is_all else None


def _is_on_node(cluster: Cluster, namespace: str, selector: str, node: str | None) -> bool | None:
    """Return whether such a pod of a namespace (empty: of any) is on the node, or None without permission to list its pods."""
    path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
    try:
        return bool(cluster.items(path, selector, fieldSelector=f"spec.nodeName={node}"))
    except ClusterError as error:
        if error.status == 403:
            return None
        raise


def _ensure_namespace(objects: Objects, name: str, dry_run: bool) -> bool:
    """Create the namespace if it is missing; an unmanaged one is used, since objects are only added to it. Return whether it was created."""
    if objects.cluster.get(f"/api/v1/namespaces/{name}") is not None:
        return False
    return bool(objects.present({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, dry_run=dry_run)["changed"])


def _ensure_pod(objects: Objects, manifest: dict[str, Any], dry_run: bool) -> bool:
    """Create the pod, replacing a managed one that has another digest, has failed or is being deleted. Return whether anything changed."""
    metadata = manifest["metadata"]
    found = get_pod(objects.cluster, metadata["namespace"], metadata["name"])
    if found is not None and ownership.is_ours(found):
        is_same = (found["metadata"].get("annotations") or {}).get(manifests.DIGEST) == metadata["annotations"][manifests.DIGEST]
        is_terminating = bool(found["metadata"].get("deletionTimestamp"))
        if is_same and not is_terminating and (found.get("status") or {}).get("phase") not in ("Failed", "Succeeded"):
            return False
        if not dry_run:
            if not is_terminating:
                _assert_idle(objects.cluster, found)
            _replace(objects, {**found, "apiVersion": "v1", "kind": "Pod"})
        elif found:
            return True
    create_pod(objects, manifest, dry_run)
    return True


def create_pod(objects: Objects, manifest: dict[str, Any], dry_run: bool) -> None:
    """Create a pod; a new namespace gets its service account a moment later, and accepts no pods before. Raises ClusterError."""
    deadline = time.monotonic() + SERVICE_ACCOUNT_TIMEOUT_S
    while True:
        try:
            objects.present(manifest, dry_run=dry_run)
        except ClusterError as error:
            if error.status != 403 or "looking up service account" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def _assert_idle(cluster: Cluster, pod: Mapping[str, Any]) -> None:
    metadata = pod["metadata"]
    if (pod.get("status") or {}).get("phase") != "Running":
        return
    rpc = PodRpc(cluster, Container(metadata["namespace"], metadata["name"], manifests.CONTAINER), attempts=1)
    try:
        running = rpc.call("probe", manifests.PROGRAM).get("running")
    except ClusterError:
        return
    if running:
        raise ClusterError(
            f"Pod {metadata['namespace']}/{metadata['name']}: k6 runs in it (pid {running}), but the settings need another pod. "
            "Wait for its end or stop it (playbooks/teardown.yml), then run the same again."
        )


def remove_idle_pod(objects: Objects, namespace: str, name: str) -> None:
    """Delete a pod of ours in which no load runs, and wait until it is gone. Raises ClusterError."""
    found = get_pod(objects.cluster, namespace, name)
    if found is not None and ownership.is_ours(found):
        _assert_idle(objects.cluster, found)
        _replace(objects, {**found, "apiVersion": "v1", "kind": "Pod"})


def running_load(cluster: Cluster, namespace: str, run_id: str) -> str:
    """Return the pod of ours in a namespace in which a load of a run goes on, as `Pod namespace/name`, or an empty text.

    A pod that does not respond counts as one without a load. Raises ClusterError when pods cannot be listed.
    """
    for pod in cluster.items(f"/api/v1/namespaces/{namespace}/pods", ownership.selector()):
        name = pod["metadata"]["name"]
        if not check_running(pod, manifests.CONTAINER).ready:
            continue
        rpc = PodRpc(cluster, Container(namespace, name, manifests.CONTAINER), attempts=1)
        try:
            loads = rpc.call("loads", manifests.RESULTS, load_prefix(run_id))
        except (ClusterError, RejectedError):
            continue
        if any(value.startswith("running ") for value in loads.values()):
            return f"Pod {namespace}/{name}"
    return ""


def load_prefix(run_id: str) -> str:
    """Return with what the directories of a run's loads in a pod begin."""
    return f"{run_id}@"


def _replace(objects: Objects, pod: dict[str, Any]) -> None:
    objects.delete(pod)
    stays = objects.wait_gone([pod])
    if stays:
        raise ClusterError(f"{stays[0]['object']}: not deleted within {objects.timeout_s:g} s ({stays[0]['why']}). Delete it, and run the same again.")


def _wait_until_running(cluster: Cluster, settings: Mapping[str, Any]) -> dict[str, Any]:
    where = f"{settings['namespace']}/{settings['name']}"

    def get_state() -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        pod = get_pod(cluster, settings["namespace"], settings["name"])
        return pod, pod_events(cluster, pod) if pod and (pod.get("status") or {}).get("phase") == "Pending" else []

    def check(found: tuple[dict[str, Any] | None, list[dict[str, Any]]] | None) -> readiness.Readiness:
        pod, events = found or (None, [])
        return check_running(pod, manifests.CONTAINER, events)

    state, outcome = readiness.wait(get_state, check, settings["timeout_s"], pause_s=1.0, patience=PULL_PATIENCE)
    pod = state[0] if state else None
    if outcome.ended != "ready" or pod is None:
        details = "; ".join(outcome.readiness.reasons)
        raise ClusterError(
            f"Pod {where}: not started within {outcome.seconds:.0f} s ({details}). Correct image, resources or placement of the generator "
            "(k6_runner_pod_image, k6_runner_pod_resources, k6_runner_pod_avoid_required, k6_runner_pod_node_selector)."
        )
    return pod


def pod_events(cluster: Cluster, pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the events about a pod, oldest first; none where they may not be listed."""
    metadata = pod["metadata"]
    try:
        found = cluster.items(f"/api/v1/namespaces/{metadata['namespace']}/events", fieldSelector=f"involvedObject.uid={metadata['uid']}")
    except ClusterError:
        return []
    return sorted(found, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))


def _verify(rpc: PodRpc, settings: Mapping[str, Any], scripts: Mapping[str, str]) -> str:
    """Return the version of k6 in the pod. Raises ClusterError when it is missing, or the scripts are others than these."""
    where = f"Pod {settings['namespace']}/{settings['name']}"
    found = rpc.call("probe", manifests.PROGRAM)
    version = _VERSION.search(found.get("version", ""))
    if not version:
        raise ClusterError(f"{where}: no k6 on the PATH of image {settings['image']}. Choose an image with k6, such as grafana/k6 (k6_runner_pod_image).")
    wrong = [path for path, text in scripts.items() if found.get(f"sum {path}") != hashlib.sha256(text.encode()).hexdigest()]
    if wrong:
        raise ClusterError(f"{where}: {manifests.SCRIPTS} differs from the scripts of this collection ({', '.join(wrong[:3])}). Delete the pod and run again.")
    return version[1]
