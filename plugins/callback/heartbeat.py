# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback plugin: print that a long task still runs. Modules cannot print, and a job without output seems to hang."""

from __future__ import annotations

DOCUMENTATION = r"""
name: heartbeat
type: notification
short_description: Print that a long task still runs
version_added: 0.2.0
description:
  - Prints a line each time a task has run for another O(interval) seconds, so that a job never goes long without output.
  - An automation controller ends jobs without output (idle timeout), and proxies may close idle connections.
  - Tasks that print their own progress are ignored.
author:
  - perfscale.mlflow contributors (@perfscale)
requirements:
  - C(perfscale.mlflow.heartbeat) in C(callbacks_enabled), as in the C(ansible.cfg) of this collection's repository.
options:
  interval:
    description: Seconds between two lines.
    type: float
    default: 30
    env:
      - name: PERFSCALE_HEARTBEAT_S
    ini:
      - section: callback_heartbeat
        key: interval
"""

import threading
import time

from ansible.plugins.callback import CallbackBase

from ansible_collections.perfscale.mlflow.plugins.module_utils.console.progress import ProgressLine
from ansible_collections.perfscale.mlflow.plugins.module_utils.console.task_result import task_label

PRINT_THEIR_OWN = ("perfscale.mlflow.k6_wait", "ansible.builtin.pause")


class CallbackModule(CallbackBase):
    """Watch from a separate thread which task runs; the display's lock synchronizes it with the forks of the playbook."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "perfscale.mlflow.heartbeat"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._over = threading.Event()
        self._task = ""
        self._since = self._reported = 0.0

    def v2_playbook_on_start(self, playbook):
        """Begin to watch."""
        threading.Thread(target=self._watch, args=(self.get_option("interval"),), name="heartbeat", daemon=True).start()

    def v2_runner_on_start(self, host, task):
        """Set which task runs, and since when."""
        self._since = self._reported = time.monotonic()
        self._task = "" if task.action in PRINT_THEIR_OWN else task_label(task.get_name())

    def v2_runner_on_ok(self, result):
        """Reset the task that ended."""
        self._task = ""

    v2_runner_on_skipped = v2_runner_on_unreachable = v2_runner_on_ok

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """Reset the task that failed."""
        self._task = ""

    def v2_playbook_on_stats(self, stats):
        """End the watch."""
        self._over.set()

    def _watch(self, interval):
        while not self._over.wait(interval / 4):
            now, task = time.monotonic(), self._task
            if task and now - self._reported >= interval:
                self._reported = now
                self._display.display(ProgressLine(f"{task}: still runs after {now - self._since:.0f} s"))
