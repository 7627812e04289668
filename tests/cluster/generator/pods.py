# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A generator's pod for tests: created by the collection's own code, its loads run through the role in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_lifecycle, pod_manifests
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import Backend
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.k6_operator import cluster_backend
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod import container_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_rpc import PodRpc
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "files" / "k6"
PLAYBOOK = Path(__file__).with_name("load.yml")
NAME = "k6-benchmark"
CELL = "t3-c5-r1"
SETTINGS: dict[str, Any] = {
    "name": NAME,
    "run_id": "d-run",
    "image_pull_policy": "IfNotPresent",
    "resources": {"requests": {"cpu": "100m", "memory": "96Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
    "volume": "empty_dir",
    "volume_size": "1Gi",
    "avoid": [],
    "avoid_required": False,
    "network_policy": False,
    "timeout_s": 60.0,
}


class Generator:
    """One pod in a namespace of the test's own, the loads from it, and where these leave their files."""

    def __init__(self, cluster: Cluster, namespace: str, image: str, directory: Path) -> None:
        self.cluster = cluster
        self.settings = {**SETTINGS, "namespace": namespace, "image": image}
        self.cell = directory / "cells" / CELL
        self.result_file = directory / "result.json"
        self.log = directory / "playbook.log"
        self.target: dict[str, Any] = {}

    def create(self, secrets: dict[str, bytes] | None = None, **changes: Any) -> bool:
        """Create the pod; return whether anything changed."""
        self.settings = {**self.settings, **changes}
        result = pod_lifecycle.present(self.cluster, self.settings, pod_manifests.scripts(SCRIPTS), secrets or {})
        self.target = result["generator"]
        return bool(result["changed"])

    def backend(self) -> Backend:
        """Return a backend for the loads of the pod, or those that are divided."""
        return cluster_backend(self.target["kind"], lambda: self.cluster)

    def phase(self, handle: dict[str, Any]) -> str:
        """Return the phase of a load, as load.sh reports it."""
        return PodRpc(self.cluster, container_of(handle)).call("status", handle["directory"])["phase"]

    def pod(self) -> dict[str, Any] | None:
        """Return the object of the pod."""
        return pod_lifecycle.get_pod(self.cluster, self.settings["namespace"], NAME)

    def delete(self) -> None:
        """Delete the pod, as another user might."""
        path = f"/api/v1/namespaces/{self.settings['namespace']}/pods/{NAME}"
        self.cluster.request("DELETE", path, body={"gracePeriodSeconds": 1})

    def play(self, config: dict[str, Any], *options: str, **variables: Any) -> subprocess.Popen[str]:
        """Start ansible-playbook with one load and return its process; its output goes to `log`."""
        given = {
            "k6_runner_name": "cell 1 of 1",
            "k6_runner_directory": str(self.cell),
            "k6_runner_generator": self.target,
            "k6_runner_plan_digest": "digest-1",
            "k6_runner_config": config,
            "k6_runner_expected_s": config["warmup_s"] + config["window_s"],
            "k6_runner_time_limit_s": 240,
            "k6_runner_progress_interval_s": 2,
            "result_file": str(self.result_file),
            **variables,
        }
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", str(PLAYBOOK), "-e", json.dumps(given), *options]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        # The default callback prints all that a module returned.
        settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
        environment = {**inherited, **settings, "K8S_AUTH_KUBECONFIG": os.environ["KUBECONFIG"]}
        with self.log.open("a") as log:
            return subprocess.Popen(command, cwd=self.log.parent, env=environment, stdout=log, stderr=log, text=True, start_new_session=True)

    def load(self, config: dict[str, Any], *options: str, limit_s: float = 300, **variables: Any) -> int:
        """Run one load to its end and return the exit code of ansible-playbook."""
        code = self.play(config, *options, **variables).wait(timeout=limit_s)
        print(self.log.read_text())
        return code

    def state(self) -> dict[str, Any]:
        """Return state.json of the cell."""
        return json.loads((self.cell / "state.json").read_text())

    def result(self) -> dict[str, Any]:
        """Return the result of the role."""
        return json.loads(self.result_file.read_text())

    def output(self) -> str:
        """Return what ansible-playbook printed so far."""
        return self.log.read_text() if self.log.exists() else ""


def until(what: str, condition: Callable[[], Any], limit_s: float = 60.0) -> Any:
    """Wait until a condition holds, and return its value; fail with its name when it never does."""
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {limit_s:g} s"
        time.sleep(0.2)
    return found
