# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules local_process and local_process_info."""

from __future__ import annotations

import pytest


@pytest.fixture(name="sleeper")
def fixture_sleeper(run_module, tmp_path):
    """Call local_process on one process, which is stopped at the end."""

    def call(state, check=False, **more):
        argv = {"argv": ["sleep", "300"]} if state != "stopped" else {}
        return run_module("local_process", {"name": "x", "state_dir": str(tmp_path), "state": state, **argv, **more}, check)

    yield call
    call("stopped")


def inspect(run_module, tmp_path):
    return run_module("local_process_info", {"names": ["x"], "state_dir": str(tmp_path)})["processes"]["x"]


def test_start_and_stop(sleeper, run_module, tmp_path):
    assert inspect(run_module, tmp_path)["running"] is False
    started = sleeper("started")
    assert started["changed"] is True
    assert inspect(run_module, tmp_path) == started["process"]
    assert sleeper("started")["changed"] is False
    restarted = sleeper("restarted")
    assert restarted["changed"] is True
    assert restarted["process"]["pid"] != started["process"]["pid"]
    stopped = sleeper("stopped")
    assert stopped["changed"] is True
    assert stopped["process"]["exit"]["signal"] == 15
    assert sleeper("stopped")["changed"] is False


def test_the_signal_can_be_chosen(sleeper):
    sleeper("started")
    assert sleeper("stopped", stop_signal="INT")["process"]["exit"]["signal"] == 2


def test_check_mode_returns_what_would_change(sleeper):
    assert sleeper("started", check=True)["changed"] is True
    assert sleeper("started", check=True)["process"]["pid"] is None
    sleeper("started")
    assert sleeper("started", check=True)["changed"] is False
    assert sleeper("started", check=True, env={"OTHER": 1})["changed"] is True
    assert sleeper("stopped", check=True)["changed"] is True
    assert sleeper("stopped", check=True)["process"]["running"] is True


@pytest.fixture(name="configured")
def fixture_configured(sleeper, tmp_path):
    """Start the process with a file of this content."""
    return lambda content, **more: sleeper("started", files=[{"path": str(tmp_path / "new" / "x.yml"), "content": content}], **more)


def test_a_changed_file_restarts_the_process(configured, tmp_path):
    first = configured("a: é\n")
    assert (tmp_path / "new" / "x.yml").read_text(encoding="utf-8") == "a: é\n"
    again = configured("a: é\n")
    assert again["changed"] is False
    assert again["process"]["pid"] == first["process"]["pid"]
    assert configured("a: 2\n", check=True)["changed"] is True
    other = configured("a: 2\n")
    assert (tmp_path / "new" / "x.yml").read_text(encoding="utf-8") == "a: 2\n"
    assert other["changed"] is True
    assert other["process"]["pid"] != first["process"]["pid"]


def test_a_file_that_cannot_be_written_is_named(configured, tmp_path):
    (tmp_path / "new").write_text("in the way")
    failed = configured("a: 1\n")
    assert failed["failed"] is True
    assert failed["msg"].startswith(f"File {tmp_path / 'new' / 'x.yml'}: ")
    assert failed["process"]["pid"] is None


def test_a_failure_carries_the_process(sleeper):
    failed = sleeper("started", argv=["sh", "-c", "exit 4"], ready={"port": 1})
    assert failed["failed"] is True
    assert failed["msg"].startswith("Process x: ended with exit code 4 before it was ready")
    assert failed["process"]["exit"]["exit_code"] == 4
