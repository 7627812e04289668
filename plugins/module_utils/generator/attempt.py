# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attempts of the load generator in one directory: which one to attach to, which number is next, and state.json."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import handle as handles

# k6 ends with 0, or with 99 when a threshold of the script is missed: both have a complete window.
COMPLETE_EXIT_CODES = (0, 99)


def read_state(directory: Path) -> dict[str, Any]:
    """Returns state.json of the directory, or {} when there is none that can be used here.

    A run that was brought back from elsewhere names the place of that time. A load in a pod brings its files wherever they are wanted; a process
    of this machine writes where it was started, so nothing of it will come here.
    """
    state = _stored(directory)
    if not state:
        return {}
    here = str(attempt_directory(directory, state["attempt"]))
    if "pid" in state["handle"] and os.path.realpath(state["directory"]) != os.path.realpath(here):
        return {}
    return {**state, "directory": here}


def write_state(
    directory: Path, n: int, plan_digest: str | None, handle: dict[str, Any], schema_dir: Path | str, started: float | None = None
) -> dict[str, Any]:
    """Writes state.json of an attempt that was `started` (epoch seconds; else now) and returns it."""
    state = {
        "schema_version": 1,
        "phase": "started",
        "attempt": n,
        "plan_digest": plan_digest,
        "directory": str(attempt_directory(directory, n)),
        "started": time.time() if started is None else started,
        "handle": handle,
    }
    check(state, "state", schema_dir)
    write_json(directory / "state.json", state)
    return state


def attempt_directory(directory: Path, n: int) -> Path:
    return directory / "attempts" / str(n)


def recorded_attempts(directory: Path) -> list[int]:
    """Returns the numbers of the attempts that cell.json knows."""
    try:
        return [entry["n"] for entry in read_json(directory / "cell.json")["attempts"]]
    except (ValueError, KeyError):
        return []


def next_attempt(directory: Path) -> int:
    """Returns the number of a new attempt: one more than any that left a trace."""
    traces = [int(path.name) for path in (directory / "attempts").glob("*") if path.name.isdigit()]
    return max([0, *traces, *recorded_attempts(directory), int(_stored(directory).get("attempt", 0))]) + 1


def facts_of(state: dict[str, Any], attached: bool) -> dict[str, Any]:
    """Returns what a module says about an attempt: {n, directory, handle, started, attached}."""
    return {"n": state["attempt"], "directory": state["directory"], "handle": state["handle"], "started": state["started"], "attached": attached}


def attachable(directory: Path, plan_digest: str | None, is_finished_reusable: bool, is_running: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    """Returns the state of the attempt to go on with, or None when a new one is needed.

    A running attempt of the same plan is attached to; `is_running` tells from its state. A finished one is used when nobody
    recorded it yet (the controller was lost meanwhile) and the generator ended well.
    """
    state = read_state(directory)
    if not state or state["plan_digest"] != plan_digest or state["attempt"] in recorded_attempts(directory):
        return None
    if is_running(state):
        return state
    ended = exit_of(Path(state["directory"]))
    is_complete = ended is not None and ended.get("exit_code") in COMPLETE_EXIT_CODES
    has_samples = any((Path(state["directory"]) / name).exists() for name in ("raw.csv", "raw.csv.gz"))
    return state if is_finished_reusable and is_complete and has_samples else None


def exit_of(attempt: Path) -> dict[str, Any] | None:
    """Returns what the watcher wrote when the generator ended (exit code, CPU seconds, memory), or None before.

    A generator that died of a signal has 128 + the signal's number as its exit code, as shells count.
    """
    ended = handles.read(attempt / "k6.exit.json")
    if ended is not None and ended.get("exit_code") is None:
        ended["exit_code"] = 128 + int(ended.get("signal") or 0)
    return ended


def _stored(directory: Path) -> dict[str, Any]:
    try:
        return read_json(directory / "state.json")
    except ValueError:
        return {}
