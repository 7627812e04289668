# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time: a Lease that a run holds, renews for each of its steps and gives back (https://kubernetes.io/docs/concepts/architecture/leases/).

An expired one keeps the name of its run, so that the run can be resumed, and is held as long as a load of that run goes on.
Times are the API server's, so that controllers whose clocks differ agree on when a lease ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tokens import iso

NAME = "perfscale-mlflow"
# Two controllers that start together race for the first write; the loser reads again.
_ATTEMPTS = 3


def leases_path(namespace: str) -> str:
    """Return the path of a namespace's Leases."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def holder(lease: Mapping[str, Any]) -> str:
    """Return the run that holds a Lease, or an empty text."""
    return (lease.get("spec") or {}).get("holderIdentity") or ""


def expiry(lease: Mapping[str, Any]) -> float:
    """Return when a Lease expires in epoch seconds; 0 when it was never held."""
    spec = lease.get("spec") or {}
    renewed = spec.get("renewTime") or spec.get("acquireTime")
    if not renewed:
        return 0.0
    return datetime.fromisoformat(renewed.replace("Z", "+00:00")).timestamp() + float(spec.get("leaseDurationSeconds") or 0)


def renewed(lease: Mapping[str, Any] | None, namespace: str, name: str, run_id: str, seconds: int, now: float) -> dict[str, Any]:
    """Return the Lease as it has to be written for a run to hold it for `seconds` from `now` (epoch seconds).

    An empty `run_id` is a run without an id yet. Raises ClusterError when another run still holds it, or when it is unmanaged.
    """
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if lease is None:
        metadata = {"name": name, "namespace": namespace, "labels": ownership.labels(run_id)}
        spec = {"holderIdentity": run_id, "leaseDurationSeconds": seconds, "acquireTime": moment, "renewTime": moment, "leaseTransitions": 0}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
    if not ownership.is_ours(lease):
        raise ClusterError(f"Lease {namespace}/{name}: exists and is not managed by this collection. Delete it, or choose another name.")
    before = lease["spec"] if lease.get("spec") else {}
    if holder(lease) == run_id:
        # Each step has a limit of its own, which may end earlier than that of the step before.
        return {**lease, "spec": {**before, "renewTime": moment, "leaseDurationSeconds": seconds}}
    if holder(lease) and expiry(lease) > now:
        raise ClusterError(
            f"Lease {namespace}/{name}: held by run {holder(lease)} until {iso(expiry(lease))}, which may be loading the same MLflow. "
            f"Wait for that run, or stop it (teardown with its run_id), before starting {f'run {run_id}' if run_id else 'another'}."
        )
    spec = {**before, "holderIdentity": run_id, "leaseDurationSeconds": seconds, "acquireTime": moment, "renewTime": moment}
    spec["leaseTransitions"] = int(before.get("leaseTransitions") or 0) + 1
    metadata = {**lease["metadata"], "labels": {**lease["metadata"]["labels"], **ownership.labels(run_id)}}
    return {**lease, "metadata": metadata, "spec": spec}


def acquire(
    cluster: Cluster,
    namespace: str,
    run_id: str,
    seconds: int,
    name: str = NAME,
    check_mode: bool = False,
    running_load: Callable[[str], str] | None = None,
) -> dict[str, Any]:
    """Acquire or renew the Lease for a run and return {holder, until, until_at, taken_over, was_held}.

    `taken_over` is the former holder, if its Lease had expired; `was_held` is whether this run held it until now without interruption.
    `running_load` returns where a load of a run goes on, or an empty text; it is called for the run of an expired Lease.
    With `check_mode` nothing is written. Raises ClusterError when another run holds it, or still loads.
    """
    path = leases_path(namespace)
    for attempt in range(1, _ATTEMPTS + 1):
        now = cluster.server_time() or time.time()
        found = cluster.get(f"{path}/{name}")
        lease = renewed(found, namespace, name, run_id, seconds, now)
        former = holder(found or {})
        if former not in ("", run_id) and running_load and (where := running_load(former)):
            raise ClusterError(
                f"Lease {namespace}/{name}: run {former} has not renewed it since {iso(expiry(found or {}))}, but its load still runs in {where}. "
                f"Wait for the end of the load, resume that run, or stop it (teardown with its run_id)."
            )
        try:
            if not check_mode:
                # With the resourceVersion that was read the write fails after a concurrent one.
                lease = cluster.request("PUT", f"{path}/{name}", body=lease) if found else cluster.request("POST", path, body=lease)
        except ClusterError as error:
            if error.status != 409 or attempt == _ATTEMPTS:
                raise
            continue
        return {
            "holder": run_id,
            "until": expiry(lease),
            "until_at": iso(expiry(lease)),
            "taken_over": former if former != run_id else "",
            "was_held": former == run_id and expiry(found or {}) > now,
        }
    raise AssertionError("unreachable: the last attempt returns or raises")


def expire(cluster: Cluster, namespace: str, run_id: str, name: str = NAME, check_mode: bool = False) -> bool:
    """End the Lease now if this run holds it, and keep the name of the run in it; return whether it did. Raises ClusterError."""
    path = f"{leases_path(namespace)}/{name}"
    found = cluster.get(path)
    if found is None or not ownership.is_ours(found) or holder(found) != run_id:
        return False
    moment = datetime.fromtimestamp((cluster.server_time() or time.time()) - 1, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if not check_mode:
        # The shortest duration that the API takes is a second.
        cluster.request("PUT", path, body={**found, "spec": {**found["spec"], "renewTime": moment, "leaseDurationSeconds": 1}})
    return True


def release(cluster: Cluster, namespace: str, run_id: str, name: str = NAME, check_mode: bool = False) -> bool:
    """Delete the Lease if this run holds it; return whether it did (in check mode, would). Raises ClusterError."""
    path = f"{leases_path(namespace)}/{name}"
    found = cluster.get(path)
    if found is None or not ownership.is_ours(found) or holder(found) != run_id:
        return False
    if not check_mode:
        preconditions = {"uid": found["metadata"]["uid"], "resourceVersion": found["metadata"]["resourceVersion"]}
        try:
            cluster.request("DELETE", path, body={"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions})
        except ClusterError as error:
            # Deleted, or acquired by another run meanwhile: in both cases this run no longer holds it.
            if error.status not in (404, 409):
                raise
    return True
