# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin k6_wait: progress, the end of the load, the time limit; a shell script is the stand-in for k6."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
from ansible.utils.display import Display

from ansible_collections.perfscale.mlflow.plugins.action.k6_wait import ActionModule, progress_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess

ROWS = "metric_name,timestamp,metric_value\\nhttp_reqs,1,1\\nhttp_req_failed,1,0\\nhttp_reqs,1,1\\nhttp_req_failed,1,1\\n"


@pytest.fixture(name="load")
def fixture_load(tmp_path):
    """Starts a stand-in for k6 that writes two requests, one failed, and then does what it is told."""
    started = []

    def start(then):
        argv = [shutil.which("sh"), "-c", f'printf "{ROWS}" > raw.csv; {then}']
        process = DetachedProcess("k6", str(tmp_path), {"argv": argv, "env": {}, "chdir": str(tmp_path), "user": None})
        process.start()
        started.append(process)
        described = process.describe()
        return {key: described[key] for key in ("pid", "start_time")}

    yield start
    for process in started:
        process.stop(1)


@pytest.fixture(name="wait")
def fixture_wait(tmp_path):
    """Runs the action plugin with the arguments of a task."""

    def run(handle, check_mode=False, **arguments):
        given = {"directory": str(tmp_path), "handle": handle, "expected_s": 60, "time_limit_s": 60, "label": "cell 1 of 4 t1-c5-r1", **arguments}
        task = SimpleNamespace(args=given, check_mode=check_mode, async_val=0, action="k6_wait", diff=False)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        return ActionModule(task, connection, SimpleNamespace(), None, None, None).run(None, {})

    return run


def test_the_end_of_the_load_is_told(load, wait):
    answer = wait(load("sleep 1"))
    assert answer["load"]["exit"]["exit_code"] == 0
    assert (answer["load"]["requests"], answer["load"]["failures"]) == (2, 1)
    assert answer["load"]["seconds"] > 0
    assert answer["load"]["controller_cpu_cores"] >= 0


def test_the_exit_code_of_k6_is_handed_over(load, wait):
    assert wait(load("sleep 1; exit 107"))["load"]["exit"]["exit_code"] == 107


def test_progress_is_printed(load, wait, monkeypatch):
    lines = []
    monkeypatch.setattr(Display, "display", lambda _self, line, *_args, **_kwargs: lines.append(line))
    wait(load("sleep 3"), interval_s=1, remaining_s=90)
    assert lines and lines[0].startswith("cell 1 of 4 t1-c5-r1: ")
    assert "2 requests so far, 1 failed" in lines[0]


def test_the_time_limit_stops_the_load(load, wait):
    answer = wait(load("exec sleep 60"), time_limit_s=1)
    assert answer["failed"]
    assert "still ran after 1 s and was stopped; it had made 2 requests" in answer["msg"]


def test_missing_arguments_are_named(wait):
    answer = wait({"pid": 1, "start_time": 0}, expected_s="soon")
    assert answer["failed"] and "expected_s" in answer["msg"]


def test_check_mode_is_skipped(wait):
    assert wait({"pid": 1, "start_time": 0}, check_mode=True)["skipped"]


def test_a_line_without_an_expected_end():
    assert progress_line("prefill of 4 tenants", None, 0, 24, 240, 0) == "prefill of 4 tenants: 24 requests/s, 240 requests so far, 0 failed"


def test_a_line_of_progress():
    line = progress_line("cell 2 of 4 t1-c10-r1", 65, 100, 86.4, 900, 3)
    assert line == "cell 2 of 4 t1-c10-r1: 1m 5s left in the cell, 2m 45s of load left in the run, 86 requests/s, 900 requests so far, 3 failed"
