# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the identity of processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A shell with a sleeping child, both with our mark."""
    env = {**os.environ, handles.MARK: str(tmp_path / "x.json")}
    with subprocess.Popen(["sh", "-c", "sleep 300 & wait"], env=env, start_new_session=True) as process:
        while not psutil.Process(process.pid).children():
            time.sleep(0.01)
        yield process
        os.killpg(process.pid, 9)


def own(process: subprocess.Popen[bytes]) -> dict[str, float]:
    return {"pid": process.pid, "start_time": psutil.Process(process.pid).create_time()}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"name": 1}'])
def test_a_damaged_handle_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert handles.read(tmp_path / "x.json") is None
    assert handles.read(tmp_path / "absent.json") is None


def test_a_process_is_found_by_pid_and_start_time(sleeper: subprocess.Popen[bytes]) -> None:
    assert handles.process_of(own(sleeper)).pid == sleeper.pid


def test_a_recycled_pid_is_not_ours(sleeper: subprocess.Popen[bytes]) -> None:
    handle = own(sleeper)
    assert handles.process_of({**handle, "start_time": handle["start_time"] - 60}) is None


def test_a_zombie_does_not_run() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert handles.process_of(own(process)) is None


def test_without_a_handle_there_is_no_process() -> None:
    assert handles.process_of(None) is None
    assert handles.watcher_of(None) is None
    assert handles.watcher_of({"pid": 1, "start_time": 0.0}) is None
    assert handles.find(2**22 + 1, 0.0) is None


def test_the_family_has_descendants_and_orphans(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    child = psutil.Process(sleeper.pid).children()[0]
    assert {process.pid for process in handles.family(own(sleeper), tmp_path / "none")} == {sleeper.pid, child.pid}
    assert {process.pid for process in handles.family(None, tmp_path / "x.json")} == {sleeper.pid, child.pid}
    assert handles.family(None, tmp_path / "other.json") == []


def test_the_controller_is_the_topmost_ansible(tmp_path: Path) -> None:
    code = (
        "import json; from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handle; import os;"
        "print(json.dumps([handle.controller()['pid'], os.getppid(), os.getpid()]))"
    )
    inner = tmp_path / "inner.py"
    inner.write_text(code)
    outer = tmp_path / "ansible-playbook"
    outer.write_text(f"import subprocess, sys; print(subprocess.run([sys.executable, {str(inner)!r}], capture_output=True, text=True).stdout)")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for script, index in ((outer, 1), (inner, 2)):
        done = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True, check=True)
        response = json.loads(done.stdout)
        assert response[0] == response[index]


def test_marks_are_those_of_the_living(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert str(tmp_path / "x.json") in handles.marks()
    assert str(tmp_path / "y.json") not in handles.marks()
