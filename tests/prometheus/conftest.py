# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus over samples that we computed, so that the truth is known.

The executables come from PERFSCALE_PROMETHEUS and PERFSCALE_PROMTOOL, else from PATH; without them these tests are an error.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.tests.prometheus.synthetic import Truth, pods, processes, write_openmetrics
from ansible_collections.perfscale.mlflow.tests.prometheus.synthetic_cluster import cluster


@dataclass(frozen=True)
class RealPrometheus:
    """The URL of the server, and the truths of its data by seed."""

    url: str
    truths: dict[int, Truth]
    processes_start: float
    cluster_start: float
    before_all: float


def executable(variable: str, name: str) -> str:
    found = os.environ.get(variable) or shutil.which(name)
    if not found or not os.access(found, os.X_OK):
        pytest.fail(f"Executable {name}: not found. Put it on PATH, or name it in {variable}.", pytrace=False)
    return found


@pytest.fixture(scope="session")
def real_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPrometheus]:
    directory = tmp_path_factory.mktemp("prometheus")
    tool = executable("PERFSCALE_PROMTOOL", "promtool")
    origin = float(int(time.time()) - 3 * 3600)
    parts = {seed: pods(seed, origin) for seed in range(5)}
    truths = {seed: truth for seed, (_samples, truth) in parts.items()}
    write_openmetrics(directory / "samples.txt", [*(samples for samples, _truth in parts.values()), processes(origin + 3600), cluster(origin + 5400)])
    subprocess.run([tool, "tsdb", "create-blocks-from", "openmetrics", "samples.txt", "data"], cwd=directory, check=True, capture_output=True, timeout=120)
    with running_prometheus(directory) as url:
        yield RealPrometheus(url, truths, origin + 3600, origin + 5400, origin - 7200)


@contextmanager
def running_prometheus(directory: Path, configuration: str = "scrape_configs: []\n", *options: str) -> Iterator[str]:
    """Run a Prometheus over the folder `data` of a directory and give its URL."""
    server = executable("PERFSCALE_PROMETHEUS", "prometheus")
    (directory / "prometheus.yml").write_text(configuration, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}", *options]
    with (directory / "log").open("wb") as log, subprocess.Popen([server, *arguments], cwd=directory, stdout=log, stderr=log) as process:
        try:
            wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_ready(url: str, process: subprocess.Popen[bytes], limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"Prometheus at {url}: not ready after {limit_s:g} s, or ended early.")
