# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lease that lets one run at a time use a cluster, on the real API server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.lease import acquire, expire, leases_path, release


def test_a_second_run_is_rejected_until_the_first_releases_the_lease(cluster: Cluster, namespace: str) -> None:
    held = acquire(cluster, namespace, "run-a", 600)
    assert acquire(cluster, namespace, "run-a", 900)["until"] > held["until"]
    assert acquire(cluster, namespace, "run-a", 300)["until"] < held["until"]
    with pytest.raises(ClusterError, match=rf"Lease {namespace}/perfscale-mlflow: held by run run-a until 20\d\d-.*Z, which may"):
        acquire(cluster, namespace, "run-b", 600)
    assert not release(cluster, namespace, "run-b")
    assert release(cluster, namespace, "run-a")
    assert acquire(cluster, namespace, "run-b", 600)["taken_over"] == ""


def test_what_expired_is_taken_over(cluster: Cluster, namespace: str) -> None:
    acquire(cluster, namespace, "run-a", 600)
    path = f"{leases_path(namespace)}/perfscale-mlflow"
    past = {"spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}}
    cluster.request("PATCH", path, past, content_type="application/merge-patch+json")
    assert acquire(cluster, namespace, "run-b", 600)["taken_over"] == "run-a"
    assert cluster.request("GET", path)["spec"]["leaseTransitions"] == 1


def test_one_that_ends_at_once_keeps_the_name_of_its_run(cluster: Cluster, namespace: str) -> None:
    acquire(cluster, namespace, "run-a", 600)
    assert expire(cluster, namespace, "run-a")
    assert cluster.request("GET", f"{leases_path(namespace)}/perfscale-mlflow")["spec"]["holderIdentity"] == "run-a"
    assert acquire(cluster, namespace, "run-b", 600)["taken_over"] == "run-a"


def test_of_many_that_start_together_one_wins(cluster: Cluster, namespace: str) -> None:
    def attempt(number: int) -> str:
        try:
            return acquire(cluster, namespace, f"run-{number}", 600)["holder"]
        except ClusterError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(attempt, range(8)))
    winners = [end for end in ends if end.startswith("run-")]
    assert len(winners) == 1
    assert all(f"held by run {winners[0]} until" in end for end in ends if end not in winners)
