# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control group below which all pods run: made before the kubelet wants it, and the way to find every process of a pod."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError
from node import layout

ROOT = Path("/sys/fs/cgroup")
LIMIT_S = 20.0
# All pods together weigh as much as sixteen processes beside them; a group by itself would weigh as one (version 1 and 2).
WEIGHTS = {"cpu.shares": 16384, "cpu.weight": 1600}


def hierarchies() -> list[Path]:
    """Returns the mounted hierarchies: one directory for each controller (version 1), or the single one (version 2)."""
    found = []
    with open("/proc/self/mounts", encoding="utf-8") as stream:
        for line in stream:
            _source, target, kind, *_rest = line.split(" ")
            if kind in ("cgroup", "cgroup2") and Path(target) not in found:
                found.append(Path(target))
    if not found:
        raise ToolError(f"Control groups: none are mounted below {ROOT}. Mount them (a container needs --privileged).")
    return found


def ensure() -> None:
    """Makes the group in every hierarchy. Raises ToolError."""
    for hierarchy in hierarchies():
        group = hierarchy / layout.CONTROL_GROUP
        try:
            group.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):
                # A child of a cpuset (version 1) starts with neither cores nor memory.
                if (group / name).exists() and not (group / name).read_text(encoding="ascii").strip():
                    (group / name).write_text((hierarchy / name).read_text(encoding="ascii"), encoding="ascii")
            for name, weight in WEIGHTS.items():
                if (group / name).exists():
                    (group / name).write_text(str(weight), encoding="ascii")
        except OSError as error:
            raise ToolError(f"Control group {group}: cannot be made ({error.strerror}). Run as root (a container needs --privileged).") from error


def _groups() -> Iterator[Path]:
    """Yields our groups, children before their parents."""
    for hierarchy in hierarchies():
        for directory, _names, _files in os.walk(hierarchy / layout.CONTROL_GROUP, topdown=False):
            yield Path(directory)


def members() -> set[int]:
    """Returns the process ids of everything that runs in a pod."""
    found: set[int] = set()
    for group in _groups():
        with suppress(OSError):
            found |= {int(pid) for pid in (group / "cgroup.procs").read_text(encoding="ascii").split()}
    return found


def remove() -> None:
    """Kills what still runs in a pod and removes the groups. Raises ToolError."""
    deadline = time.monotonic() + LIMIT_S
    while pids := members():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ToolError(f"Control group {layout.CONTROL_GROUP}: processes {sorted(pids)} do not end. Look at their state with ps.")
        time.sleep(0.1)
    for group in _groups():
        with suppress(FileNotFoundError):
            group.rmdir()
