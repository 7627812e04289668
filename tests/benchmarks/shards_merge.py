# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge the raw output of several shards and compute a cell from it; print seconds, peak memory, and how exact the percentiles are.

Usage: shards_merge.py [--requests 300000] [--shards 8]. Memory is bounded whatever the number of requests; seconds are judged up to 300,000. The raw
output is that of shards of at most 300,000 requests, gzip with the lines that are read, as it arrives from a pod; with more shards than eight the same files
are used again.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import ROWS
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from fakes.fake_raw_samples import EPOCH_MS, raw_rows
from fakes.k6_raw_rows import HEADER
from fakes.sharded_attempts import write_attempt

GOAL_SECONDS, GOAL_BYTES = 10.0, 400_000_000
JUDGED = 300_000
WRITTEN = 8
BEGUN_MS = 5000


def write_shard(path: Path, requests: int, seed: int) -> None:
    """Write the raw output of one shard as it arrives from a pod."""
    kept = tuple(ROWS)
    with gzip.open(path, "wt", compresslevel=1, encoding="ascii") as raw:
        raw.write(HEADER)
        for text in raw_rows(requests, 20, 100, seed):
            raw.writelines(line for line in text.splitlines(keepends=True) if line.startswith(kept))


def write_shards(directory: Path, requests: int, shards: int) -> None:
    """Write an attempt of so many shards; those after the eighth are further names of the first ones."""
    write_attempt(directory, dict.fromkeys(range(1, shards + 1), ""))
    each = requests // shards
    for number in range(1, shards + 1):
        own = directory / "shards" / str(number)
        (own / "raw.csv").unlink()
        (own / "summary.json").write_text(json.dumps({"metrics": {"http_reqs": {"values": {"count": each}}}}))
        if number <= WRITTEN:
            write_shard(own / "raw.csv.gz", each, number)
        else:
            os.link(directory / "shards" / str(1 + (number - 1) % WRITTEN) / "raw.csv.gz", own / "raw.csv.gz")


def measure(directory: Path) -> None:
    """Merge in this process and print its figures: the child's side."""
    window = (EPOCH_MS + BEGUN_MS) / 1000, EPOCH_MS / 1000 + 100_000
    began, used = time.perf_counter(), time.process_time()
    result = build_result(Attempt(directory, directory / "kept", window=window, exit_code=0))["result"]
    figures = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - used}
    figures["bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    latency = result["total"]["latency_ms"]
    print(json.dumps({**figures, "rows": result["samples"]["rows"], "lost": result["samples"]["lost"], **{key: latency[key] for key in ("p50", "p95", "p99")}}))


def truth(directory: Path, shards: int) -> dict[str, float]:
    """Return the percentiles (ms) of the requests after the start of the window, read line by line from the raw output by other code than that measured."""
    latencies: list[float] = []
    for number in range(1, min(shards, WRITTEN) + 1):
        weight = len(range(number, shards + 1, WRITTEN))
        with gzip.open(directory / "shards" / str(number) / "raw.csv.gz", "rt") as raw:
            for line in raw:
                if line.startswith("http_req_duration,"):
                    _name, end, latency = line.split(",", 3)[:3]
                    if float(end) - float(latency) >= EPOCH_MS + BEGUN_MS:
                        latencies += [float(latency)] * weight
    return dict(zip(("p50", "p95", "p99"), np.percentile(latencies, (50, 95, 99)).tolist(), strict=True))


def main() -> int:
    """Print the figures; return 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=300_000)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        measure(chosen.measure)
        return 0
    with tempfile.TemporaryDirectory(prefix="shards-") as temporary:
        directory = Path(temporary) / "attempt"
        write_shards(directory, chosen.requests, chosen.shards)
        packed = sum(path.stat().st_size for path in directory.glob("shards/*/raw.csv.gz")) / 1e6
        child = subprocess.run([sys.executable, __file__, "--measure", str(directory)], check=True, capture_output=True, text=True)
        found = json.loads(child.stdout)
        known = truth(directory, chosen.shards)
    error = max(abs(found[name] / value - 1) for name, value in known.items())
    load = f"{found['rows']} requests of {chosen.shards} shards, {packed:.0f} MB raw"
    print(f"shards_merge_seconds {found['seconds']:.1f} ({found['cpu_s']:.1f} CPU-s) of {load}")
    print(f"shards_merge_memory_mb {found['bytes'] / 1e6:.0f} (goal <= {GOAL_BYTES / 1e6:.0f}), {found['bytes'] / found['rows']:.0f} bytes per request")
    print(f"shards_merge_error {100 * error:.4f} % (goal <= 1 %), {found['lost']} rows lost")
    print(f"goal for {JUDGED} requests: <= {GOAL_SECONDS:g} CPU-s")
    is_fast = found["cpu_s"] <= GOAL_SECONDS or chosen.requests > JUDGED
    return 0 if error <= 0.01 and found["lost"] == 0 and found["bytes"] <= GOAL_BYTES and is_fast else 1


if __name__ == "__main__":
    sys.exit(main())
