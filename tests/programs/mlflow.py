# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a real MLflow on SQLite with workspaces, on loopback, read what is in it, and stop it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from programs.k6 import executable

START_LIMIT_S = 240
API = "/api/2.0/mlflow"


class Mlflow:
    """A running MLflow at `url`, with its first process."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that its processes have used."""
        first = psutil.Process(self.pid)
        return sum(sum(process.cpu_times()[:2]) for process in (first, *first.children(recursive=True)))

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, workspace: str | None = "tenant-1") -> dict[str, Any]:
        """Send one request and return the response's JSON. Raises urllib.error.HTTPError."""
        headers = {"Content-Type": "application/json"} | ({"X-MLFLOW-WORKSPACE": workspace} if workspace else {})
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"{}")

    def experiments(self, workspace: str, prefix: str) -> list[dict[str, Any]]:
        """Return the experiments whose name begins with `prefix`."""
        body = {"filter": f"name LIKE '{prefix}%'", "max_results": 1000}
        return self.call("POST", f"{API}/experiments/search", body, workspace).get("experiments", [])

    def runs(self, workspace: str, experiment: str) -> list[dict[str, Any]]:
        """Return the active runs of an experiment."""
        return self.call("POST", f"{API}/runs/search", {"experiment_ids": [experiment], "max_results": 1000}, workspace).get("runs", [])

    def artifacts(self, workspace: str, run: str) -> list[str]:
        """Return the paths in the artifact root of a run."""
        return [file["path"] for file in self.call("GET", f"{API}/artifacts/list?run_id={run}", workspace=workspace).get("files", [])]

    def prompts(self, workspace: str, prefix: str) -> dict[str, list[str]]:
        """Return the prompts whose name begins with `prefix`, with the numbers of their latest versions."""
        path = f"{API}/registered-models/search?max_results=1000&filter=tags.%60mlflow.prompt.is_prompt%60%20=%20%27true%27"
        found = self.call("GET", path, workspace=workspace).get("registered_models", [])
        return {model["name"]: [v["version"] for v in model.get("latest_versions", [])] for model in found if model["name"].startswith(prefix)}


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def _wait_until_healthy(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"MLflow {url}: ended with {process.returncode}. Its log: {log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise TimeoutError(f"MLflow {url}: not healthy within {START_LIMIT_S} s. Its log: {log.read_text()[-2000:]}")


@contextlib.contextmanager
def started_mlflow(directory: Path, tenants: int, variable: str = "PERFSCALE_MLFLOW") -> Iterator[Mlflow]:
    """Yield a new MLflow with workspaces tenant-1 … tenant-<tenants>; its data are in `directory`. The environment variable names its program."""
    port = _free_port()
    command = [
        executable("mlflow", variable), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{directory}/mlflow.db",
        "--serve-artifacts", "--artifacts-destination", f"{directory}/artifacts", "--enable-workspaces",
    ]
    # The job runner starts a dozen Python processes that no test here needs.
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment = os.environ | {"MLFLOW_ENABLE_WORKSPACES": "true", **quiet}
    log = directory / "mlflow.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        server = Mlflow(f"http://127.0.0.1:{port}", process.pid)
        _wait_until_healthy(server.url, process, log)
        for number in range(1, tenants + 1):
            server.call("POST", "/api/3.0/mlflow/workspaces", {"name": f"tenant-{number}"}, workspace=None)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
