# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the prefill of 10 tenants takes, as a part of what 430 separate requests per tenant take.

Both fill a fresh SQLite MLflow of their own, one after the other; the figure is the median of the rounds. Goal: 0.6.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "k6"))
from mlflow_server import started_mlflow
from runs import PREFILL, executable, prefill_config, run_k6

TENANTS = 10
GOAL = 0.6
LIMIT_S = 1200
SEPARATE = Path(__file__).with_name("prefill_separate.js")
SHAPE = {"digest": "0123456789ab", "experiments_per_tenant": 10, "runs_per_experiment": 3, "metrics_per_run": 3, "params_per_run": 5,
         "artifacts_per_run": 2, "prompts_per_experiment": 3}


def separate(k6: str, url: str, directory: Path) -> tuple[float, int]:
    """Seconds and requests of the yardstick."""
    ended = run_k6(k6, SEPARATE, directory, env={"BARE_URL": url, "BARE_TENANTS": str(TENANTS)}, timeout=LIMIT_S)
    if ended.code != 0:
        raise RuntimeError(f"yardstick: k6 ended with {ended.code}. Its log: {ended.log[-2000:]}")
    result = ended.json("separate.json")
    return result["seconds"], result["requests"]


def ours(k6: str, url: str, directory: Path, concurrency: int) -> tuple[float, int]:
    """Seconds and requests of the prefill."""
    tenants = {"prefix": "tenant-", "numbers": list(range(1, TENANTS + 1))}
    config = prefill_config(url, data_set=SHAPE, tenants=tenants, concurrency=concurrency, max_duration_s=LIMIT_S)
    ended = run_k6(k6, PREFILL, directory, config=config, timeout=LIMIT_S)
    if ended.code != 0:
        raise RuntimeError(f"prefill: k6 ended with {ended.code}. Its log: {ended.log[-2000:]}")
    summary = ended.json("prefill_summary.json")
    return summary["seconds"], summary["requests"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=8)
    chosen = parser.parse_args()
    k6 = executable("k6", "PERFSCALE_K6")
    ratios = []
    for round_number in range(1, chosen.rounds + 1):
        seconds = []
        for fill in (lambda *at: separate(k6, *at), lambda *at: ours(k6, *at, chosen.concurrency)):
            with tempfile.TemporaryDirectory() as directory, started_mlflow(Path(directory), TENANTS) as server:
                took, requests = fill(server.url, Path(directory))
            seconds.append(took)
            print(f"round {round_number}: {requests} requests in {took:.1f} s")
        ratios.append(seconds[1] / seconds[0])
    ratio = statistics.median(ratios)
    print(f"prefill_ratio {ratio:.2f} (goal <= {GOAL})")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
