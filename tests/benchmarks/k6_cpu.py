# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What k6 costs per request with raw samples on, as a multiple of bare GETs, and how much memory it takes.

Pairs of both loads, one after the other against a stand-in on loopback that answers at once; the figure is the median
of the pairs' ratios. Goals: ratio at most 1.8; less than 90 MB at 40,000 requests.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "k6"))
from runs import LOAD, executable, load_config, run_k6, stand_in

USERS = 10
REQUESTS = 40_000
GOAL_RATIO = 1.8
GOAL_BYTES = 90e6
BARE = Path(__file__).with_name("k6_bare.js")


def bare(k6: str, url: str, directory: Path, seconds: float) -> float:
    """CPU seconds per 1000 bare GETs."""
    env = {"BARE_URL": f"{url}/health", "BARE_USERS": str(USERS), "BARE_DURATION": f"{seconds}s"}
    ended = run_k6(k6, BARE, directory, env=env)
    return 1000 * ended.cpu_seconds / ended.json("bare.json")["count"]


def workload(k6: str, url: str, directory: Path, seconds: float) -> tuple[float, int, int]:
    """CPU seconds per 1000 requests of the workload, its requests, its peak memory in bytes."""
    config = load_config(url, profile={"kind": "closed", "concurrency": USERS}, think_time_s=0, warmup_s=0, window_s=seconds)
    ended = run_k6(k6, LOAD, directory, config=config, samples=True, env={"GOGC": os.environ.get("GOGC", "")} if "GOGC" in os.environ else None)
    requests = ended.json("summary.json")["data"]["metrics"]["http_reqs"]["values"]["count"]
    (directory / "raw.csv").unlink()
    return 1000 * ended.cpu_seconds / requests, requests, ended.memory_bytes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    chosen = parser.parse_args()
    k6 = executable("k6", "PERFSCALE_K6")
    ratios = []
    with tempfile.TemporaryDirectory() as temporary, stand_in() as url:
        directory = Path(temporary)
        for pair in range(chosen.pairs):
            base = bare(k6, url, directory, chosen.seconds)
            ours, requests, memory = workload(k6, url, directory, chosen.seconds)
            ratios.append(ours / base)
            print(f"pair {pair + 1}: bare {base:.4f}, workload {ours:.4f} CPU-s per 1000; ratio {ratios[-1]:.2f}; {requests} requests, {memory / 1e6:.0f} MB")
        seconds = chosen.seconds * REQUESTS / requests
        _cost, requests, memory = workload(k6, url, directory, seconds * 1.1)
    ratio = statistics.median(ratios)
    print(f"k6_cpu_ratio {ratio:.2f} (goal <= {GOAL_RATIO})")
    print(f"k6_memory_mb {memory / 1e6:.1f} at {requests} requests (goal < {GOAL_BYTES / 1e6:.0f})")
    return 0 if ratio <= GOAL_RATIO and memory < GOAL_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
