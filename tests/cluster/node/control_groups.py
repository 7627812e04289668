# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control group below which all pods run: created before the kubelet needs it, and the way to find every process of a pod."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError

ROOT = Path("/sys/fs/cgroup")
LIMIT_S = 20.0
# All pods together weigh as much as sixteen processes beside them; a group by itself would weigh as one (version 1 and 2).
WEIGHTS = {"cpu.shares": 16384, "cpu.weight": 1600}


def hierarchies() -> list[Path]:
    """Return the mounted hierarchies: one directory for each controller (version 1), or the single one (version 2)."""
    found = []
    with open("/proc/self/mounts", encoding="utf-8") as stream:
        for line in stream:
            _source, target, kind, *_rest = line.split(" ")
            if kind in ("cgroup", "cgroup2") and Path(target) not in found:
                found.append(Path(target))
    if not found:
        raise ToolError(f"Control groups: none are mounted below {ROOT}. Mount them (a container needs --privileged).")
    return found


def ensure(name: str) -> None:
    """Create the group in every hierarchy. Raises ToolError."""
    for hierarchy in hierarchies():
        group = hierarchy / name
        try:
            group.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                # A child of a cpuset (version 1) starts with neither cores nor memory.
                if (group / setting).exists() and not (group / setting).read_text(encoding="ascii").strip():
                    (group / setting).write_text((hierarchy / setting).read_text(encoding="ascii"), encoding="ascii")
            for setting, weight in WEIGHTS.items():
                if (group / setting).exists():
                    (group / setting).write_text(str(weight), encoding="ascii")
        except OSError as error:
            raise ToolError(f"Control group {group}: cannot be made ({error.strerror}). Run as root (a container needs --privileged).") from error


def _groups(name: str) -> Iterator[Path]:
    """Yield our groups, children before their parents."""
    for hierarchy in hierarchies():
        for directory, _folders, _files in os.walk(hierarchy / name, topdown=False):
            yield Path(directory)


def members(name: str) -> set[int]:
    """Return the process ids of everything that runs in a pod."""
    found: set[int] = set()
    for group in _groups(name):
        with suppress(OSError):
            found |= {int(pid) for pid in (group / "cgroup.procs").read_text(encoding="ascii").split()}
    return found


def remove(name: str) -> None:
    """Kill what still runs in a pod and remove the groups. Raises ToolError."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        for pid in members(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for group in _groups(name):
            # Busy while something in it has not ended yet.
            with suppress(OSError):
                group.rmdir()
        if not list(_groups(name)):
            return
        if time.monotonic() > deadline:
            raise ToolError(f"Control group {name}: processes {sorted(members(name))} do not end. Look at their state with ps.")
        time.sleep(0.1)
