# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three real searches against a simulated MLflow with 30 s windows: whether the interval has the true capacity, its width, and the time of a probe."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests")]

from local.suite import Suite

from fakes.simulated_mlflow import simulated_mlflow
from fakes.simulated_searches import EMPTY_DATA_SET, SHORT_SEARCH

SEARCHES = 3
LATENCY_MS, REQUESTS = 8, 56
FULL = {"test_matrix_duration": "30s", "test_matrix_warmup": "5s", "capacity_probes_max": 20, "capacity_resolution": 0.1}
LOAD_S = 35


def main() -> int:
    """Print one line for each search and return the exit code."""
    truth, covered = 1000 / LATENCY_MS / REQUESTS, 0
    for number in range(1, SEARCHES + 1):
        with tempfile.TemporaryDirectory() as directory, simulated_mlflow(latency={"*": {"constant": LATENCY_MS}}, workers=1, seed=number) as server:
            suite, begun = Suite(Path(directory)), time.monotonic()
            suite.play("capacity", {**EMPTY_DATA_SET, **SHORT_SEARCH, **FULL, "run_id": "search"}, env={"MLFLOW_URL": server.url})
            seconds = time.monotonic() - begun
            found = json.loads((suite.results / "search" / "capacity.json").read_text(encoding="utf-8"))
        crossing, probes = found["crossing"], len(found["probes"])
        covered += bool(crossing and crossing["low"] <= truth <= crossing["high"])
        interval = f"{crossing['low']:.3f} to {crossing['high']:.3f} ({100 * crossing['width']:.0f} %)" if crossing else "none"
        beside = seconds / probes - LOAD_S
        print(f"search {number}: {interval}, truth {truth:.3f}, {probes} probes, {seconds:.0f} s in all, {beside:.1f} s beside the load per probe")
    print(f"covered: {covered} of {SEARCHES}")
    return 0 if covered >= SEARCHES - 1 else 1


if __name__ == "__main__":
    sys.exit(main())
