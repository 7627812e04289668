# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of detached processes, with real ones."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import process as detached_process
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import readiness
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess, ProcessError
from fakes.waiting import wait_until

SERVER = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
READY = {"url": "http://127.0.0.1:{port}/", "timeout_s": 30}


@pytest.fixture
def create(tmp_path: Path) -> Iterator[Callable[..., DetachedProcess]]:
    created: list[DetachedProcess] = []

    def detached(argv: list[str], name: str = "x", env: dict[str, str] | None = None, **more: Any) -> DetachedProcess:
        command = {"argv": argv, "env": env or {}, "chdir": None, "user": more.pop("user", None), "nice": more.pop("nice", 0)}
        created.append(DetachedProcess(name, str(tmp_path), command, **more))
        return created[-1]

    yield detached
    for process in created:
        process.stop(1)


def test_a_process_that_never_starts_is_given_up(create: Callable[..., DetachedProcess], monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a program on a file system that hangs."""
    monkeypatch.setattr(detached_process, "REPORT_LIMIT_S", 0.3)
    monkeypatch.setattr(detached_process.inspect, "getsource", lambda _module: "import json\nimport time\nsupervise = lambda spec: time.sleep(60)")
    with pytest.raises(ProcessError, match=r"Process x: not started \(no report within 0\.3 s\)\."):
        create(["sleep", "60"]).start()


def test_a_process_may_have_a_lower_priority(create: Callable[..., DetachedProcess]) -> None:
    create(["sleep", "60"], nice=3).start()
    handle = create(["sleep", "60"], nice=3).handle() or {}
    assert psutil.Process(handle["pid"]).nice() == min(19, psutil.Process().nice() + 3)


def test_a_second_start_changes_nothing(create: Callable[..., DetachedProcess]) -> None:
    first, second = create(SERVER, free_port=True), create(SERVER, free_port=True)
    assert first.start(READY) is True
    before = first.describe()
    assert before["running"]
    assert before["port"]
    assert before["exit"] is None
    assert second.start(READY) is False
    assert second.describe() == before


def test_a_process_can_be_awaited_later(create: Callable[..., DetachedProcess], tmp_path: Path) -> None:
    go = tmp_path / "go"
    argv = ["sh", "-c", f'until [ -e {go} ]; do sleep 0.05; done; exec "$0" "$@"', *SERVER]
    assert create(argv, free_port=True).start(READY, is_awaited=False) is True
    started = create(argv, free_port=True).describe()
    assert readiness.is_free(started["port"])
    go.touch()
    assert create(argv, free_port=True).start(READY) is False
    assert create(argv, free_port=True).describe() == started


def test_what_ended_before_it_was_awaited_is_started_again(create: Callable[..., DetachedProcess], tmp_path: Path) -> None:
    argv = ["sh", "-c", f"echo started >> {tmp_path}/starts; exit 4"]
    create(argv).start(is_awaited=False)
    wait_until(lambda: create(argv).describe()["exit"])
    with pytest.raises(ProcessError, match="ended with exit code 4 before it was ready"):
        create(argv).start(READY)
    assert (tmp_path / "starts").read_text().split() == ["started", "started"]


def test_another_command_replaces_the_process(create: Callable[..., DetachedProcess]) -> None:
    first, second = create(["sleep", "300"]), create(["sleep", "301"])
    first.start()
    pid = first.describe()["pid"]
    assert second.start() is True
    assert second.describe()["pid"] != pid
    assert not psutil.pid_exists(pid)


def test_a_restart_takes_the_same_port_again(create: Callable[..., DetachedProcess]) -> None:
    process = create(SERVER, free_port=True)
    process.start(READY)
    port = process.describe()["port"]
    assert process.stop(10) is True
    assert readiness.is_free(port)
    assert process.describe()["exit"]["signal"] == signal.SIGTERM
    process.start(READY)
    assert process.describe()["port"] == port


def test_stopping_twice_changes_nothing(create: Callable[..., DetachedProcess]) -> None:
    process = create(["sleep", "300"])
    assert process.stop() is False
    process.start()
    assert process.stop() is True
    assert process.stop() is False


def test_children_end_with_their_parent(create: Callable[..., DetachedProcess], tmp_path: Path) -> None:
    process = create(["sh", "-c", "sleep 300 & echo $! > child; setsid sleep 300 & echo $! > apart; touch ready; wait"])
    process.start()
    wait_until((tmp_path / "ready").exists)
    children = [int((tmp_path / name).read_text()) for name in ("child", "apart")]
    process.stop(10)
    assert not any(psutil.pid_exists(pid) for pid in children)


def test_who_ignores_the_signal_is_killed(create: Callable[..., DetachedProcess], tmp_path: Path) -> None:
    process = create(["sh", "-c", "trap '' TERM; touch ready; while :; do sleep 0.05; done"])
    process.start()
    wait_until((tmp_path / "ready").exists)
    assert process.stop(0.3) is True
    assert process.describe()["exit"]["signal"] == signal.SIGKILL


def test_orphans_of_a_killed_watcher_are_found(create: Callable[..., DetachedProcess], tmp_path: Path) -> None:
    process = create(["sh", "-c", "sleep 300 & echo $! > child; touch ready; wait"])
    process.start()
    wait_until((tmp_path / "ready").exists)
    child = int((tmp_path / "child").read_text())
    handle = process.handle()
    assert handle is not None
    os.kill(handle["watcher_pid"], signal.SIGKILL)
    os.kill(handle["pid"], signal.SIGKILL)
    wait_until(lambda: not process.running())
    assert process.stop(10) is True
    assert not psutil.pid_exists(child)


def test_a_stranger_with_the_recorded_pid_is_left_alone(create: Callable[..., DetachedProcess]) -> None:
    process, stranger = create(["sleep", "300"]), create(["sleep", "300"], name="stranger")
    process.start()
    stranger.start()
    text = process.handle_file.read_text()
    process.stop()
    process.handle_file.write_text(text.replace(f'"pid": {process.describe()["pid"]}', f'"pid": {stranger.describe()["pid"]}'))
    handle = process.handle()
    assert handle is not None
    process.handle_file.write_text(process.handle_file.read_text().replace(str(handle["start_time"]), "1000.5"))
    assert process.running() is False
    assert process.stop() is False
    assert stranger.running()


def test_the_environment_is_clean(create: Callable[..., DetachedProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TOKEN", "K6_RPS", "GOGC", "PGOPTIONS", "PYTHONPATH", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, "do-not-pass")
    monkeypatch.setenv("LC_ALL", "de_DE")
    process = create(["sleep", "300"], env={"GIVEN": "yes"})
    process.start()
    handle = process.handle()
    leader, parent = handles.process_of(handle), handles.watcher_of(handle)
    assert leader is not None
    assert parent is not None
    # The kernel closes the pipe that tells of the start before the new program has its environment.
    wait_until(lambda: leader.environ().get("GIVEN") == "yes")
    assert "do-not-pass" not in {*leader.environ().values(), *parent.environ().values()}
    assert {name: leader.environ().get(name) for name in ("HOME", "LANG", "LC_ALL")} == {"HOME": str(tmp_path), "LANG": "C.UTF-8", "LC_ALL": None}
    assert "sleep" not in " ".join(parent.cmdline())


def test_the_process_holds_no_file_of_ours(create: Callable[..., DetachedProcess], tmp_path: Path) -> None:
    with open(tmp_path / "ours", "w", encoding="utf-8") as ours:
        os.set_inheritable(ours.fileno(), True)
        process = create(["sleep", "300"])
        process.start()
        members = [handles.process_of(process.handle()), handles.watcher_of(process.handle())]

        def held() -> set[str]:
            folders = [Path(f"/proc/{member.pid}/fd") for member in members if member]
            try:
                return {os.readlink(link) for folder in folders for link in folder.iterdir()}
            except FileNotFoundError:
                return {"just closed"}

        assert None not in members
        # The watcher closes the pipe of its report right after it.
        wait_until(lambda: held() <= {"/dev/null", str(process.log_file)})


def test_an_early_end_shows_the_log(create: Callable[..., DetachedProcess]) -> None:
    process = create(["sh", "-c", "echo no such database; exit 3"])
    with pytest.raises(ProcessError, match=r"(?s)Process x: ended with exit code 3 before it was ready.*no such database"):
        process.start({"port": readiness.choose_port(), "timeout_s": 30})


@pytest.mark.parametrize("may_end", [True, False])
def test_only_a_job_may_end_before_anybody_looks(create: Callable[..., DetachedProcess], monkeypatch: pytest.MonkeyPatch, may_end: bool) -> None:
    monkeypatch.setattr(readiness, "wait", lambda _ready, alive: wait_until(lambda: not alive()) or "")
    process = create(["sh", "-c", "exit 107"])
    if may_end:
        assert process.start(may_end=True)
        wait_until(lambda: process.describe()["exit"])
        assert process.describe()["exit"]["exit_code"] == 107
    else:
        with pytest.raises(ProcessError, match="ended with exit code 107 before it was ready"):
            process.start()


def test_an_early_kill_names_the_signal(create: Callable[..., DetachedProcess]) -> None:
    with pytest.raises(ProcessError, match=r"ended with signal 9 .*\n.empty log"):
        create(["sh", "-c", "kill -KILL $$"]).start({"port": readiness.choose_port(), "timeout_s": 30})


def test_who_is_not_ready_in_time_is_stopped(create: Callable[..., DetachedProcess]) -> None:
    process = create(["sleep", "300"])
    with pytest.raises(ProcessError, match=r"was not ready within 0.3 s \(last seen: no connection\)"):
        process.start({"port": readiness.choose_port(), "timeout_s": 0.3})
    assert process.running() is False


def test_a_free_port_alone_is_waited_for(create: Callable[..., DetachedProcess]) -> None:
    process = create(SERVER, free_port=True)
    process.start({"timeout_s": 30})
    assert readiness.accepts_connections(process.describe()["port"])


def test_a_lost_race_for_a_port_is_run_again(create: Callable[..., DetachedProcess], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        choices = iter([taken, readiness.choose_port()])
        monkeypatch.setattr(readiness, "choose_port", lambda _preferred=None: next(choices))
        process = create(SERVER, free_port=True)
        assert process.start({"timeout_s": 30}) is True
        assert process.describe()["port"] != taken


@pytest.mark.parametrize(
    ("argv", "user", "sentence"),
    [
        pytest.param(["/nowhere/at/all"], None, "Process x: not started .*No such file", id="no program"),
        pytest.param(["true"], "no-such-user", "Process x: user no-such-user does not exist", id="no user"),
    ],
)
def test_what_cannot_start_is_a_sentence(create: Callable[..., DetachedProcess], argv: list[str], user: str | None, sentence: str) -> None:
    with pytest.raises(ProcessError, match=sentence):
        create(argv, user=user).start()


def test_a_state_directory_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = DetachedProcess("x", str(tmp_path / "file"), {"argv": ["true"], "env": {}})
    with pytest.raises(ProcessError, match=r"Process x: cannot use .*Choose a writable directory"):
        process.start()


def test_a_named_user_is_the_one_of_the_process(create: Callable[..., DetachedProcess], tmp_path: Path) -> None:
    process = create(["sleep", "300"], user=getpass.getuser())
    process.start()
    leader = handles.process_of(process.handle())
    assert leader is not None
    assert leader.username() == getpass.getuser()
    assert (leader.environ()["USER"], leader.environ()["HOME"]) == (getpass.getuser(), str(tmp_path))


def test_a_log_that_was_not_written_is_reported(create: Callable[..., DetachedProcess]) -> None:
    assert create(["true"]).log_tail() == "(no log)"
