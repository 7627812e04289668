# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching a process; a shell script is the stand-in for k6 (the whole wait is tested with the action plugin)."""

from __future__ import annotations

import shutil
import time

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.process_watch import ProcessWatch
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess

ROWS = "metric_name,timestamp,metric_value\\nhttp_req_failed,1,0\\nhttp_req_failed,1,1\\n"


def test_a_process_is_watched_to_its_end(tmp_path):
    argv = [shutil.which("sh"), "-c", f'printf "{ROWS}" > raw.csv; exec {shutil.which("sleep")} 30']
    process = DetachedProcess("k6", str(tmp_path), {"argv": argv, "env": {}, "chdir": str(tmp_path), "user": None})
    process.start()
    described = process.describe()
    watch = ProcessWatch(tmp_path, {key: described[key] for key in ("pid", "start_time")})
    try:
        while not (tmp_path / "raw.csv").exists():
            time.sleep(0.01)
        assert watch.look(False).requests == 0
        look = watch.look(True)
        assert (look.is_running, look.requests, look.failures) == (True, 2, 1) and look.age_s < 60
        assert watch.look(True).requests == 0
    finally:
        watch.stop()
    assert not watch.look(False).is_running
    assert watch.ended()["exit_code"] == 128 + 15
    assert watch.pause_s(None) == watch.pause_s(1) < 1


def test_a_process_that_left_no_trace_is_not_tried_again(tmp_path):
    text, retry = ProcessWatch(tmp_path, {}).loss()
    assert "it or its watcher was killed" in text and not retry
