# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The handle of a detached process: pid and start time together, so a recycled pid is never mistaken for ours."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

try:
    import psutil
except ImportError:
    psutil = None  # type: ignore[assignment]

# The start time comes from the boot time, which follows small corrections of the clock.
START_TOLERANCE_S = 2.0
# In the environment of every process that we start; it distinguishes our orphans from unrelated processes.
MARK = "PERFSCALE_HANDLE"


def read(path: Path | str) -> dict[str, Any] | None:
    """Return a handle or an exit record, or None when the file is absent or damaged."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) and isinstance(document.get("pid"), int) else None


def find(pid: int, start_time: float) -> Any | None:
    """Return the running process (psutil) with that pid and start time in epoch seconds, or None."""
    try:
        process = psutil.Process(pid)
        if not is_same_start(process.create_time(), start_time) or process.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.Error:
        return None
    return process


def is_same_start(one: float, other: float) -> bool:
    """Return whether two start times (epoch seconds) of one pid are those of one process."""
    return abs(one - other) <= START_TOLERANCE_S


def start_time(pid: int) -> float:
    """Return when a living process started, in epoch seconds. Raises ProcessLookupError."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error as error:
        raise ProcessLookupError(pid) from error


def process_of(handle: dict[str, Any] | None) -> Any | None:
    """Return the living process of a handle, or None, also when the handle is damaged."""
    return _named(handle, "")


def watcher_of(handle: dict[str, Any] | None) -> Any | None:
    """Return the living watcher of a handle, or None."""
    return _named(handle, "watcher_")


def _named(handle: dict[str, Any] | None, prefix: str) -> Any | None:
    pid, start = (handle or {}).get(f"{prefix}pid"), (handle or {}).get(f"{prefix}start_time")
    return find(pid, start) if isinstance(pid, int) and isinstance(start, (int, float)) else None


def marks() -> set[str]:
    """Return the marks of all running processes that carry one: the paths of their handles, which may have been deleted."""
    found = set()
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK)
            if mark and process.status() != psutil.STATUS_ZOMBIE:
                found.add(mark)
        except (psutil.Error, OSError):
            continue
    return found


def family(handle: dict[str, Any] | None, handle_file: Path | str) -> list[Any]:
    """Return the running process, its descendants, and orphans that carry our mark in their environment."""
    members: dict[int, Any] = {}
    leader = process_of(handle)
    if leader is not None:
        members[leader.pid] = leader
        with suppress(psutil.Error):
            members.update((child.pid, child) for child in leader.children(recursive=True))
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(handle_file) and process.status() != psutil.STATUS_ZOMBIE:
                members.setdefault(process.pid, process)
        except (psutil.Error, OSError):
            continue
    return list(members.values())


def controller() -> dict[str, Any]:
    """Return {pid, start_time} of the ansible-playbook under which we run: its topmost process, so that its workers agree."""
    process = psutil.Process()
    found = process
    for ancestor in process.parents():
        try:
            names = [Path(part).name for part in ancestor.cmdline()[:3]]
        except psutil.Error:
            break
        if any(name.startswith("ansible") for name in names):
            found = ancestor
    return {"pid": found.pid, "start_time": found.create_time()}
