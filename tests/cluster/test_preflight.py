# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight against a real cluster: every problem at once, within its time, and nothing is created."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.lease import acquire

LIMIT_S = 30.0
NO_SUCH = {"name": "nothings.perfscale.example", "version": "v1", "remedy": "Install it."}
# Built-in APIs have no CRD, so the fields are looked for where the cluster has one; every cluster here can be given this one.
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "probes.perfscale.example"},
    "spec": {
        "group": "perfscale.example",
        "scope": "Namespaced",
        "names": {"kind": "Probe", "plural": "probes"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {"known": {"type": "string"}}}}}},
            }
        ],
    },
}


def test_every_problem_is_reported_at_once_and_in_time(cluster: Cluster, playbook: Callable[..., Any], tmp_path: Path, namespace: str) -> None:
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    cluster.request("POST", crds, CRD)
    acquire(cluster, namespace, "another", 600)
    try:
        variables = {
            "deploy_environment": "kubernetes",
            "results_dir": str(tmp_path / "results"),
            "preflight_generator_namespace": namespace,
            "preflight_kubernetes_version": "9.9",
            "preflight_crds": [NO_SUCH, {"name": CRD["metadata"]["name"], "version": "v1", "fields": ["spec.known", "spec.unknown"], "remedy": "Upgrade it."}],
            "preflight_storage_class": "no-such-class",
            "preflight_image_pull_secrets": [{"namespace": namespace, "name": "no-such-secret"}],
            "preflight_prometheus_url": "http://127.0.0.1:1",
        }
        started = time.monotonic()
        played = playbook("preflight", variables)
        seconds = time.monotonic() - started
    finally:
        cluster.request("DELETE", f"{crds}/{CRD['metadata']['name']}")
    output = " ".join(played.stdout.split())
    assert played.returncode != 0
    assert "7 problems before anything was started" in output
    for part in (
        "older than 9.9",
        "CRD nothings.perfscale.example: not installed. Install it.",
        "CRD probes.perfscale.example v1: missing field spec.unknown. Upgrade it.",
        "Storage class no-such-class: does not exist",
        f"Image pull secret {namespace}/no-such-secret: does not exist",
        f"Lease {namespace}/perfscale-mlflow: held by run another until",
        "Prometheus http://127.0.0.1:1: not reachable",
    ):
        assert part in output
    assert seconds < LIMIT_S, "ansible-playbook included"
    assert cluster.items(f"/api/v1/namespaces/{namespace}/configmaps", "app.kubernetes.io/managed-by=perfscale.mlflow") == []


@pytest.mark.parametrize(
    ("kubeconfig", "part"),
    [
        pytest.param(None, "Kubernetes: no usable configuration", id="none"),
        pytest.param("https://127.0.0.1:1", "the API server https://127.0.0.1:1 does not respond", id="not-reachable"),
    ],
)
def test_a_wrong_kubeconfig_is_one_problem(playbook: Callable[..., Any], tmp_path: Path, kubeconfig: str | None, part: str) -> None:
    file = tmp_path / "kubeconfig"
    if kubeconfig:
        file.write_text(
            "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], "
            f"clusters: [{{name: c, cluster: {{server: '{kubeconfig}'}}}}], users: [{{name: u, user: {{token: t}}}}]}}",
            encoding="utf-8",
        )
    variables = {"deploy_environment": "kubernetes", "results_dir": str(tmp_path / "results")}
    played = playbook("preflight", variables, env={"K8S_AUTH_KUBECONFIG": str(file), "KUBECONFIG": str(file)})
    output = " ".join(played.stdout.split())
    assert played.returncode != 0
    assert "1 problem before anything was started" in output
    assert part in output
