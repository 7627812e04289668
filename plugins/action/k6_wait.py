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

from ansible_collections.perfscale.mlflow.plugins.module_utils.console.progress import ProgressLine
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.process_watch import ProcessWatch
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.watch import Watch

try:
    import psutil
except ImportError:  # modules that come before this task report the missing library
    psutil = None

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
except ImportError:  # only loads in pods need it, and the module that starts one reports it
    AUTH_ARG_SPEC = {}

SPEC = {
    "directory": {"type": "path", "required": True},
    "handle": {"type": "dict", "required": True},
    "expected_s": {"type": "float", "default": 0.0},
    "time_limit_s": {"type": "float", "required": True},
    "interval_s": {"type": "float", "default": 10.0},
    "label": {"type": "str", "required": True},
    "remaining_s": {"type": "float", "default": 0.0},
    **AUTH_ARG_SPEC,
}


def controller_cpu_seconds() -> float:
    """Returns CPU seconds used so far by this worker and by the ansible-playbook above it."""
    here = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (here, here.parent()) if process is not None)


def watch_of(arguments: dict[str, Any]) -> Watch:
    """Returns the watch for the kind of generator that the handle belongs to."""
    if "pod_uid" in arguments["handle"]:
        # Imported here, since the client library costs half a second of CPU, which a load on this machine would have to spare.
        from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_watch import PodWatch
        from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import cluster_from

        return PodWatch(lambda: cluster_from(arguments), arguments["handle"])
    return ProcessWatch(Path(arguments["directory"]), arguments["handle"])


class ActionModule(ActionBase):
    """Waits on the controller for a load that runs there or in a pod."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        validated = ArgumentSpecValidator(SPEC).validate(self._task.args)
        if validated.error_messages:
            return {**result, "failed": True, "msg": f"Wait for k6: {'; '.join(validated.error_messages)}."}
        if self._task.check_mode:
            return {**result, "skipped": True}
        arguments = validated.validated_parameters
        watch = watch_of(arguments)
        load = self._wait(watch, arguments)
        result.update(changed=False, load=load, retry=False)
        if load["exit"] is None:
            msg, retry = self._explain(watch, arguments, load)
            result.update(failed=True, msg=msg, retry=retry)
        return result

    def _wait(self, watch: Watch, arguments: dict[str, Any]) -> dict[str, Any]:
        requests = failures = 0
        started, cpu_before = time.monotonic(), controller_cpu_seconds()
        last_line, counted, since_line = started, started, 0
        # When the load began, on our clock; corrected as soon as somebody could be asked.
        began, is_late, note = started, False, ""
        while True:
            now = time.monotonic()
            is_due = now - last_line >= arguments["interval_s"]
            look = watch.look(with_progress=is_due)
            requests, failures, since_line = requests + look.requests, failures + look.failures, since_line + look.requests
            if look.age_s is not None:
                began = now - look.age_s
            is_late = look.is_running and now - began > arguments["time_limit_s"]
            left = arguments["expected_s"] - (now - began) if arguments["expected_s"] else None
            if is_due and look.is_running:
                rate = since_line / (now - counted)
                line = ProgressLine.of_load(
                    arguments["label"],
                    f"{rate:.0f} requests/s, {requests} requests so far, {failures} failed",
                    arguments["expected_s"],
                    left,
                    arguments["remaining_s"],
                )
                if look.note:
                    line = ProgressLine.of_load(arguments["label"], f"not reachable, which the load does not need. {look.note}")
                Display().display(line)
                last_line = now
                if not look.note:
                    counted, since_line = now, 0
            note = look.note
            if is_late or not look.is_running:
                break
            time.sleep(watch.pause_s(left))
        if is_late:
            # k6 writes its summary on SIGTERM, so it gets time before it is killed.
            watch.stop()
        seconds = max(time.monotonic() - started, 0.001)
        ended = watch.ended()
        last = watch.look(with_progress=True)
        return {
            "exit": None if is_late else ended,
            "is_late": is_late,
            "note": note,
            "requests": requests + last.requests,
            "failures": failures + last.failures,
            "seconds": round(seconds, 3),
            "controller_cpu_cores": round((controller_cpu_seconds() - cpu_before) / seconds, 5),
        }

    def _explain(self, watch: Watch, arguments: dict[str, Any], load: dict[str, Any]) -> tuple[str, bool]:
        if not load["is_late"]:
            text, retry = watch.loss()
            return f"k6 of {arguments['label']}: {text}", retry
        if load["note"]:
            return (
                f"k6 of {arguments['label']}: could not be asked any more when its {arguments['time_limit_s']:.0f} s were over. {load['note']} "
                "What it measured stays in its pod: start the run again with the same run_id."
            ), False
        return (
            f"k6 of {arguments['label']}: still ran after {arguments['time_limit_s']:.0f} s and was stopped; it had made {load['requests']} requests. "
            f"See k6.log in {arguments['directory']}; a longer tail_limit or request_timeout of the matrix may be needed."
        ), False
