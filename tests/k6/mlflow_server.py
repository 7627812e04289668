# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a real MLflow on SQLite with workspaces, on loopback, and stops it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from mlflow_api import Mlflow
from runs import executable

START_LIMIT_S = 240


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
def started_mlflow(directory: Path, tenants: int) -> Iterator[Mlflow]:
    """A new MLflow with workspaces tenant-1 … tenant-<tenants>; its data lie in `directory`."""
    port = _free_port()
    command = [
        executable("mlflow", "PERFSCALE_MLFLOW"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
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
        server = Mlflow(f"http://127.0.0.1:{port}")
        _wait_until_healthy(server.url, process, log)
        for number in range(1, tenants + 1):
            server.call("POST", "/api/3.0/mlflow/workspaces", {"name": f"tenant-{number}"}, workspace=None)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
