# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin: wait for the whole load of a cell and print its progress every ten seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.perfscale.mlflow.plugins.module_utils.console.progress import ProgressLine
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import ERRORS, Backend, Status, create_backend
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec
from ansible_collections.perfscale.mlflow.plugins.plugin_utils.module_action import exit_handlers

try:
    import psutil
except ImportError:  # modules that come before this task report the missing library
    psutil = None

SPEC = {
    "directory": {"type": "path", "required": True},
    "kind": {"type": "str", "required": True},
    "handle": {"type": "dict", "required": True},
    "expected_s": {"type": "float", "default": 0.0},
    "time_limit_s": {"type": "float", "required": True},
    "interval_s": {"type": "float", "default": 10.0},
    "label": {"type": "str", "required": True},
    "remaining_s": {"type": "float", "default": 0.0},
    **connection_spec(),
}


def controller_cpu_seconds() -> float:
    """Return CPU seconds used so far by this worker and by the ansible-playbook above it."""
    here = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (here, here.parent()) if process is not None)


class ActionModule(ActionBase):
    """Waits on the controller for a load that runs there or in a cluster."""

    TRANSFERS_FILES = False

    @exit_handlers()
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        validated = ArgumentSpecValidator(SPEC).validate(self._task.args)
        if validated.error_messages:
            return {**result, "failed": True, "msg": f"Wait for k6: {'; '.join(validated.error_messages)}."}
        if self._task.check_mode:
            return {**result, "skipped": True}
        arguments = validated.validated_parameters
        try:
            backend = create_backend(arguments["kind"], arguments)
        except ValueError as error:
            return {**result, "failed": True, "msg": f"Wait for k6: {error}"}
        load, status = self._wait(backend, arguments)
        result.update(changed=False, load=load, retry=False)
        if load["is_late"]:
            result.update(failed=True, msg=_explain_delay(arguments, load, _stop(backend, arguments)))
        elif status.failure:
            result.update(failed=True, msg=f"k6 of {arguments['label']}: {status.failure.text}", retry=status.failure.is_retryable)
        return result

    def _wait(self, backend: Backend, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], Status]:
        """Return how the load ended, and the last status of the wait."""
        requests = failures = 0
        away_s = 0.0
        started, cpu_before = time.monotonic(), controller_cpu_seconds()
        last_line, counted, since_line, responded = started, started, 0, started
        # When the load began, on our clock; corrected as soon as the generator responds.
        began, is_late = started, False
        while True:
            now = time.monotonic()
            is_due = now - last_line >= arguments["interval_s"]
            status = backend.status(arguments, with_progress=is_due)
            requests, failures, since_line = requests + status.requests, failures + status.failures, since_line + status.requests
            if status.age_s is not None:
                began = now - status.age_s
            if status.note:
                away_s += now - responded
            responded = now
            is_late = status.is_running and now - began > arguments["time_limit_s"]
            left = arguments["expected_s"] - (now - began) if arguments["expected_s"] else None
            if is_due and status.is_running:
                rate = since_line / (now - counted)
                line = ProgressLine.of_load(
                    arguments["label"],
                    f"{rate:.0f} requests/s, {requests} requests so far, {failures} failed",
                    arguments["expected_s"],
                    left,
                    arguments["remaining_s"],
                )
                if status.note:
                    line = ProgressLine.of_load(arguments["label"], f"not reachable, which the load does not need. {status.note}")
                Display().display(line)
                last_line = now
                if not status.note:
                    counted, since_line = now, 0
            if is_late or not status.is_running:
                break
            time.sleep(backend.poll_interval_s(left))
        seconds = max(time.monotonic() - started, 0.001)
        last = backend.status(arguments, with_progress=True)
        load = {
            "exit": None if is_late else status.exit,
            "is_late": is_late,
            "note": status.note,
            "unreachable_s": round(away_s, 3),
            "requests": requests + last.requests,
            "failures": failures + last.failures,
            "seconds": round(seconds, 3),
            "controller_cpu_cores": round((controller_cpu_seconds() - cpu_before) / seconds, 5),
        }
        return load, status


def _stop(backend: Backend, arguments: Mapping[str, Any]) -> str:
    """Stop a load that is late; return why it could not be stopped, or an empty text."""
    try:
        backend.stop(arguments)
    except ERRORS as error:
        return str(error)
    return ""


def _explain_delay(arguments: Mapping[str, Any], load: Mapping[str, Any], stop_error: str) -> str:
    """Return the error for a load that is still running at its time limit."""
    name, limit = f"k6 of {arguments['label']}", f"{arguments['time_limit_s']:.0f} s"
    if load["note"]:
        return f"{name}: not reachable when its {limit} were over. {load['note']} What it measured stays in its pod: start the run again with the same run_id."
    if stop_error:
        return f"{name}: still running after {limit}, and not stopped. {stop_error}"
    return (
        f"{name}: still running after {limit}, so it was stopped; it had made {load['requests']} requests. "
        f"See k6.log in {arguments['directory']}; a longer tail_limit or request_timeout of the matrix may be needed."
    )
