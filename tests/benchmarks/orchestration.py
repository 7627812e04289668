# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the seconds and tasks that the orchestration takes: between cells, and of a second suite outside the load.

Between cells means from the end of a window to the start of the next warm-up, less one scrape interval that the metrics wait
for. Only neighbours of one tenant level count: there prefill has nothing to do. Outside the load means all of `make suite`
(full_suite and teardown) but warm-ups and windows. Seconds come from the records; the numbers of tasks from Ansible's log
(headings of tasks that were not skipped), which other programs on the machine do not change. The CPU of the controller
inside the windows is in the records too.

Usage: orchestration.py [RUN_DIRECTORY]. With it only that run is read, with its ansible.log if there is one. Without it a short
matrix and then the default suite run in a temporary directory.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GOALS_BETWEEN_CELLS_S = {"process": 5.0, "pod": 7.0}
GOAL_OUTSIDE_LOAD_S = 45.0
GOAL_CONTROLLER_CORES = 0.02
FIRST = {
    "test_matrix_tenants": 1,
    "test_matrix_concurrency": "4,5,6,7",
    "test_matrix_duration": "15s",
    "test_matrix_warmup": "1s",
    "allow_partial": True,
    "run_id": "first",
}
SECOND = {"allow_partial": True, "run_id": "second"}
# The default callback prints no heading of a skipped task (display_skipped_hosts in ansible.cfg), and the log is what it prints.
HEADING = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) .*\| TASK \[")


def play_suite(directory: Path, variables: dict[str, Any], log: Path) -> float:
    """Run full_suite and teardown in the directory, logged to a file, and return the seconds that both took."""
    settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_LOG_PATH": str(log)}
    playbook = str(Path(sys.executable).with_name("ansible-playbook"))
    started = time.monotonic()
    for name in ("full_suite", "teardown"):
        command = [playbook, str(ROOT / "playbooks" / f"{name}.yml"), "-e", json.dumps(variables)]
        subprocess.run(command, check=True, cwd=directory, env={**os.environ, "PWD": str(directory), **settings}, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def task_starts(log: Path) -> list[float]:
    """Return the start times (epoch seconds) of the tasks in a log of Ansible; none without the log."""
    if not log.is_file():
        return []
    headings = filter(None, map(HEADING.match, log.read_text(encoding="utf-8").splitlines()))
    return [datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").astimezone().timestamp() + int(found[2]) / 1000 for found in headings]


def cells_of(run: Path) -> list[dict[str, Any]]:
    """Return the measured cells of a run in the order of their windows."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in run.glob("cells/*/cell.json")]
    return sorted((record for record in records if record["window"]), key=lambda record: record["window"]["start"])


def loads_of(cells: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    """Return start and end of each load, warm-up and window."""
    return [(cell["window"]["start"] - cell["spec"]["warmup_s"], cell["window"]["end"]) for cell in cells]


def gaps_of(cells: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    """Return end and start of neighbouring loads of one tenant level."""
    neighbours = [pair for pair in pairwise(cells) if pair[0]["spec"]["tenants"] == pair[1]["spec"]["tenants"]]
    return [(before[1], after[0]) for before, after in map(loads_of, neighbours)]


def number_inside(starts: Sequence[float], intervals: Sequence[tuple[float, float]]) -> list[int]:
    """Return how many tasks started in each interval."""
    return [sum(begin <= start < end for start in starts) for begin, end in intervals]


def report_cells(run: Path, log: Path) -> bool:
    """Print the figures of a run's cells; return whether the goals are met."""
    cells = cells_of(run)
    target = json.loads((run / "target.json").read_text(encoding="utf-8"))
    goal = GOALS_BETWEEN_CELLS_S[target["generator"]["kind"]]
    gaps = gaps_of(cells)
    seconds = [start - end - target["prometheus"]["scrape_interval_s"] for end, start in gaps]
    print(f"orchestration_between_cells_s median {statistics.median(seconds):.2f}, max {max(seconds):.2f} of {len(gaps)} (goal <= {goal:g})")
    starts = task_starts(log)
    if starts:
        print(f"orchestration_between_cells_tasks median {statistics.median(number_inside(starts, gaps)):g}")
    cores = statistics.median(cell["controller"]["cpu_cores_mean"] for cell in cells)
    print(f"controller_cores_inside_load median {cores:.4f} (goal <= {GOAL_CONTROLLER_CORES:g})")
    return statistics.median(seconds) <= goal and cores <= GOAL_CONTROLLER_CORES


def report_suite(run: Path, log: Path, seconds: float) -> bool:
    """Print the figures of a whole suite; return whether the goal is met."""
    loads = loads_of(cells_of(run))
    outside = seconds - sum(end - start for start, end in loads)
    starts = task_starts(log)
    print(f"second_suite_outside_load_s {outside:.1f} of {seconds:.1f} (goal <= {GOAL_OUTSIDE_LOAD_S:g})")
    print(f"second_suite_outside_load_tasks {len(starts) - sum(number_inside(starts, loads))}")
    return outside <= GOAL_OUTSIDE_LOAD_S


def main() -> int:
    """Print the figures; return 1 when a goal is missed."""
    if len(sys.argv) > 1:
        run = Path(sys.argv[1])
        return 0 if report_cells(run, run / "ansible.log") else 1
    with tempfile.TemporaryDirectory(prefix="perfscale-bench-") as temporary:
        directory = Path(temporary)
        play_suite(directory, FIRST, directory / "first.log")
        is_met = report_cells(directory / "results" / "first", directory / "first.log")
        seconds = play_suite(directory, SECOND, directory / "second.log")
        is_met = report_suite(directory / "results" / "second", directory / "second.log", seconds) and is_met
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
