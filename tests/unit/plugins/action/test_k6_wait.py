# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin k6_wait: progress, the end of the load, the time limit; a shell script is the fake of k6."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
from ansible.utils.display import Display

from ansible_collections.perfscale.mlflow.plugins.action import k6_wait
from ansible_collections.perfscale.mlflow.plugins.action.k6_wait import ActionModule
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import Failure, Status
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess
from fakes.fake_backend import FakeBackend

ROWS = "metric_name,timestamp,metric_value\\nhttp_reqs,1,1\\nhttp_req_failed,1,0\\nhttp_reqs,1,1\\nhttp_req_failed,1,1\\n"


@pytest.fixture(name="load")
def fixture_load(tmp_path):
    """Start a fake k6 that writes two requests, one failed, and then runs a command."""
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
    """Run the action plugin with the arguments of a task."""

    def run(handle, check_mode=False, **arguments):
        common = {"directory": str(tmp_path), "kind": "process", "expected_s": 60, "time_limit_s": 60, "label": "cell 1 of 4 t1-c5-r1"}
        given = {**common, "handle": handle, **arguments}
        task = SimpleNamespace(args=given, check_mode=check_mode, async_val=0, action="k6_wait", diff=False)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        return ActionModule(task, connection, SimpleNamespace(), None, None, None).run(None, {})

    return run


def test_the_end_of_the_load_is_returned(load, wait):
    answer = wait(load("sleep 1"))
    assert answer["load"]["exit"]["exit_code"] == 0
    assert (answer["load"]["requests"], answer["load"]["failures"]) == (2, 1)
    assert answer["load"]["seconds"] > 0
    assert answer["load"]["controller_cpu_cores"] >= 0


def test_the_exit_code_of_k6_is_returned(load, wait):
    assert wait(load("sleep 1; exit 107"))["load"]["exit"]["exit_code"] == 107


def test_progress_is_printed(load, wait, monkeypatch):
    lines = []
    monkeypatch.setattr(Display, "display", lambda _self, line, *_args, **_kwargs: lines.append(line))
    wait(load("sleep 3"), interval_s=1, remaining_s=90)
    assert lines[0].startswith("cell 1 of 4 t1-c5-r1: ")
    assert "2 requests so far, 1 failed" in lines[0]


def test_the_time_limit_stops_the_load(load, wait):
    answer = wait(load("exec sleep 60"), time_limit_s=1)
    assert answer["failed"]
    assert "still running after 1 s, so it was stopped; it had made 2 requests" in answer["msg"]


def test_missing_arguments_are_named(wait):
    answer = wait({"pid": 1, "start_time": 0}, expected_s="soon")
    assert answer["failed"]
    assert "expected_s" in answer["msg"]


def test_an_unknown_kind_is_named(wait):
    answer = wait({}, kind="magic")
    assert answer["failed"]
    assert "Generator of kind magic: unknown kind. Allowed are process, pod and k6_operator." in answer["msg"]


def test_check_mode_is_skipped(wait):
    assert wait({"pid": 1, "start_time": 0}, check_mode=True)["skipped"]


@pytest.fixture(name="watched")
def fixture_watched(wait, monkeypatch):
    """Wait for the load of a fake backend."""

    def watched(backend, **arguments):
        monkeypatch.setattr(k6_wait, "create_backend", lambda _kind, _arguments: backend)
        return wait({"pod_uid": "u"}, **arguments)

    return watched


def test_a_lost_pod_may_be_replaced(watched):
    answer = watched(FakeBackend(Status(True, 1.0, 3, 1), Status(False, failure=Failure("lost its pod.", True))))
    assert answer["failed"]
    assert answer["retry"]
    assert answer["msg"] == "k6 of cell 1 of 4 t1-c5-r1: lost its pod."


def test_a_load_that_is_not_reachable_any_more_is_left(watched, monkeypatch):
    lines = []
    monkeypatch.setattr(Display, "display", lambda _self, line, *_args, **_kwargs: lines.append(line))
    backend = FakeBackend(Status(True, 100.0), Status(True, note="No answer."), stop_error=ClusterError("No answer."))
    answer = watched(backend, time_limit_s=100.05, interval_s=0.01)
    assert answer["failed"]
    assert not answer["retry"]
    assert "not reachable when its 100 s were over. No answer. What it measured stays in its pod" in answer["msg"]
    assert lines[-1] == "cell 1 of 4 t1-c5-r1: not reachable, which the load does not need. No answer."


def test_the_time_without_a_response_is_counted(watched, monkeypatch):
    clock = iter(range(0, 1000, 5))
    monkeypatch.setattr(k6_wait.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(k6_wait.time, "sleep", lambda _seconds: None)
    gone = Status(True, note="No answer.")
    answer = watched(FakeBackend(Status(True, 1.0), gone, gone, Status(True, 20.0), Status(False, 25.0, exit={"exit_code": 0})), time_limit_s=1000)
    assert answer["load"]["unreachable_s"] == 10.0
    assert watched(FakeBackend(Status(True, 1.0), Status(False, 2.0, exit={"exit_code": 0})), time_limit_s=1000)["load"]["unreachable_s"] == 0.0


def test_a_load_that_was_attached_to_is_older_than_the_wait(watched):
    backend = FakeBackend(Status(True, 59.5))
    assert "still running after 59 s" in watched(backend, time_limit_s=59)["msg"]
    assert backend.is_stopped


def test_a_load_that_cannot_be_stopped_is_named(watched):
    answer = watched(FakeBackend(Status(True, 59.5), stop_error=ClusterError("Pod a/b: incomplete response to stop.")), time_limit_s=59)
    assert answer["failed"]
    assert "still running after 59 s, and not stopped. Pod a/b: incomplete response to stop." in answer["msg"]
