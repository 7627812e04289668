# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real MLflow server in a directory, on a free port of the loopback address."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_LIMIT_S = 180


@dataclass
class RunningMlflow:
    """A server that this test session started."""

    url: str
    database: Path
    directory: Path


def executable(name: str) -> str:
    """Return the path of a program from PERFSCALE_<NAME> or PATH; a missing one is an error, not a reason to skip."""
    variable = f"PERFSCALE_{name.upper()}"
    found = os.environ.get(variable) or shutil.which(name)
    if not found:
        raise FileNotFoundError(f"Program {name}: is not on PATH. Install it, or set {variable} to its path.")
    return found


@contextmanager
def running_mlflow(directory: Path, *arguments: str):
    """Start `mlflow server` with SQLite in the directory, yield it once /health responds, and stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = directory / "mlflow.db"
    command = [
        executable("mlflow"),
        "server",
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{database}", "--serve-artifacts", "--artifacts-destination", str(directory / "artifacts")),
        *arguments,
    ]
    log = directory / "server.log"
    # The job runner starts a dozen Python processes that no test here needs.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, cwd=directory, env=environment, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_healthy(url, process, log)
        yield RunningMlflow(url, database, directory)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)


def _wait_healthy(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"MLflow did not become healthy within {START_LIMIT_S} s:\n{log.read_text()[-3000:]}")
