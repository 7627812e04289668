# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sampler: CPU and memory of groups of processes, written to a CSV file, where no Prometheus and process-exporter can be had.

Runs as a detached process, `python sampler.py CONFIG`, so it uses psutil and the standard library only. CONFIG is a JSON file {interval_s, file, groups}.
A process belongs to a group when its command line has the group's text, as with process-exporter; its children belong with it.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

try:
    import psutil
except ImportError:
    psutil = None  # type: ignore[assignment]

COLUMNS = ("timestamp", "group", "cpu_seconds", "memory_bytes", "processes", "oldest_start")
# The group of the sampler itself: what the watching costs.
OWN_GROUP = "sampler"
# A process that was just forked has the command line of its parent, and numbers of processes are used again: others are looked at again so often (seconds).
YOUNG_S = 5.0
RECHECK_S = 30.0
# A file of more than this is begun anew at the start; four groups once a second are about 25 MB a day.
MAX_BYTES = 400 * 2**20


class Member:
    """A process of a group, with the CPU seconds that were counted of it."""

    def __init__(self, process: psutil.Process, is_new: bool) -> None:
        self.process = process
        # Of a process that ran before the sampler only what it uses from now on counts.
        self.counted = 0.0 if is_new else _cpu_seconds(process)

    def added_cpu(self) -> float:
        """Return the CPU seconds since the last call. Raises psutil.Error when the process is gone."""
        total = _cpu_seconds(self.process)
        added, self.counted = max(0.0, total - self.counted), total
        return added


class Sampler:
    """Groups of processes; `groups` is {name: text in the command line}."""

    def __init__(self, groups: Mapping[str, str]) -> None:
        self.groups = dict(groups)
        self.cpu_seconds = dict.fromkeys([*groups, OWN_GROUP], 0.0)
        self._members: dict[int, tuple[str, Member]] = {}
        self._others: dict[int, float] = {}
        # Start times are no clock (the boot time in them is a whole second), so what the first sample finds is what ran before.
        self._is_first = True

    def sample(self) -> Iterator[tuple[float, str, float, int, int, float]]:
        """Yield one row of COLUMNS (without units: epoch seconds, CPU seconds since the start, bytes, count, epoch seconds) for each group."""
        self._find(time.time())
        self._is_first = False
        now = time.time()
        memory = dict.fromkeys(self.cpu_seconds, 0)
        starts: dict[str, list[float]] = {name: [] for name in self.cpu_seconds}
        for pid, (group, member) in list(self._members.items()):
            try:
                self.cpu_seconds[group] += member.added_cpu()
                memory[group] += _memory_bytes(member.process)
                starts[group].append(member.process.create_time())
            except psutil.Error:
                del self._members[pid]
        for group, seconds in self.cpu_seconds.items():
            yield now, group, round(seconds, 3), memory[group], len(starts[group]), min(starts[group], default=0.0)

    def _find(self, now: float) -> None:
        """Take in the processes that are new, or that were looked at long ago."""
        pids = set(psutil.pids())
        for gone in (self._members.keys() | self._others.keys()) - pids:
            self._members.pop(gone, None)
            self._others.pop(gone, None)
        for pid, (_group, member) in list(self._members.items()):
            if not member.process.is_running():
                del self._members[pid]
        for pid in pids - self._members.keys():
            if self._others.get(pid, 0.0) <= now:
                self._classify(pid, now)

    def _classify(self, pid: int, now: float) -> None:
        try:
            process = psutil.Process(pid)
            group = self._group_of(process)
            if group:
                self._members[pid] = (group, Member(process, is_new=not self._is_first))
                self._others.pop(pid, None)
            else:
                is_young = now - process.create_time() < YOUNG_S
                self._others[pid] = now if is_young else now + RECHECK_S
        except psutil.Error:
            self._others[pid] = now + RECHECK_S

    def _group_of(self, process: psutil.Process) -> str | None:
        """Return the group of a process: its own, else that of the nearest ancestor that has one."""
        for one in (process, *process.parents()):
            if one.pid == os.getpid():
                return OWN_GROUP
            line = " ".join(one.cmdline())
            group = next((name for name, text in self.groups.items() if text in line), None)
            if group:
                return group
        return None


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _memory_bytes(process: psutil.Process) -> int:
    """Return the proportional set size, in which shared pages count once, or the resident one where another user's may not be read."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.AccessDenied:
        return int(process.memory_info().rss)


def write_samples(sampler: Sampler, stream: TextIO, interval_s: float, count: int | None = None) -> None:
    """Write a row for each group every `interval_s` seconds, for ever or `count` times; a late sample is not caught up on."""
    writer = csv.writer(stream, lineterminator="\n")
    due = time.monotonic()
    while count is None or count > 0:
        writer.writerows(sampler.sample())
        stream.flush()
        count = None if count is None else count - 1
        due = max(due + interval_s, time.monotonic() + interval_s / 10)
        time.sleep(max(0.0, due - time.monotonic()))


def run(config: Mapping[str, Any]) -> None:
    """Sample until the process is stopped."""
    path = config["file"]
    is_full = os.path.exists(path) and os.path.getsize(path) > MAX_BYTES
    with open(path, "w" if is_full else "a", encoding="utf-8") as stream:
        write_samples(Sampler(config["groups"]), stream, config["interval_s"])


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as given:
        settings = json.load(given)
    run(settings)
