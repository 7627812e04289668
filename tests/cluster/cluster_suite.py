# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks as a user runs them against a cluster, with the inventory for Kubernetes and the images of the test cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "local"))

from suite import Suite

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster

MANAGED = "app.kubernetes.io/managed-by=perfscale.mlflow"
LOOKALIKE = "/api/v1/namespaces/tenant-zz-production"
KINDS_MADE = ("/api/v1/namespaces", "/api/v1/pods", "/api/v1/secrets", "/apis/apps/v1/deployments", "/apis/rbac.authorization.k8s.io/v1/rolebindings")
CLUSTER_STEERING = ("KUBECONFIG", "NAMESPACE", "K6_POD_NAME", "MLFLOW_NAMESPACE", "MLFLOW_POD_LABEL")


class ClusterSuite(Suite):
    """One working directory whose playbooks work in the cluster of KUBECONFIG, as its user or as the one of `login` (K8S_AUTH_…)."""

    def __init__(self, directory: Path, settings: Mapping[str, Any], login: Mapping[str, str] | None = None) -> None:
        super().__init__(directory)
        self.settings = dict(settings)
        self.login = login or {"K8S_AUTH_KUBECONFIG": os.environ["KUBECONFIG"]}
        self._output_before = 0

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        inherited = super().environment()
        kept = {key: value for key, value in inherited.items() if key not in CLUSTER_STEERING and not key.startswith("K8S_AUTH_")}
        return {**kept, **self.login, **(extra or {})}

    def command(self, playbook: str, variables: dict[str, Any] | None = None, *options: str) -> list[str]:
        return super().command(playbook, {**self.settings, **(variables or {})}, "-i", str(ROOT / "inventories" / "kubernetes"), *options)

    def start(self, playbook: str, variables: dict[str, Any] | None = None, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        self._output_before += len(self.output())
        return super().start(playbook, variables, env)

    def output(self) -> str:
        """Return what the playbook that was started last has printed so far."""
        path = self.directory / "play.log"
        return path.read_text(encoding="utf-8")[self._output_before :] if path.exists() else ""

    def wait_for_load(self, run_id: str, cell_id: str, requests: int = 50, limit_s: float = 300) -> dict[str, Any]:
        """Wait until a line of progress shows that k6 of the cell has sent some requests, and return its state.json."""
        deadline = time.monotonic() + limit_s
        while self.may_load(deadline):
            seen = re.findall(rf"{re.escape(cell_id)}: .* (\d+) requests so far", self.output())
            if seen and int(seen[-1]) >= requests:
                return json.loads((self.results / run_id / "cells" / cell_id / "state.json").read_text(encoding="utf-8"))
            time.sleep(0.5)
        raise AssertionError(f"cell {cell_id} made no load within {limit_s} s or before its playbook ended: {self.output()[-3000:]}")


@contextmanager
def nothing_left(cluster: Cluster, selector: str) -> Iterator[None]:
    """Around a teardown: nothing with the selector remains, and a namespace that only resembles a tenant does."""
    root, _slash, name = LOOKALIKE.rpartition("/")
    cluster.request("POST", root, {"metadata": {"name": name}})
    try:
        yield
        assert cluster.request("GET", LOOKALIKE)["status"]["phase"] == "Active"
        assert {path: found for path in KINDS_MADE if (found := cluster.items(path, selector=selector))} == {}
    finally:
        cluster.request("DELETE", LOOKALIKE)
