# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What k6 costs per request with raw samples on, as a multiple of bare GETs, and how much memory it takes.

Both loads run at the same time, so that whatever else the machine does slows both alike, each against its own stand-in
on loopback that takes a few milliseconds per answer, so that both make about as many requests. The figure is the median
of the pairs' ratios. Goals: ratio at most 1.8; less than 90 MB at 40,000 requests.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "k6"))
from runs import LOAD, executable, load_config, run_k6, stand_in

USERS = 10
DELAY_MS = 10
GOGC = "150"  # as k6_runner sets it: less garbage collection for some memory
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
    ended = run_k6(k6, LOAD, directory, config=config, samples=True, env={"GOGC": GOGC})
    requests = ended.json("summary.json")["data"]["metrics"]["http_reqs"]["values"]["count"]
    (directory / "raw.csv").unlink()
    return 1000 * ended.cpu_seconds / requests, requests, ended.memory_bytes


def ratios(k6: str, directory: Path, pairs: int, seconds: float) -> list[float]:
    """Cost of the workload over that of bare GETs, one per pair."""
    found = []
    with stand_in(delay_ms=DELAY_MS) as one, stand_in(delay_ms=DELAY_MS) as other, ThreadPoolExecutor(2) as both:
        for pair in range(1, pairs + 1):
            base = both.submit(bare, k6, one, directory / "bare", seconds)
            cost, requests, _memory = both.submit(workload, k6, other, directory / "workload", seconds).result()
            found.append(cost / base.result())
            print(f"pair {pair}: bare {base.result():.3f}, workload {cost:.3f} CPU-s per 1000; ratio {found[-1]:.2f}; {requests} requests")
    return found


def memory_at(k6: str, directory: Path) -> tuple[int, int]:
    """Peak memory in bytes, and the requests that took it: at least REQUESTS, unless the machine is very slow."""
    seconds = 4.0
    with stand_in() as url:
        for _attempt in range(3):
            _cost, requests, memory = workload(k6, url, directory, seconds)
            if requests >= REQUESTS:
                break
            seconds *= 1.1 * REQUESTS / requests
    return memory, requests


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    chosen = parser.parse_args()
    k6 = executable("k6", "PERFSCALE_K6")
    with tempfile.TemporaryDirectory() as temporary:
        ratio = statistics.median(ratios(k6, Path(temporary), chosen.pairs, chosen.seconds))
        memory, requests = memory_at(k6, Path(temporary))
    print(f"k6_cpu_ratio {ratio:.2f} (goal <= {GOAL_RATIO})")
    print(f"k6_memory_mb {memory / 1e6:.1f} at {requests} requests (goal < {GOAL_BYTES / 1e6:.0f})")
    return 0 if ratio <= GOAL_RATIO and memory < GOAL_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
