# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diagnosis of a cluster with a problem: the log before a restart, and why a log cannot be read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster

LIMIT_S = 60
ENDS_ONCE = "if [ -e /state/ended ]; then echo again; exec sleep 600; fi; touch /state/ended; echo out of luck; exit 1"


def pod(name: str, image: str) -> dict[str, Any]:
    container = {
        "name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", ENDS_ONCE],
        "volumeMounts": [{"name": "state", "mountPath": "/state"}],
    }  # fmt: skip
    spec = {"containers": [container], "volumes": [{"name": "state", "emptyDir": {}}], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def container_status(cluster: Cluster, path: str) -> dict[str, Any]:
    return ((cluster.request("GET", path).get("status") or {}).get("containerStatuses") or [{}])[0]


def test_a_restart_and_a_missing_image_are_explained(
    cluster: Cluster, namespace: str, images: dict[str, str], playbook: Callable[..., Any], tmp_path: Path
) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    cluster.request("POST", pods, pod("restarted", images["busybox"]))
    cluster.request("POST", pods, pod("without-image", "localhost/none:1"))
    deadline = time.monotonic() + LIMIT_S
    while not (
        container_status(cluster, f"{pods}/restarted").get("ready") and container_status(cluster, f"{pods}/without-image").get("state", {}).get("waiting")
    ):
        if time.monotonic() > deadline:
            pytest.fail(f"the pods are not as wanted after {LIMIT_S} s: {cluster.items(pods)}")
        time.sleep(0.5)
    variables = {"deploy_environment": "kubernetes", "run_id": "broken", "results_dir": str(tmp_path / "results")}
    played = playbook("diagnose", variables, env={"NAMESPACE": namespace, "MLFLOW_NAMESPACE": namespace})
    assert played.returncode == 0
    kept = tmp_path / "results" / "broken" / "diagnosis"
    assert (kept / f"{namespace}_restarted.log").read_text(encoding="utf-8").split("\n")[0] == "again"
    assert "out of luck" in (kept / f"{namespace}_restarted_main_before_restart.log").read_text(encoding="utf-8")
    assert not (kept / f"{namespace}_without-image_main_before_restart.log").exists()
    why = (kept / f"{namespace}_without-image.log").read_text(encoding="utf-8")
    assert "is waiting to start" in why
    assert not any(word in why for word in ("Traceback", "traceback", ".py", "HTTPHeaderDict"))
