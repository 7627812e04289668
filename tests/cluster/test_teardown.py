# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run on the real API server: exactly what carries its labels goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "tenants"))

from accounts import PARALLELISM, Own, own_names

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.lease import acquire
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.teardown import tear_down
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import ensure_tenants

NS = "/api/v1/namespaces"


@pytest.fixture
def own(cluster: Cluster, namespace: str) -> Iterator[Own]:
    with own_names(cluster, namespace) as names:
        yield names


def make(cluster: Cluster, path: str, name: str, run_id: str | None, **parts: object) -> None:
    """Makes an object, ours if a run is named."""
    metadata = {"name": name, "labels": ownership.labels(run_id) if run_id else {}, **parts.pop("metadata", {})}  # type: ignore[dict-item]
    cluster.request("POST", path, {"metadata": metadata, **parts})


def test_exactly_the_run_goes(cluster: Cluster, own: Own) -> None:
    home = f"{NS}/{own.home}"
    ensure_tenants(cluster, own.spec(3), PARALLELISM)
    acquire(cluster, own.home, own.run_id, 600)
    for name, run_id in (("ours", own.run_id), ("another-runs", "run-of-somebody"), ("foreign", None)):
        make(cluster, f"{home}/configmaps", name, run_id)
        make(cluster, f"{home}/secrets", name, run_id)
    stranger = f"{own.prefix}foreign"
    make(cluster, NS, stranger, None)
    try:
        told = tear_down(cluster, own.run_id, [own.home], selector=own.selector, parallelism=PARALLELISM, check_mode=True)
        done = tear_down(cluster, own.run_id, [own.home], selector=own.selector, parallelism=PARALLELISM)
        assert done["deleted"] == told["deleted"] and done["remaining"] == []
        other = "run run-of-somebody made it"
        assert [entry for entry in done["others"] if own.home in entry["object"]] == [
            {"object": f"{kind} {own.home}/another-runs", "why": other} for kind in ("ConfigMap", "Secret")
        ]
        assert done["deleted"]["ConfigMap"] == done["deleted"]["Secret"] == [f"{own.home}/ours"]
        assert done["deleted"]["Lease"] == [f"{own.home}/perfscale-mlflow"] and len(done["deleted"]["Namespace"]) == 3
        assert not any(cluster.get(f"{NS}/{own.prefix}{number}") for number in (1, 2, 3))
        assert cluster.get(f"{NS}/{stranger}") and cluster.get(f"{home}/configmaps/foreign") and cluster.get(f"{home}/secrets/another-runs")
        assert not any(tear_down(cluster, own.run_id, [own.home], selector=own.selector)["deleted"].values())
    finally:
        cluster.request("DELETE", f"{NS}/{stranger}")


def test_what_stays_is_named_with_its_reason(cluster: Cluster, own: Own) -> None:
    home = f"{NS}/{own.home}"
    make(cluster, f"{home}/configmaps", "held", own.run_id, metadata={"finalizers": ["perfscale.mlflow/test"]})
    ensure_tenants(cluster, own.spec(1), PARALLELISM)
    make(cluster, f"{NS}/{own.prefix}1/configmaps", "held", None, metadata={"finalizers": ["perfscale.mlflow/test"]})
    done = tear_down(cluster, own.run_id, [own.home], selector=own.selector, parallelism=PARALLELISM, timeout_s=8)
    why = {entry["object"]: entry["why"] for entry in done["remaining"]}
    assert why[f"ConfigMap {own.home}/held"] == "waits for its finalizers perfscale.mlflow/test"
    assert "perfscale.mlflow/test" in why[f"Namespace {own.prefix}1"]
    for place in (own.home, f"{own.prefix}1"):
        cluster.request("PATCH", f"{NS}/{place}/configmaps/held", {"metadata": {"finalizers": None}}, content_type="application/merge-patch+json")
    assert tear_down(cluster, own.run_id, [own.home], selector=own.selector, timeout_s=60)["remaining"] == []
