# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the CPU cost of k6 per request with raw samples, as a multiple of bare GETs, and its memory.

The workload runs with the environment that the collection sets for k6, the bare GETs with k6's defaults. Both run at the
same time, so that whatever else the machine does slows both alike, each against its own simulated MLflow on loopback that takes
a few milliseconds per response, so that both send about as many requests. Each figure is the median of its rounds.
Goals: ratio at most 1.8; less than 90 MB at 40,000 requests.
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

USERS = 10
DELAY_MS = 10
REQUESTS = 40_000
GOAL_RATIO = 1.8
GOAL_BYTES = 90e6
BARE = Path(__file__).with_name("k6_bare.js")


def bare(k6: str, url: str, directory: Path, seconds: float) -> float:
    """Return the CPU seconds per 1000 bare GETs."""
    env = {"BARE_URL": f"{url}/health", "BARE_USERS": str(USERS), "BARE_DURATION": f"{seconds}s"}
    ended = run_k6(k6, BARE, directory, env=env)
    return 1000 * ended.cpu_seconds / ended.json("bare.json")["count"]


def workload(k6: str, url: str, directory: Path, seconds: float) -> tuple[float, int, int]:
    """Return the CPU seconds per 1000 requests of the workload, its requests, its peak memory in bytes."""
    config = load_config(url, profile={"kind": "closed", "concurrency": USERS}, think_time_s=0, warmup_s=0, window_s=seconds)
    ended = run_k6(k6, LOAD, directory, config=config, samples=True, env=k6_command(k6, str(LOAD), directory, None)["env"])
    requests = ended.json("summary.json")["data"]["metrics"]["http_reqs"]["values"]["count"]
    (directory / "raw.csv").unlink()
    return 1000 * ended.cpu_seconds / requests, requests, ended.memory_bytes


def ratios(k6: str, directory: Path, pairs: int, seconds: float) -> list[float]:
    """Return the cost of the workload over that of bare GETs, one per pair."""
    found = []
    latency = {"*": {"constant": DELAY_MS}}
    with simulated_url(latency=latency) as one, simulated_url(latency=latency) as other, ThreadPoolExecutor(2) as both:
        for pair in range(1, pairs + 1):
            base = both.submit(bare, k6, one, directory / "bare", seconds)
            cost, requests, _memory = both.submit(workload, k6, other, directory / "workload", seconds).result()
            found.append(cost / base.result())
            print(f"pair {pair}: bare {base.result():.3f}, workload {cost:.3f} CPU-s per 1000; ratio {found[-1]:.2f}; {requests} requests")
    return found


def memory_at(k6: str, directory: Path, rounds: int) -> tuple[float, int]:
    """Return the median of the peak memory in bytes, and the fewest requests of a round: at least REQUESTS, unless the machine is very slow."""
    seconds, found = 4.0, []
    with simulated_url() as url:
        for _attempt in range(2 * rounds):
            _cost, requests, memory = workload(k6, url, directory, seconds)
            if requests >= REQUESTS:
                found.append((memory, requests))
                print(f"memory {memory / 1e6:.1f} MB at {requests} requests, {requests / seconds:.0f} per second")
            else:
                seconds *= 1.2 * REQUESTS / requests
            if len(found) == rounds:
                break
    found = found or [(memory, requests)]
    return statistics.median(memory for memory, _requests in found), min(requests for _memory, requests in found)


def main() -> int:
    """Print the figures; return 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--memory-rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6)
    chosen = parser.parse_args()
    k6 = executable("k6", "PERFSCALE_K6")
    with tempfile.TemporaryDirectory() as temporary:
        ratio = statistics.median(ratios(k6, Path(temporary), chosen.pairs, chosen.seconds))
        memory, requests = memory_at(k6, Path(temporary), chosen.memory_rounds)
    print(f"k6_cpu_ratio {ratio:.2f} (goal <= {GOAL_RATIO})")
    print(f"k6_memory_mb {memory / 1e6:.1f} at {requests} requests (goal < {GOAL_BYTES / 1e6:.0f})")
    return 0 if ratio <= GOAL_RATIO and memory < GOAL_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
