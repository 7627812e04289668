# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k6 as a detached process of this machine. Its handle is the process id together with the start time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.proxies import environment_proxy
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import (
    STOP_TIMEOUT_S,
    attempt_directory,
    k6_command,
    next_attempt,
    read_exit,
    started_attempt,
    usable_attempt,
    write_state,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import Failure, Load, Status
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.machine import MACHINE_NAME
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.progress import read_progress
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess

# A status costs two system calls; the end of a cell is noticed within this time (seconds).
POLL_INTERVAL_S = 0.5
# The watcher writes the exit record right after the process is gone (seconds).
EXIT_FILE_TIMEOUT_S = 10.0


class ProcessBackend:
    """The backend `process`: generator.binary is the k6 of this machine."""

    def __init__(self) -> None:
        self._offset = 0
        self._ended_at: float | None = None

    def start(self, load: Load) -> dict[str, Any]:
        """Start k6 or attach to it (see Backend). Raises ProcessError, FileWriteError, and ValueError for a configuration against its schema."""
        state = usable_attempt(load, lambda known: is_running(known["handle"]))
        if state is not None:
            return started_attempt(state, attached=True)
        stop_orphans(load.directory)
        n = next_attempt(load.directory)
        directory = attempt_directory(load.directory, n)
        config = {**load.config, **_with_proxy(load.config), "out_dir": str(directory)}
        load.check(config)
        write_json(directory / "load_config.json", config)
        command = k6_command(load.generator["binary"], str(Path(load.scripts_dir) / load.script_name), directory, load.ca_file, live=load.live_url)
        process = DetachedProcess("k6", str(directory), command, machine_file=directory / MACHINE_NAME)
        # A k6 that ends immediately, for example with a broken script, is an attempt too: its exit code and log contain the reason.
        process.start(may_end=True)
        described = process.describe()
        return started_attempt(write_state(load, n, {key: described[key] for key in ("pid", "start_time")}), attached=False)

    def status(self, attempt: Mapping[str, Any], with_progress: bool) -> Status:
        """Return the status (see Backend); at the end it waits until the exit record is there."""
        directory, handle = Path(attempt["directory"]), attempt["handle"]
        running = is_running(handle)
        added = self._progress(directory) if with_progress or not running else (0, 0)
        # A controller that attaches later has less time to wait than one that started the load.
        status = Status(running, time.time() - float(handle["start_time"]), *added)
        return status if running else self._ended(status, directory)

    def fetch(self, attempt: Mapping[str, Any], with_raw: bool) -> dict[str, Any]:
        """Return nothing fetched: k6 writes where its files are read."""
        return {"files": [], "bytes": 0, "seconds": 0.0}

    def stop(self, attempt: Mapping[str, Any]) -> bool:
        """Stop k6 (see Backend). Raises ProcessError."""
        return DetachedProcess("k6", attempt["directory"]).stop(STOP_TIMEOUT_S)

    def poll_interval_s(self, left_s: float | None) -> float:
        """Return the pause before the next status (see Backend)."""
        return POLL_INTERVAL_S

    def _progress(self, directory: Path) -> tuple[int, int]:
        added = read_progress(directory / "raw.csv", self._offset)
        self._offset = added.offset
        return added.requests, added.failures

    def _ended(self, status: Status, directory: Path) -> Status:
        self._ended_at = self._ended_at or time.monotonic()
        while (record := read_exit(directory)) is None and time.monotonic() < self._ended_at + EXIT_FILE_TIMEOUT_S:
            time.sleep(0.05)
        if record is not None:
            return status._replace(exit=record)
        text = f"no exit code, so it or its watcher was killed. See k6.log in {directory} and start the run again with the same run_id."
        return status._replace(failure=Failure(text, is_retryable=False))


def _with_proxy(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part mlflow of a configuration with the proxy on the way to it, which k6 takes from the environment, {} without one. Raises ProxyError."""
    proxy = environment_proxy(config["mlflow"]["url"]) if "mlflow" in config else None
    return {"mlflow": {**config["mlflow"], "proxy": proxy.url}} if proxy else {}


def is_running(handle: Mapping[str, Any]) -> bool:
    """Return whether the process of a handle runs; a load in a cluster has none here."""
    return "pid" in handle and handles.process_of(dict(handle)) is not None


def stop_orphans(directory: Path) -> bool:
    """Stop every k6 whose load would be added to the next one of the directory, that of a cell or a prefill; return whether one ran.

    They are those of the same run whose files are gone, as after a job whose workspace was deleted, so that nothing that they measured can be had
    any more, and those of the directory itself, which cannot be used where its state.json is damaged or of another plan.
    """
    here = directory.resolve()
    run_id = here.parents[1].name
    marks = [Path(mark) for mark in handles.marks()]
    orphans = [mark.parent for mark in marks if here in mark.parents or (_run_of(mark).name == run_id and not _run_of(mark).exists())]
    stopped = [DetachedProcess("k6", str(attempt)).stop(STOP_TIMEOUT_S) for attempt in orphans]
    return any(stopped)


def _run_of(mark: Path) -> Path:
    """Return the directory of the run whose k6 a mark names (RUN_ID/cells/CELL/attempts/N/k6.json); the root for other programs."""
    is_load = mark.name == "k6.json" and len(mark.parts) > 6 and mark.parts[-5] in ("cells", "prefill")
    return mark.parents[4] if is_load else Path("/")
