# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus over samples that we computed, so that the truth is known.

The executables come from PERFSCALE_PROMETHEUS and PERFSCALE_PROMTOOL, else from PATH; without them these tests are an error.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ansible_collections.perfscale.mlflow.tests.prometheus.synthetic import Truth, load, pods, processes, write_openmetrics
from ansible_collections.perfscale.mlflow.tests.prometheus.synthetic_cluster import cluster
from programs.k6 import executable
from programs.prometheus import running_prometheus


@dataclass(frozen=True)
class RealPrometheus:
    """The URL of the server, and the truths of its data by seed."""

    url: str
    truths: dict[int, Truth]
    processes_start: float
    cluster_start: float
    before_all: float


@pytest.fixture(scope="session")
def real_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPrometheus]:
    directory = tmp_path_factory.mktemp("prometheus")
    tool = executable("promtool", "PERFSCALE_PROMTOOL")
    origin = float(int(time.time()) - 3 * 3600)
    parts = {seed: pods(seed, origin) for seed in range(5)}
    truths = {seed: truth for seed, (_samples, truth) in parts.items()}
    known = [*(samples for samples, _truth in parts.values()), processes(origin + 3600), cluster(origin + 5400), load(origin + 5400)]
    write_openmetrics(directory / "samples.txt", known)
    subprocess.run([tool, "tsdb", "create-blocks-from", "openmetrics", "samples.txt", "data"], cwd=directory, check=True, capture_output=True, timeout=120)
    with running_prometheus(directory) as url:
        yield RealPrometheus(url, truths, origin + 3600, origin + 5400, origin - 7200)
