# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus over samples that we computed, so that the truth is known.

The executables come from PERFSCALE_PROMETHEUS and PERFSCALE_PROMTOOL, else from PATH; without them these tests are an error.
"""

from __future__ import annotations

import math
import os
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRAPE_S = 30.0
WINDOW_S = 1800.0
GAP_S = (900.0, 1020.0)
RESET_S = 665.0
REPLICAS = 4


@dataclass(frozen=True)
class Truth:
    """A window over synthetic counters, and what a perfect observer would say about it."""

    start: float
    end: float
    cpu_cores_mean: float
    cpu_cores_mean_of: dict[str, float]
    memory_bytes_peak: float


@dataclass(frozen=True)
class RealPrometheus:
    """Where the server answers, and the truths of its data by seed."""

    url: str
    truths: dict[int, Truth]
    before_all: float


def executable(variable: str, name: str) -> str:
    found = os.environ.get(variable) or shutil.which(name)
    if not found or not os.access(found, os.X_OK):
        pytest.fail(f"Executable {name}: not found. Put it on PATH, or name it in {variable}.", pytrace=False)
    return found


def load_curve(randomness: random.Random) -> Callable[[float], float]:
    """Returns CPU seconds used up to second t: a wandering load with bursts, in closed form."""
    base = randomness.uniform(0.3, 1.2)
    swing, period, shift = base * randomness.uniform(0.2, 0.6), randomness.uniform(70, 400), randomness.uniform(0, 6)

    def used(t: float) -> float:
        return base * t + swing * period / math.tau * (math.cos(shift) - math.cos(math.tau * t / period + shift))

    return used


def synthetic(seed: int, origin: float) -> tuple[dict[str, list[str]], Truth]:
    """Returns OpenMetrics lines by metric, and the truth, of four replicas with one counter reset and a gap of two minutes."""
    randomness = random.Random(seed)
    phase = randomness.uniform(0, SCRAPE_S)
    reset_at = RESET_S + randomness.uniform(-SCRAPE_S, SCRAPE_S)
    cpu, memory, means, peak = [], [], {}, 0.0
    for replica in range(REPLICAS):
        used = load_curve(randomness)
        pod = f"mlflow-{replica}"
        labels = f'{{namespace="seed-{seed}",pod="{pod}",container="mlflow"}}'
        means[pod] = (used(WINDOW_S) - used(0)) / WINDOW_S
        t = phase - 4 * SCRAPE_S
        while t < WINDOW_S + 2 * SCRAPE_S:
            if not GAP_S[0] <= t < GAP_S[1]:
                since = reset_at if replica == 0 and t >= reset_at else -600.0
                cpu.append(f"container_cpu_usage_seconds_total{labels} {used(t) - used(since):.6f} {origin + t:.3f}")
                memory.append(f"container_memory_working_set_bytes{labels} {(replica + 1) * 1e8 + t * 1000:.0f} {origin + t:.3f}")
                if 0 <= t <= WINDOW_S and replica == REPLICAS - 1:
                    peak = max(peak, sum((number + 1) * 1e8 + t * 1000 for number in range(REPLICAS)))
            t += SCRAPE_S
    truth = Truth(origin, origin + WINDOW_S, sum(means.values()), means, peak)
    return {"container_cpu_usage_seconds_total": cpu, "container_memory_working_set_bytes": memory}, truth


def write_openmetrics(path: Path, seeds: range, origin: float) -> dict[int, Truth]:
    """Writes the samples of all seeds grouped by metric, as OpenMetrics demands, and returns their truths."""
    kinds = {
        "container_cpu_usage_seconds_total": "container_cpu_usage_seconds counter",
        "container_memory_working_set_bytes": "container_memory_working_set_bytes gauge",
    }
    lines: dict[str, list[str]] = {metric: [] for metric in kinds}
    truths = {}
    for seed in seeds:
        found, truths[seed] = synthetic(seed, origin)
        for metric in kinds:
            lines[metric] += found[metric]
    with path.open("w", encoding="utf-8") as stream:
        for metric, kind in kinds.items():
            stream.write(f"# TYPE {kind}\n" + "\n".join(lines[metric]) + "\n")
        stream.write("# EOF\n")
    return truths


@pytest.fixture(scope="session")
def real_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPrometheus]:
    directory = tmp_path_factory.mktemp("prometheus")
    server, tool = executable("PERFSCALE_PROMETHEUS", "prometheus"), executable("PERFSCALE_PROMTOOL", "promtool")
    origin = float(int(time.time()) - 3 * 3600)
    truths = write_openmetrics(directory / "samples.txt", range(5), origin)
    subprocess.run([tool, "tsdb", "create-blocks-from", "openmetrics", "samples.txt", "data"], cwd=directory, check=True, capture_output=True, timeout=120)
    (directory / "prometheus.yml").write_text("scrape_configs: []\n", encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}"]
    with (directory / "log").open("wb") as log, subprocess.Popen([server, *arguments], cwd=directory, stdout=log, stderr=log) as process:
        try:
            wait_until_ready(url, process)
            yield RealPrometheus(url, truths, origin - 7200)
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_ready(url: str, process: subprocess.Popen[bytes], limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"Prometheus at {url}: not ready after {limit_s:g} s, or ended early.")
