# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repack and summarize a synthetic raw file; print seconds, those of its statistics, peak memory, bytes kept per request, and the cost of reading the progress.

Two loads, because tenants and VUs decide how well samples compress. Usage: samples_repack.py [--requests 300000]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import pools_by_operation
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.intervals import interval_blocks
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import OPERATIONS
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.progress import read_progress
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import read_raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.timeline import steadiness, timeline_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from fakes.fake_raw_samples import EPOCH_MS, write_raw

GOAL_SECONDS = 10.0
GOAL_STATISTICS_SECONDS = 5.0
GOAL_BYTES = 1 << 30
GOAL_BYTES_PER_REQUEST = 15.0
LOADS = {"10 VUs, 10 tenants": (10, 10), "50 VUs, 500 tenants": (50, 500)}


def measure(directory: Path) -> None:
    """Repack in this process and print seconds, CPU seconds, seconds of statistics, peak bytes and bytes per request: the child's side."""
    began, used = time.perf_counter(), time.process_time()
    window = (EPOCH_MS / 1000 + 5, EPOCH_MS / 1000 + 60)
    result = build_result(Attempt(directory, directory / "kept", window=window, exit_code=0))["result"]
    seconds, used = time.perf_counter() - began, time.process_time() - used
    statistics = measure_statistics(directory, Window(window[0] * 1000, window[1] * 1000))
    print(seconds, used, statistics, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, result["samples"]["bytes_per_row"])


def measure_statistics(directory: Path, window: Window) -> float:
    """Return the seconds that intervals, timeline and steadiness of all requests take."""
    raw = read_raw(directory / "raw.csv", 60_000)
    pools = pools_by_operation(raw.requests, window)
    began = time.perf_counter()
    interval_blocks(raw, pools, window, OPERATIONS)
    steadiness(timeline_of(raw.requests, window))
    return time.perf_counter() - began


def repack(directory: Path) -> list[float]:
    """Repack in a child process, so that only its own memory counts."""
    child = subprocess.run([sys.executable, __file__, "--measure", str(directory)], check=True, capture_output=True, text=True)
    return [float(figure) for figure in child.stdout.split()]


def main() -> int:
    """Print the figures; return 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=300_000)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        measure(chosen.measure)
        return 0
    good = True
    for load, (vus, tenants) in LOADS.items():
        with tempfile.TemporaryDirectory() as temporary:
            raw = Path(temporary) / "raw.csv"
            write_raw(raw, chosen.requests, vus, tenants)
            megabytes = raw.stat().st_size / 1e6
            seconds, used, statistics, peak, per_request = repack(Path(temporary))
            used_before = time.process_time()
            read_progress(raw)
            progress_ms = 1000 * (time.process_time() - used_before) / megabytes
        good = good and seconds <= GOAL_SECONDS and statistics <= GOAL_STATISTICS_SECONDS and peak <= GOAL_BYTES and per_request <= GOAL_BYTES_PER_REQUEST
        print(f"samples_repack_seconds {seconds:.2f} of {chosen.requests} requests, {megabytes:.0f} MB raw, {load} (goal <= {GOAL_SECONDS:g})")
        print(f"samples_repack_cpu_seconds {used:.2f}")
        print(f"statistics_seconds {statistics:.2f} (goal <= {GOAL_STATISTICS_SECONDS:g})")
        print(f"samples_repack_memory_mb {peak / 1e6:.0f} (goal <= {GOAL_BYTES / 1e6:.0f})")
        print(f"samples_bytes_per_request {per_request:.1f} (goal <= {GOAL_BYTES_PER_REQUEST:g})")
        print(f"progress_cpu_ms_per_raw_mb {progress_ms:.2f}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
