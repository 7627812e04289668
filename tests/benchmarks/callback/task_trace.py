# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback: appends the end of each task to the file that PERFSCALE_TRACE names, one JSON document a line."""

from __future__ import annotations

DOCUMENTATION = """
name: task_trace
type: aggregate
short_description: Trace tasks into a file
description: Appends the end of each task, its action and the file it stands in.
"""

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Writes each line at once, so that a trace of a run that is cut is complete up to there."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_trace"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write(result, "failed")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._write(result, "skipped")

    def _write(self, result: Any, outcome: str) -> None:
        task = result.task
        entry = {"ended": time.time(), "outcome": outcome, "action": task.action, "name": task.get_name(), "file": task.get_path().rsplit(":", 1)[0]}
        with open(os.environ["PERFSCALE_TRACE"], "a", encoding="utf-8") as trace:
            trace.write(json.dumps(entry) + "\n")
