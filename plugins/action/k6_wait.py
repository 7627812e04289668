# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin: waits for the whole load of a cell and says every ten seconds where the run is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import exit_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.progress import read_progress
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.duration import format_duration

try:
    import psutil
except ImportError:  # modules that come before this task report the missing library
    psutil = None

# One look costs two system calls; the end of a cell is noticed within this time (seconds).
LOOK_EVERY_S = 0.5
# The watcher writes the exit file right after the process is gone (seconds).
EXIT_FILE_WITHIN_S = 10.0

SPEC = {
    "directory": {"type": "path", "required": True},
    "handle": {"type": "dict", "required": True},
    "expected_s": {"type": "float", "default": 0.0},
    "time_limit_s": {"type": "float", "required": True},
    "interval_s": {"type": "float", "default": 10.0},
    "label": {"type": "str", "required": True},
    "remaining_s": {"type": "float", "default": 0.0},
}


def controller_cpu_seconds() -> float:
    """Returns CPU seconds used so far by this worker and by the ansible-playbook above it."""
    here = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (here, here.parent()) if process is not None)


def progress_line(label: str, left_s: float | None, remaining_s: float, rate: float, requests: int, failures: int) -> str:
    """Returns the line of progress; times in seconds (left_s None when nobody knows), rate in requests per second since the last line."""
    times = ""
    if left_s is not None:
        left = max(0.0, left_s)
        times = f"{format_duration(left)} left in the cell, {format_duration(left + remaining_s)} of load left in the run, "
    return f"{label}: {times}{rate:.0f} requests/s, {requests} requests so far, {failures} failed"


class ActionModule(ActionBase):
    """Waits on the controller, where the process backend runs its generator."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        validated = ArgumentSpecValidator(SPEC).validate(self._task.args)
        if validated.error_messages:
            return {**result, "failed": True, "msg": f"Wait for k6: {'; '.join(validated.error_messages)}."}
        if self._task.check_mode:
            return {**result, "skipped": True}
        arguments = validated.validated_parameters
        load = self._wait(arguments)
        result.update(changed=False, load=load)
        if load["exit"] is None:
            result.update(failed=True, msg=self._explain(arguments, load))
        return result

    def _wait(self, arguments: dict[str, Any]) -> dict[str, Any]:
        directory = Path(arguments["directory"])
        raw, offset, requests, failures = directory / "raw.csv", 0, 0, 0
        started, cpu_before = time.monotonic(), controller_cpu_seconds()
        # A controller that attaches later has less to wait for than one that started the load.
        already = time.time() - float(arguments["handle"]["start_time"])
        last_line, is_late = started, False
        while handles.process_of(arguments["handle"]) is not None and not is_late:
            time.sleep(LOOK_EVERY_S)
            now = time.monotonic()
            is_late = already + now - started > arguments["time_limit_s"]
            if now - last_line >= arguments["interval_s"]:
                added = read_progress(raw, offset)
                requests, failures, offset = requests + added.requests, failures + added.failures, added.offset
                left = arguments["expected_s"] - already - (now - started) if arguments["expected_s"] else None
                rate = added.requests / (now - last_line)
                Display().display(progress_line(arguments["label"], left, arguments["remaining_s"], rate, requests, failures))
                last_line = now
        if is_late:
            # k6 writes its summary on SIGTERM, so it gets time before it is killed.
            DetachedProcess("k6", str(directory)).stop(EXIT_FILE_WITHIN_S)
        seconds = max(time.monotonic() - started, 0.001)
        ended = self._await_exit(directory)
        added = read_progress(raw, offset)
        return {
            "exit": None if is_late else ended,
            "is_late": is_late,
            "requests": requests + added.requests,
            "failures": failures + added.failures,
            "seconds": round(seconds, 3),
            "controller_cpu_cores": round((controller_cpu_seconds() - cpu_before) / seconds, 5),
        }

    def _await_exit(self, directory: Path) -> dict[str, Any] | None:
        deadline = time.monotonic() + EXIT_FILE_WITHIN_S
        while exit_of(directory) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        return exit_of(directory)

    def _explain(self, arguments: dict[str, Any], load: dict[str, Any]) -> str:
        if load["is_late"]:
            return (
                f"k6 of {arguments['label']}: still ran after {arguments['time_limit_s']:.0f} s and was stopped; it had made {load['requests']} requests. "
                f"See k6.log in {arguments['directory']}; a longer tail_limit or request_timeout of the matrix may be needed."
            )
        return (
            f"k6 of {arguments['label']}: ended without leaving an exit code, so it or its watcher was killed. "
            f"See k6.log in {arguments['directory']} and start the run again with the same run_id."
        )
