# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of the generator's pod: the real load.sh, run by this machine's sh in a directory, and a cluster that holds the pod's object."""

from __future__ import annotations

import base64
import copy
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import CommandResult
from fakes.fake_cluster import FakeCluster

ROOT = Path(__file__).resolve().parents[2]
RAW = ROOT / "tests" / "unit" / "fixtures" / "k6" / "1.8.1" / "raw.csv"
NAMESPACE, POD = "bench", "k6-benchmark"
POD_PATH = f"/api/v1/namespaces/{NAMESPACE}/pods/{POD}"
SECRET_PATH = f"/api/v1/namespaces/{NAMESPACE}/secrets/{POD}-access"
AVOID = [{"name": "mlflow", "labels": {"app": "mlflow"}, "namespaces": []}, {"name": "db", "labels": {"app": "db"}, "namespaces": ["data"]}]
RUNNING = {"phase": "Running", "containerStatuses": [{"name": "k6", "restartCount": 0, "state": {"running": {}}}]}
# It writes what k6 writes, runs for the window of its configuration, and ends with the exit code of the fake.
PROGRAM = """#!{sh}
if [ "$1" = version ]; then echo "k6 v1.1.0 (a fake)"; exit 0; fi
cp "{raw}" raw.csv
echo '{{}}' > summary_tenants-1_concurrency_1.json
echo "log of the fake"
"{sleep}" "$(sed -n 's/.*"window_s": \\([0-9.]*\\).*/\\1/p' load_config.json)" &
trap 'kill "$!"; trap - TERM; kill "$$"' TERM
wait
exit "$(cat "{exit_code}")"
"""


def settings_of(**changes: Any) -> dict[str, Any]:
    """Return the settings of the fake pod, with changes."""
    return {
        "name": POD,
        "namespace": NAMESPACE,
        "run_id": "run-1",
        "image": "k6:1",
        "image_pull_policy": "IfNotPresent",
        "resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}},
        "volume": "empty_dir",
        "volume_size": "1Gi",
        "avoid": AVOID,
        "avoid_required": False,
        "network_policy": False,
        "timeout_s": 0.5,
        **changes,
    }


class FakeGeneratorPod(FakeCluster):
    """One cluster with one pod, whose volume is a directory; `fails` lists errors that the next commands raise, `cuts` commands whose response is cut.

    `commands` are the words after the script's name.
    """

    def __init__(self, directory: Path, program: str) -> None:
        super().__init__((POD_PATH, self.pod()), ("/api/v1/namespaces/bench", {"metadata": {"name": NAMESPACE}}))
        self.served["/api/v1"].append({"name": "persistentvolumeclaims", "kind": "PersistentVolumeClaim", "namespaced": True})
        self.served["/apis/networking.k8s.io/v1"] = [{"name": "networkpolicies", "kind": "NetworkPolicy", "namespaced": True}]
        self.directory = directory
        self.fails: list[Exception] = []
        self.cuts: list[str] = []
        self.commands: list[list[str]] = []
        for name in ("scripts", "results", "access", "bin"):
            (directory / name).mkdir(parents=True)
        shutil.copytree(ROOT / "files" / "k6", directory / "scripts", dirs_exist_ok=True)
        path = directory / "bin" / program
        self._exit_code = directory / "exit_code"
        path.write_text(PROGRAM.format(sh=shutil.which("sh"), sleep=shutil.which("sleep"), raw=RAW, exit_code=self._exit_code))
        path.chmod(0o755)
        self.ends_with(0)

    @property
    def script(self) -> str:
        """Where load.sh lies."""
        return str(self.directory / "scripts" / "pod" / "load.sh")

    def ends_with(self, exit_code: int) -> None:
        """Make the program end with an exit code."""
        self._exit_code.write_text(str(exit_code))

    @staticmethod
    def pod(**status: Any) -> dict[str, Any]:
        """Return the object of a running managed pod, optionally with another status."""
        labels = {"app.kubernetes.io/managed-by": "perfscale.mlflow", "perfscale.mlflow/run-id": "r"}
        metadata = {"name": POD, "namespace": NAMESPACE, "uid": "uid-1", "labels": labels}
        return {"metadata": metadata, "spec": {"nodeName": "node0"}, "status": {**copy.deepcopy(RUNNING), **status}}

    def get(self, path: str, **_options: Any) -> dict[str, Any] | None:
        if path.startswith("down:"):
            raise ClusterError("the API server does not answer")
        return super().get(path)

    def items(self, path: str, selector: str = "", **_query: Any) -> list[dict[str, Any]]:
        return super().items(path, selector)

    def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        if method == "PATCH" and options["content_type"] == "application/merge-patch+json":
            self.requests.append((method, path))
            self.sync()
            return {}
        answer = super().request(method, path, **options)
        if path == POD_PATH and method == "PATCH" and "dryRun" not in (options.get("query") or {}):
            self.objects[path].setdefault("status", copy.deepcopy(RUNNING))
            self.objects[path]["spec"]["nodeName"] = "node0"
        return answer

    def sync(self) -> None:
        """Do what the kubelet does: the files of the Secret appear."""
        for name, value in self.objects.get(SECRET_PATH, {}).get("data", {}).items():
            (self.directory / "access" / name).write_bytes(base64.b64decode(value))

    def run(self, _cluster: Any, container: Any, argv: list[str], stdin: bytes = b"", timeout_s: float = 30.0) -> CommandResult:
        """Replace pod_exec.run."""
        assert container == (NAMESPACE, POD, "k6")
        words = argv[argv.index(self.script) + 1 :]
        self.commands.append(words)
        if self.fails:
            raise self.fails.pop(0)
        environment = {"PATH": f"{self.directory / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(self.directory)}
        done = subprocess.run(argv, input=stdin, capture_output=True, env=environment, timeout=timeout_s, check=False)
        if words[0] in self.cuts:
            self.cuts.remove(words[0])
            return CommandResult(None, done.stdout[: len(done.stdout) // 2], "")
        return CommandResult(done.returncode, done.stdout, done.stderr.decode())
