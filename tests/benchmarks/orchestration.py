# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints how long the orchestration of a cell takes, and what the controller uses while the load runs.

Orchestration is everything between the end of one window and the start of the next cell's warm-up, less one scrape interval
that the metrics have to wait for. Only neighbours of one tenant level count: there prefill has nothing to do. Seconds depend on what else the machine
does, so the numbers of tasks, task files and module calls from one load to the next are printed beside them.

Usage: orchestration.py [RUN_DIRECTORY]; without one a short matrix is run in a directory of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOAL_S = 5.0
GOAL_CONTROLLER_CORES = 0.02
GOAL_MODULE_CALLS = 12
TRACE = "trace.jsonl"
# What runs in the controller alone: no module is started for it.
CONTROL = ("set_fact", "debug", "assert", "fail", "set_stats", "include_tasks", "include_role", "validate_argument_spec")
MATRIX = {
    "test_matrix_tenants": 1,
    "test_matrix_concurrency": "4,5,6,7",
    "test_matrix_duration": "15s",
    "test_matrix_warmup": "1s",
    "allow_partial": True,
    "run_id": "bench",
}


def run_matrix(directory: str) -> Path:
    """Runs a short matrix in the directory and returns its run directory."""
    environment = {
        **os.environ,
        "PWD": directory,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "task_trace,perfscale.mlflow.heartbeat",
        "PERFSCALE_TRACE": str(Path(directory) / TRACE),
    }
    playbook = str(Path(sys.executable).with_name("ansible-playbook"))
    for name in ("full_suite", "teardown"):
        subprocess.run(
            [playbook, str(ROOT / "playbooks" / f"{name}.yml"), "-e", json.dumps(MATRIX)], check=True, cwd=directory, env=environment, stdout=subprocess.DEVNULL
        )
    return Path(directory) / "results" / "bench"


def cells_of(run: Path) -> list[dict]:
    """Returns the measured cells of a run in the order of their windows."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in run.glob("cells/*/cell.json")]
    return sorted((record for record in records if record["window"]), key=lambda record: record["window"]["start"])


def orchestration_s(cells: list[dict], scrape_interval_s: float) -> list[float]:
    """Returns the seconds between neighbouring loads of one tenant level, less one scrape interval."""
    return [
        after["window"]["start"] - after["spec"]["warmup_s"] - before["window"]["end"] - scrape_interval_s
        for before, after in pairwise(cells)
        if before["spec"]["tenants"] == after["spec"]["tenants"]
    ]


def counts_of(trace: Path) -> list[dict[str, int]]:
    """Return, for each way from the end of one load to that of the next one, how many tasks, module calls and task files it had."""
    entries = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    ends = [number for number, entry in enumerate(entries) if entry["action"].endswith(".k6_wait")]
    ways = [entries[before + 1 : after + 1] for before, after in pairwise(ends)]
    return [
        {
            "tasks": len(way),
            "module calls": sum(entry["outcome"] != "skipped" and entry["action"].rsplit(".", 1)[-1] not in CONTROL for entry in way),
            "task files": len({entry["file"] for entry in way if "/tasks/" in entry["file"] and not entry["file"].endswith("test_matrix/tasks/run.yml")}),
        }
        for way in ways
    ]


def report(run: Path) -> None:
    """Prints the figures of a run."""
    cells = cells_of(run)
    target = json.loads((run / "target.json").read_text(encoding="utf-8"))
    gaps = orchestration_s(cells, target["prometheus"]["scrape_interval_s"])
    cores = [cell["controller"]["cpu_cores_mean"] for cell in cells]
    print(f"orchestration per cell: median {statistics.median(gaps):.2f} s, max {max(gaps):.2f} s of {len(gaps)} (goal {GOAL_S:g} s)")
    trace = run.parents[1] / TRACE
    if trace.is_file():
        # The first way is that from the prefill to the first cell.
        for name, most in ((key, max(counts[key] for counts in counts_of(trace)[1:])) for key in ("tasks", "module calls", "task files")):
            print(f"{name} per cell: {most}" + (f" (goal {GOAL_MODULE_CALLS})" if name == "module calls" else ""))
    print(f"controller inside the load: median {statistics.median(cores):.4f} cores, max {max(cores):.4f} (goal {GOAL_CONTROLLER_CORES:g})")


def main() -> None:
    if len(sys.argv) > 1:
        report(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory(prefix="perfscale-bench-") as directory:
        report(run_matrix(directory))


if __name__ == "__main__":
    main()
