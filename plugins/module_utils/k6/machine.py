# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine of a k6 process used during the window, from what its watcher noted each second (local/watcher.py, MACHINE_COLUMNS)."""

from __future__ import annotations

import csv
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window

MACHINE_NAME = "machine.csv"
COVERED_MIN = 0.9
"""The share of the window that the notes have to cover: they begin with k6 and end with it."""


def machine_use(path: Path, window: Window, requests: int) -> dict[str, Any] | None:
    """Return {cores, used_cores, generator_cores, generator_wait_ms} of the window, None without notes that cover it.

    used_cores and generator_cores are means of the processors in use, by the whole machine and by k6; generator_wait_ms is how long the threads of k6
    were ready to run and had no processor, per request of the window (milliseconds), None where the kernel does not say.
    """
    rows = _read(path)
    if len(rows) < 2:
        return None
    first, last = max(rows[0]["time"], window.start_ms / 1000), min(rows[-1]["time"], window.end_ms / 1000)
    if last <= first or last - first < COVERED_MIN * window.seconds:
        return None

    def increase(name: str) -> float:
        return _at(rows, name, last) - _at(rows, name, first)

    seconds = last - first
    is_wait_known = all("own_wait_s" in row for row in rows)
    return {
        "cores": int(rows[-1]["cores"]),
        "used_cores": round(increase("machine_cpu_s") / seconds, 3),
        "generator_cores": round(increase("own_cpu_s") / seconds, 3),
        "generator_wait_ms": round(max(0.0, increase("own_wait_s")) * 1000 / requests, 3) if is_wait_known and requests else None,
    }


def _read(path: Path) -> list[dict[str, float]]:
    """Return the complete rows; a value that the kernel does not have is left out, and so is what follows a damaged row."""
    rows: list[dict[str, float]] = []
    try:
        with path.open(encoding="ascii", newline="") as stream:
            rows.extend({name: float(value) for name, value in row.items() if value != ""} for row in csv.DictReader(stream))
    except (OSError, ValueError, TypeError):
        pass
    rows = [row for row in rows if len(row) >= 4]
    # Threads that have ended are in no sum any more.
    for before, row in pairwise(rows):
        if "own_wait_s" in before and "own_wait_s" in row:
            row["own_wait_s"] = max(row["own_wait_s"], before["own_wait_s"])
    return rows


def _at(rows: list[dict[str, float]], name: str, moment: float) -> float:
    """Return a counter at a moment, interpolated between the notes around it."""
    after = min(max(1, bisect_right(rows, moment, key=lambda row: row["time"])), len(rows) - 1)
    one, other = rows[after - 1], rows[after]
    share = (moment - one["time"]) / (other["time"] - one["time"]) if other["time"] > one["time"] else 0.0
    return one[name] + (other[name] - one[name]) * share
