# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of ours: short work beside a server of ours, each one created, waited for, read by the logs of its containers, and deleted.

They follow the restricted security standard and need no commands in pods. Fields:
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership, pods
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import object_name
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.readiness import Readiness, condition_text, conditions, wait

# By this label the pods of our Jobs are found; PostgreSQL's network policy admits them by it.
ROLE_LABEL, ROLE = "perfscale.mlflow/role", "database-job"
# What the containers of a Job share, and may write.
WORK, WORK_VOLUME = {"name": "work", "mountPath": "/work"}, {"name": "work", "emptyDir": {}}
# Deleting the files of 60,000 artifacts took 21 s, and copying a database of 1 GB less than a minute (seconds).
DEADLINE_S = 600
# Only a controller that was lost leaves a Job behind (seconds).
_TTL_S = 600
# After the deadline the Job's controller needs a moment to say so (seconds).
_GRACE_S = 30.0
_POLL_S = 0.5
# A container that cannot start may wait for its image this long (observations).
_PATIENCE = 60
# End of the log of a container that failed, in the sentence about it.
_LOG_LINES = 3


@dataclass(frozen=True)
class State:
    """The observed Job (None where it is gone) and its pods."""

    job: dict[str, Any] | None
    pods: list[dict[str, Any]] = field(default_factory=list)


def job(namespace: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Job that runs a pod of this spec once; containers get our security context where they have none."""
    name = f"perfscale-mlflow-database-{uuid.uuid4().hex[:8]}"
    whole = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        **spec,
        "securityContext": {**(spec.get("securityContext") or {}), **pods.POD_SECURITY_CONTEXT},
        **{kind: [_restricted(container) for container in spec[kind]] for kind in ("initContainers", "containers") if spec.get(kind)},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "labels": {ROLE_LABEL: ROLE}},
        "spec": {
            # What a Job of ours does is repeated by the next cell, or by its second attempt, not by Kubernetes.
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE_S,
            "ttlSecondsAfterFinished": _TTL_S,
            "template": {"metadata": {"labels": {ROLE_LABEL: ROLE}}, "spec": whole},
        },
    }


def _restricted(container: Mapping[str, Any]) -> dict[str, Any]:
    return {**container, "securityContext": {**(container.get("securityContext") or {}), **pods.CONTAINER_SECURITY_CONTEXT}}


def run(cluster: Cluster, manifest: Mapping[str, Any], run_id: str) -> dict[str, str]:
    """Run a Job to its end, delete it, and return the log of each of its containers by name.

    Jobs of ours that a lost controller left in the namespace are removed first: two must not change one database. Raises ClusterError: the Job failed,
    with the end of the log, or its pod did not start.
    """
    namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    collection = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    _remove_all(cluster, namespace)
    template = manifest["spec"]["template"]
    body = ownership.labelled({**manifest, "spec": {**manifest["spec"], "template": ownership.labelled(template, run_id)}}, run_id)
    try:
        cluster.request("POST", collection, body=body)
    except ClusterError as error:
        # Its name is unique, so it is this one, and the response to the first request was lost.
        if error.reason != "AlreadyExists":
            raise
    try:
        limit = DEADLINE_S + _GRACE_S
        state, outcome = wait(lambda: _read(cluster, namespace, name), _check, limit, pause_s=_POLL_S, patience=_PATIENCE)
        if not outcome.readiness.ready:
            reasons = [*outcome.readiness.reasons, *(_failures(cluster, namespace, state.pods) if state else [])]
            raise ClusterError(f"{object_name(manifest)}: failed ({'; '.join(reasons)}). Remove the cause, then run the same again.")
        [pod] = state.pods if state else []
        spec = template["spec"]
        containers = [container["name"] for kind in ("initContainers", "containers") for container in spec.get(kind) or []]
        return {container: _log(cluster, namespace, pod["metadata"]["name"], container) for container in containers}
    finally:
        _delete(cluster, f"{collection}/{name}")


def _read(cluster: Cluster, namespace: str, name: str) -> State:
    found = cluster.items(f"/api/v1/namespaces/{namespace}/pods", f"{ROLE_LABEL}={ROLE}")
    mine = [pod for pod in found if any(owner["name"] == name for owner in pod["metadata"].get("ownerReferences") or [])]
    return State(cluster.get(f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"), mine)


def _check(state: State | None) -> Readiness:
    """Return whether the pod of a Job has succeeded, which shows before the Job's own condition does."""
    if state is None or state.job is None:
        return Readiness(problems=["it was deleted"])
    phases = [(pod.get("status") or {}).get("phase") for pod in state.pods]
    failed = [condition_text(entry) for entry in conditions(state.job) if entry.get("type") == "Failed" and entry.get("status") == "True"]
    if failed or "Failed" in phases:
        return Readiness(problems=failed or ["its pod failed"])
    if "Succeeded" in phases:
        return Readiness()
    doubts = [text for text in map(pods.start_failure, state.pods) if text]
    return Readiness(waiting_for=[text for text in map(pods.scheduling_failure, state.pods) if text] or ["it runs"], doubts=doubts)


def _failures(cluster: Cluster, namespace: str, found: list[dict[str, Any]]) -> list[str]:
    """Return the ends of the logs of the containers that failed, and why a pod did."""
    texts = [str(pod["status"]["message"]) for pod in found if (pod.get("status") or {}).get("message")]
    for pod in found:
        for status in pods.container_statuses(pod):
            if ((status.get("state") or {}).get("terminated") or {}).get("exitCode"):
                lines = _log(cluster, namespace, pod["metadata"]["name"], status["name"]).split("\n")
                texts.append(" ".join(line.strip() for line in [line for line in lines if line.strip()][-_LOG_LINES:]))
    return texts


def _log(cluster: Cluster, namespace: str, pod: str, container: str) -> str:
    return cluster.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query={"container": container})


def _delete(cluster: Cluster, path: str) -> None:
    try:
        cluster.request("DELETE", path, body={"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"})
    except ClusterError as error:
        if error.status != 404:
            raise


def _remove_all(cluster: Cluster, namespace: str) -> None:
    """Remove the Jobs of ours with their pods, and wait until these are gone. Raises ClusterError."""
    collection, selector = f"/apis/batch/v1/namespaces/{namespace}/jobs", f"{ROLE_LABEL}={ROLE}"
    for found in cluster.items(collection, selector):
        _delete(cluster, f"{collection}/{found['metadata']['name']}")
    deadline = time.monotonic() + _GRACE_S
    while left := cluster.items(f"/api/v1/namespaces/{namespace}/pods", selector):
        if time.monotonic() > deadline:
            raise ClusterError(f"Pod {namespace}/{left[0]['metadata']['name']}: of an earlier Job, still there after {_GRACE_S:g} s. Delete it.")
        time.sleep(_POLL_S)
