# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what live metrics cost k6: CPU per request and peak memory with them, as a multiple of those without.

Both loads of a pair run at the same time, each against its own simulated MLflow on loopback, so that whatever else the machine does slows both alike. The
metrics go to a real Prometheus. Each figure is the median of its pairs. Goals: at most 1.1 times the CPU and, at 9,000 requests, 1.3 times the memory.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import k6_command
from fakes.k6_configs import load_config
from fakes.simulated_mlflow import simulated_url
from programs.k6 import LOAD, executable, run_k6
from programs.prometheus import running_prometheus

USERS = 10
DELAY_MS = 10
GOAL_CPU = 1.1
GOAL_MEMORY = 1.3


def cost(k6: str, url: str, directory: Path, seconds: float, live: str) -> tuple[float, int, int]:
    """Return the CPU seconds per 1000 requests, the peak memory in bytes and the number of requests."""
    config = load_config(url, profile={"kind": "closed", "concurrency": USERS}, think_time_s=0, warmup_s=0, window_s=seconds)
    command = k6_command(k6, str(LOAD), directory, None, live=live)
    outputs = command["argv"][command["argv"].index("--out") : -1]
    ended = run_k6(k6, LOAD, directory, config=config, env=command["env"], options=outputs)
    requests = ended.json("summary.json")["data"]["metrics"]["http_reqs"]["values"]["count"]
    (directory / "raw.csv").unlink()
    return 1000 * ended.cpu_seconds / requests, ended.memory_bytes, requests


def main() -> int:
    """Print the figures; return 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=12)
    chosen = parser.parse_args()
    k6, latency, found = executable("k6", "PERFSCALE_K6"), {"*": {"constant": DELAY_MS}}, []
    with (
        tempfile.TemporaryDirectory() as temporary, simulated_url(latency=latency) as one, simulated_url(latency=latency) as other,
        running_prometheus(Path(temporary), "scrape_configs: []\n", "--web.enable-remote-write-receiver") as prometheus, ThreadPoolExecutor(2) as both,
    ):  # fmt: skip
        for pair in range(1, chosen.pairs + 1):
            without = both.submit(cost, k6, one, Path(temporary) / "without", chosen.seconds, "")
            live = both.submit(cost, k6, other, Path(temporary) / "live", chosen.seconds, f"{prometheus}/api/v1/write").result()
            found.append((live[0] / without.result()[0], live[1] / without.result()[1]))
            print(f"pair {pair}: {without.result()[0]:.3f} and live {live[0]:.3f} CPU-s per 1000; memory {found[-1][1]:.2f}; {live[2]} requests")
    cpu, memory = (statistics.median(values) for values in zip(*found, strict=True))
    print(f"k6_live_cpu_ratio {cpu:.2f} (goal <= {GOAL_CPU})")
    print(f"k6_live_memory_ratio {memory:.2f} (goal <= {GOAL_MEMORY})")
    return 0 if cpu <= GOAL_CPU and memory <= GOAL_MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
