# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the watcher of detached processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import watcher
from fakes.waiting import wait_until


def spec(folder: Path, *argv: str) -> dict[str, Any]:
    return {
        "argv": list(argv),
        "env": {"PATH": os.environ["PATH"]},
        "chdir": str(folder),
        "identity": {},
        "log_file": str(folder / "x.log"),
        "handle_file": str(folder / "x.json"),
        "exit_file": str(folder / "x.exit.json"),
        "handle": {"name": "x"},
    }


@pytest.fixture(autouse=True)
def keep_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watcher turns its own standard streams away, which here are those of pytest."""
    monkeypatch.setattr(os, "dup2", lambda *_args: None)


def test_start_time_is_that_of_psutil() -> None:
    assert watcher.start_time(os.getpid()) == pytest.approx(psutil.Process().create_time(), abs=0.02)


@pytest.mark.parametrize(
    ("script", "code", "number"),
    [
        pytest.param("exit 0", 0, None, id="success"),
        pytest.param("exit 107", 107, None, id="failure"),
        pytest.param("kill -KILL $$", None, signal.SIGKILL, id="killed"),
    ],
)
def test_the_end_is_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, code: int | None, number: int | None) -> None:
    before = time.time()
    watcher.supervise(spec(tmp_path, "sh", "-c", script))
    report = json.loads(capsys.readouterr().out)
    ended = json.loads((tmp_path / "x.exit.json").read_text())
    assert report["handle"] == json.loads((tmp_path / "x.json").read_text())
    assert report["handle"]["pid"] == ended["pid"]
    assert (ended["exit_code"], ended["signal"]) == (code, number)
    assert ended["cpu_seconds"] >= 0
    assert ended["max_rss_bytes"] > 100_000
    assert before <= ended["started"] <= ended["ended"] <= time.time()


def test_cpu_time_and_memory_are_those_of_the_process(tmp_path: Path) -> None:
    watcher.supervise(spec(tmp_path, sys.executable, "-c", "import time; x = b'1' * 60_000_000\nwhile time.process_time() < 0.3: pass"))
    ended = json.loads((tmp_path / "x.exit.json").read_text())
    assert 0.3 <= ended["cpu_seconds"] < 3
    # No upper limit: the kernel counts what the forking pytest held, which a watcher of its own never does.
    assert ended["max_rss_bytes"] > 60_000_000


def test_the_use_of_the_machine_is_noted(tmp_path: Path) -> None:
    machine = tmp_path / "machine.csv"
    watcher.supervise({**spec(tmp_path, sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"), "machine_file": str(machine)})
    lines = machine.read_text().splitlines()
    first, last = (dict(zip(lines[0].split(","), map(float, line.split(",")), strict=True)) for line in (lines[1], lines[-1]))
    assert tuple(first) == watcher.MACHINE_COLUMNS
    assert last["own_cpu_s"] - first["own_cpu_s"] >= 0.2
    assert last["machine_cpu_s"] - first["machine_cpu_s"] >= 0.2
    assert last["time"] > first["time"]


def test_notes_that_cannot_be_written_end_nothing_else(tmp_path: Path) -> None:
    watcher.supervise({**spec(tmp_path, "sh", "-c", "exit 3"), "machine_file": str(tmp_path / "absent" / "machine.csv")})
    assert json.loads((tmp_path / "x.exit.json").read_text())["exit_code"] == 3


def test_a_program_that_is_not_there_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watcher.supervise(spec(tmp_path, str(tmp_path / "nothing")))
    assert "No such file" in json.loads(capsys.readouterr().out)["error"]
    assert not (tmp_path / "x.json").exists()


def test_what_the_leader_leaves_behind_is_ended(tmp_path: Path) -> None:
    watcher.supervise(spec(tmp_path, "sh", "-c", "sleep 300 & echo $! > orphan"))
    assert not psutil.pid_exists(int((tmp_path / "orphan").read_text()))


def test_a_stubborn_orphan_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; touch ready; while :; do sleep 0.1; done"
    with subprocess.Popen(["sh", "-c", f"({script}) & wait"], cwd=tmp_path, start_new_session=True) as leader:
        while not (tmp_path / "ready").exists():
            time.sleep(0.01)
        leader.kill()
        watcher.end_group(leader.pid, limit_s=0.3)
        wait_until(lambda: watcher.group_members(leader.pid) == [], "the end of the orphan")
