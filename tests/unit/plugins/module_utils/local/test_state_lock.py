# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the lock of a state directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import state_lock


def identity(pid: int) -> dict[str, Any]:
    return {"pid": pid, "start_time": psutil.Process(pid).create_time()}


@pytest.fixture
def me(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    mine = identity(os.getpid())
    monkeypatch.setattr(handles, "controller", lambda: mine)
    return mine


@pytest.fixture
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A living process that holds the lock."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with monkeypatch.context() as patch:
            patch.setattr(handles, "controller", lambda: identity(process.pid))
            state_lock.acquire(tmp_path, "run-a")
        yield process
        process.kill()


@pytest.mark.usefixtures("me")
def test_the_lock_is_acquired_once_and_released(tmp_path: Path) -> None:
    assert state_lock.acquire(tmp_path / "state", "run-a") is True
    assert state_lock.acquire(tmp_path / "state", "run-a") is False
    assert state_lock.release(tmp_path / "state") is True
    assert state_lock.release(tmp_path / "state") is False
    assert state_lock.check(tmp_path / "state") is False


@pytest.mark.usefixtures("me")
def test_check_mode_acquires_nothing(tmp_path: Path) -> None:
    assert state_lock.acquire(tmp_path / "state", "run-a", dry=True) is True
    assert not (tmp_path / "state").exists()


@pytest.mark.usefixtures("me")
def test_a_living_holder_is_named(tmp_path: Path, another: subprocess.Popen[bytes]) -> None:
    sentence = rf"Local stack {tmp_path}: in use by run run-a \(ansible-playbook with pid {another.pid} on .*\)\. .*another local_stack_state_dir"
    with pytest.raises(state_lock.StateDirectoryBusyError, match=sentence):
        state_lock.acquire(tmp_path, "run-b")
    with pytest.raises(state_lock.StateDirectoryBusyError, match=sentence):
        state_lock.acquire(tmp_path, "run-b", dry=True)
    with pytest.raises(state_lock.StateDirectoryBusyError, match=sentence):
        state_lock.release(tmp_path)


@pytest.mark.usefixtures("me")
def test_a_dead_holder_does_not_count(tmp_path: Path, another: subprocess.Popen[bytes]) -> None:
    another.kill()
    another.wait()
    assert state_lock.acquire(tmp_path, "run-b") is True
