# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time: a Lease that a run holds, renews before each cell and give back (https://kubernetes.io/docs/concepts/architecture/leases/).

Times are the API server's, so that controllers whose clocks differ agree on when a lease ends.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
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
        # A renewal never shortens: a cell that is still running may need the whole time.
        return {**lease, "spec": {**before, "renewTime": moment, "leaseDurationSeconds": max(seconds, int(expiry(lease) - now) + 1)}}
    if holder(lease) and expiry(lease) > now:
        raise ClusterError(
            f"Lease {namespace}/{name}: held by run {holder(lease)} until {iso(expiry(lease))}, which may be loading the same MLflow. "
            f"Wait for that run, or stop it (teardown with its run_id), before starting {f'run {run_id}' if run_id else 'another'}."
        )
    spec = {**before, "holderIdentity": run_id, "leaseDurationSeconds": seconds, "acquireTime": moment, "renewTime": moment}
    spec["leaseTransitions"] = int(before.get("leaseTransitions") or 0) + 1
    metadata = {**lease["metadata"], "labels": {**lease["metadata"]["labels"], **ownership.labels(run_id)}}
    return {**lease, "metadata": metadata, "spec": spec}


def acquire(cluster: Cluster, namespace: str, run_id: str, seconds: int, name: str = NAME, check_mode: bool = False) -> dict[str, Any]:
    """Acquire or renew the Lease for a run and return {holder, until, until_at, taken_over}: the former holder, if its Lease had expired.

    With `check_mode` nothing is written. Raises ClusterError when another run holds it.
    """
    path = leases_path(namespace)
    for attempt in range(1, _ATTEMPTS + 1):
        now = cluster.server_time() or time.time()
        found = cluster.get(f"{path}/{name}")
        lease = renewed(found, namespace, name, run_id, seconds, now)
        try:
            if not check_mode:
                # With the resourceVersion that was read the write fails after a concurrent one.
                lease = cluster.request("PUT", f"{path}/{name}", body=lease) if found else cluster.request("POST", path, body=lease)
        except ClusterError as error:
            if error.status != 409 or attempt == _ATTEMPTS:
                raise
            continue
        former = holder(found or {})
        return {"holder": run_id, "until": expiry(lease), "until_at": iso(expiry(lease)), "taken_over": former if former != run_id else ""}
    raise AssertionError("unreachable: the last attempt returns or raises")


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
