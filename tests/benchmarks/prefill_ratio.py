# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how long the prefill of 10 tenants takes, as a part of what 430 separate requests per tenant take.

Each fills a fresh SQLite MLflow of its own, one after the other, in turn first; the figures are the medians of the rounds.
The seconds depend on what else the machine does, so the CPU seconds of MLflow are compared too. Goal: 0.6.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

from fakes.k6_configs import prefill_config
from programs.k6 import PREFILL, executable, run_k6
from programs.mlflow import started_mlflow

TENANTS = 10
GOAL = 0.6
LIMIT_S = 1200
SEPARATE = Path(__file__).with_name("prefill_separate.js")
SHAPE = {"digest": "0123456789ab", "experiments_per_tenant": 10, "runs_per_experiment": 3, "metrics_per_run": 3, "params_per_run": 5,
         "artifacts_per_run": 2, "prompts_per_experiment": 3}


def separate(k6: str, url: str, directory: Path) -> tuple[float, int]:
    """Return seconds and requests of the baseline."""
    ended = run_k6(k6, SEPARATE, directory, env={"BARE_URL": url, "BARE_TENANTS": str(TENANTS)}, timeout=LIMIT_S)
    if ended.code != 0:
        raise RuntimeError(f"baseline: k6 ended with {ended.code}. Its log: {ended.log[-2000:]}")
    result = ended.json("separate.json")
    return result["seconds"], result["requests"]


def prefill(k6: str, url: str, directory: Path, concurrency: int) -> tuple[float, int]:
    """Return seconds and requests of the prefill."""
    tenants = {"prefix": "tenant-", "numbers": list(range(1, TENANTS + 1))}
    config = prefill_config(url, data_set=SHAPE, tenants=tenants, concurrency=concurrency, max_duration_s=LIMIT_S)
    ended = run_k6(k6, PREFILL, directory, config=config, timeout=LIMIT_S)
    if ended.code != 0:
        raise RuntimeError(f"prefill: k6 ended with {ended.code}. Its log: {ended.log[-2000:]}")
    summary = ended.json("prefill_summary.json")
    return summary["seconds"], summary["requests"]


def main() -> int:
    """Print the figures; return 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=8)
    chosen = parser.parse_args()
    k6 = executable("k6", "PERFSCALE_K6")
    fills = {"separate": partial(separate, k6), "prefill": partial(prefill, k6, concurrency=chosen.concurrency)}
    ratios, cpu_ratios = [], []
    for number in range(1, chosen.rounds + 1):
        seconds, cpu = {}, {}
        for name in list(fills)[:: 1 if number % 2 else -1]:
            with tempfile.TemporaryDirectory() as directory, started_mlflow(Path(directory), TENANTS) as server:
                before = server.cpu_seconds()
                seconds[name], requests = fills[name](server.url, Path(directory))
                cpu[name] = server.cpu_seconds() - before
            print(f"round {number}, {name}: {requests} requests in {seconds[name]:.1f} s, {cpu[name]:.1f} CPU-s of MLflow")
        ratios.append(seconds["prefill"] / seconds["separate"])
        cpu_ratios.append(cpu["prefill"] / cpu["separate"])
    ratio = statistics.median(ratios)
    print(f"prefill_ratio {ratio:.2f} (goal <= {GOAL})")
    print(f"prefill_cpu_ratio {statistics.median(cpu_ratios):.2f} (CPU seconds of MLflow)")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
