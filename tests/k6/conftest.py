# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both k6 and a real MLflow for the tests of files/k6. A missing executable is an error, never a skip."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mlflow_api import Mlflow  # noqa: E402
from runs import executable  # noqa: E402

TENANTS = 4
START_LIMIT_S = 180


@pytest.fixture(params=["old", "new"], scope="session")
def k6(request) -> str:
    """Path of k6: the oldest supported one, then a current one."""
    if request.param == "old":
        return executable("k6", "PERFSCALE_K6")
    return executable("k6 of PERFSCALE_K6_NEW", "PERFSCALE_K6_NEW")


@pytest.fixture(scope="session")
def any_k6() -> str:
    """Path of k6, where the version makes no difference."""
    return executable("k6", "PERFSCALE_K6")


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


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory) -> Mlflow:
    """A real MLflow on SQLite with workspaces tenant-1 … tenant-4."""
    directory = tmp_path_factory.mktemp("mlflow")
    url = f"http://127.0.0.1:{_free_port()}"
    command = [
        executable("mlflow", "PERFSCALE_MLFLOW"), "server", "--host", "127.0.0.1", "--port", url.rsplit(":", 1)[1], "--workers", "1",
        "--backend-store-uri", f"sqlite:///{directory}/mlflow.db",
        "--serve-artifacts", "--artifacts-destination", f"{directory}/artifacts", "--enable-workspaces",
    ]
    log = directory / "mlflow.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=directory, env={**os.environ, "MLFLOW_ENABLE_WORKSPACES": "true"}, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_until_healthy(url, process, log)
        server = Mlflow(url)
        for number in range(1, TENANTS + 1):
            server.call("POST", "/api/3.0/mlflow/workspaces", {"name": f"tenant-{number}"}, workspace=None)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
