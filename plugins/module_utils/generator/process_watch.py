# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching k6 as a process of this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import exit_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.watch import Look
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.progress import read_progress
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess

# One look costs two system calls; the end of a cell is noticed within this time (seconds).
LOOK_EVERY_S = 0.5
# The watcher writes the exit file right after the process is gone (seconds).
EXIT_FILE_WITHIN_S = 10.0


class ProcessWatch:
    """A load whose handle has pid and start time."""

    def __init__(self, directory: Path, handle: dict[str, Any]) -> None:
        self.directory = directory
        self.handle = handle
        self._offset = 0

    def look(self, with_progress: bool) -> Look:
        is_running = handles.process_of(self.handle) is not None
        # A controller that attaches later has less to wait for than one that started the load.
        age = time.time() - float(self.handle["start_time"])
        if not with_progress and is_running:
            return Look(is_running, age)
        added = read_progress(self.directory / "raw.csv", self._offset)
        self._offset = added.offset
        return Look(is_running, age, added.requests, added.failures)

    def pause_s(self, left_s: float | None) -> float:
        return LOOK_EVERY_S

    def stop(self) -> None:
        DetachedProcess("k6", str(self.directory)).stop(EXIT_FILE_WITHIN_S)

    def ended(self) -> dict[str, Any] | None:
        deadline = time.monotonic() + EXIT_FILE_WITHIN_S
        while exit_of(self.directory) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        return exit_of(self.directory)

    def loss(self) -> tuple[str, bool]:
        text = "ended without leaving an exit code, so it or its watcher was killed"
        return f"{text}. See k6.log in {self.directory} and start the run again with the same run_id.", False
