# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a directory: one of many contenders gets it, in whatever process namespace, and it ends with its holder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import lock
from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles
from fakes.waiting import wait_until

ROOT = Path(__file__).resolve().parents[5]
CONTENDERS, ROUNDS = 6, 4
CONTENDER = """
import sys
from pathlib import Path
from ansible_collections.perfscale.mlflow.plugins.module_utils.common import lock
print("ready", flush=True)
for path in sys.stdin:
    try:
        lock.acquire(Path(path.strip()), "contender")
        print("won", flush=True)
    except lock.LockedError:
        print("lost", flush=True)
"""
HAS_NAMESPACES = os.geteuid() == 0 and shutil.which("unshare") is not None
ELSEWHERE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] if HAS_NAMESPACES else []


@pytest.fixture(name="contenders")
def fixture_contenders():
    """Processes that try for the lock whose path they read; every second one in a process namespace of its own, where that is possible."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".collections")}
    with ExitStack() as stack:
        started = []
        for number in range(CONTENDERS):
            argv = [*(ELSEWHERE if number % 2 else []), sys.executable, "-c", CONTENDER]
            process = stack.enter_context(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment))
            stack.callback(process.kill)
            started.append(process)
        assert [process.stdout.readline() for process in started] == ["ready\n"] * CONTENDERS
        yield started


@pytest.fixture(name="controller")
def fixture_controller(monkeypatch):
    """Another living process that stands for the ansible-playbook under which a module runs."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        monkeypatch.setattr(handles, "controller", lambda: {"pid": process.pid, "start_time": handles.start_time(process.pid)})
        yield process
        process.kill()


def is_free(path):
    try:
        return lock.acquire(path) and lock.release(path)
    except lock.LockedError:
        return False


def test_one_of_many_gets_it(contenders, tmp_path):
    winners = []
    for number in range(ROUNDS):
        for process in contenders:
            process.stdin.write(f"{tmp_path / str(number)}\n")
        for process in contenders:
            process.stdin.flush()
        winners.append([process.stdout.readline() for process in contenders].count("won\n"))
    assert winners == [1] * ROUNDS


def test_it_ends_with_its_holder(contenders, tmp_path):
    first, second = contenders[0], contenders[1]
    for process, expected in ((first, "won\n"), (second, "lost\n")):
        process.stdin.write(f"{tmp_path / 'lock'}\n")
        process.stdin.flush()
        assert process.stdout.readline() == expected
    first.kill()
    first.wait()
    # The file of the dead owner stays, and does not count.
    assert json.loads((tmp_path / "lock.json").read_text())["pid"] == first.pid
    second.stdin.write(f"{tmp_path / 'lock'}\n")
    second.stdin.flush()
    assert second.stdout.readline() == "won\n"


@pytest.mark.usefixtures("controller")
def test_a_module_acquires_it_for_its_playbook(tmp_path, monkeypatch):
    path = tmp_path / "new" / "lock"
    assert lock.acquire(path, "run-a") is True
    assert lock.acquire(path, "run-a") is False
    assert lock.check(path) is True
    with monkeypatch.context() as patch:
        patch.setattr(handles, "controller", lambda: {"pid": os.getpid(), "start_time": handles.start_time(os.getpid())})
        with pytest.raises(lock.LockedError, match="ansible-playbook with pid") as caught:
            lock.acquire(path, "run-b")
        assert caught.value.owner["about"] == "run-a"
        with pytest.raises(lock.LockedError):
            lock.release(path)
    assert lock.release(path) is True
    assert lock.release(path) is False
    assert lock.acquire(path, "run-a") is True


@pytest.mark.parametrize("victim", ["controller", "keeper"])
def test_a_killed_playbook_or_keeper_leaves_it_free(controller, tmp_path, victim, monkeypatch):
    lock.acquire(tmp_path / "lock", "run-a")
    monkeypatch.undo()
    assert not is_free(tmp_path / "lock")
    keeper = json.loads((tmp_path / "lock.json").read_text())["keeper"]["pid"]
    os.kill(controller.pid if victim == "controller" else keeper, signal.SIGKILL)
    wait_until(lambda: is_free(tmp_path / "lock"), "the lock")


@pytest.mark.parametrize(
    ("silent_s", "owner", "expected"),
    [
        pytest.param(1, {"boot": "another"}, False, id="another-machine-a-moment-ago"),
        pytest.param(lock.EXPIRY_S + 1, {"boot": "another"}, True, id="another-machine-long-ago"),
        pytest.param(1, {}, True, id="an-older-version"),
    ],
)
def test_the_owner_may_be_on_another_machine(tmp_path, silent_s, owner, expected):
    """A file system that shares no locks between machines grants the lock to both; the owner's sign of life does not lie."""
    (tmp_path / "lock").touch()
    (tmp_path / "lock.json").write_text(json.dumps({"pid": 4711, "start_time": 1.0, "host": "elsewhere", **owner}))
    os.utime(tmp_path / "lock.json", (time.time() - silent_s,) * 2)
    if expected:
        assert lock.acquire(tmp_path / "lock") is True
        assert lock.release(tmp_path / "lock") is True
    else:
        with pytest.raises(lock.LockedError, match="pid 4711 on elsewhere"):
            lock.acquire(tmp_path / "lock")


@pytest.mark.parametrize("text", ["{", "[]", "", '{"pid": "x"}'])
def test_a_damaged_owner_file_does_not_count(tmp_path, text):
    (tmp_path / "lock.json").write_text(text)
    assert lock.acquire(tmp_path / "lock") is True
    lock.release(tmp_path / "lock")
