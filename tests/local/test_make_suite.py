# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe of `make suite`: which playbooks it runs, however they end, and its exit code. A script replaces ansible-playbook."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest

from .suite import ROOT

# Logs its arguments, deletes the pending file as a teardown does, and ends with the exit code that the test sets for its playbook.
PROGRAM = """#!/bin/sh
echo "$@" >> "$LOG"
for argument; do case $argument in teardown_pending_file=*) pending=${argument#*=};; esac; done
case $1 in
  */teardown.yml) exit "$TEARDOWN";;
  *) test -z "$HANG" || { touch "$LOG.hangs"; exec sleep 60; }; test -z "$STOPS" || rm -f "$pending"; exit "$SUITE";;
esac
"""


@pytest.fixture(name="made")
def fixture_made(tmp_path):
    """Start `make suite`; return the function that starts it and the one that reads the calls of its program."""
    program = tmp_path / "fake-ansible-playbook"
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(0o755)

    def start(**environment):
        settings = {"LOG": str(tmp_path / "calls"), "SUITE": "0", "TEARDOWN": "0", "STOPS": "", "HANG": "", "TMPDIR": str(tmp_path / "tmp"), **environment}
        (tmp_path / "tmp").mkdir()
        command = [shutil.which("make"), "--directory", str(ROOT), "--old-file", "venv", "suite", f"PLAY={program}", "ARGS=-e run_id=x"]
        return subprocess.Popen(command, env={**os.environ, **settings}, start_new_session=True, stderr=subprocess.DEVNULL)

    def calls():
        assert list((tmp_path / "tmp").iterdir()) == [], "the pending file is gone"
        return [line.split()[0].rsplit("/", 1)[-1] for line in (tmp_path / "calls").read_text(encoding="utf-8").splitlines()]

    return start, calls


@pytest.mark.parametrize(
    ("environment", "playbooks", "succeeds"),
    [
        pytest.param({"STOPS": "1"}, ["full_suite.yml"], True, id="passed"),
        pytest.param({"STOPS": "1", "SUITE": "2"}, ["full_suite.yml"], False, id="a verdict that fails"),
        pytest.param({"SUITE": "2"}, ["full_suite.yml", "teardown.yml"], False, id="broken before its teardown"),
        pytest.param({"SUITE": "2", "TEARDOWN": "1"}, ["full_suite.yml", "teardown.yml"], False, id="broken twice"),
        pytest.param({"TEARDOWN": "1"}, ["full_suite.yml", "teardown.yml"], False, id="a teardown that fails"),
    ],
)
def test_everything_is_stopped_once_and_the_exit_code_is_the_truth(made, environment, playbooks, succeeds):
    start, calls = made
    assert (start(**environment).wait(timeout=60) == 0) == succeeds
    assert calls() == playbooks


def test_an_interrupted_suite_is_stopped_too(made, tmp_path):
    start, calls = made
    running = start(HANG="1")
    while not (tmp_path / "calls.hangs").exists():
        assert running.poll() is None
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(timeout=60) != 0
    assert calls() == ["full_suite.yml", "teardown.yml"]
