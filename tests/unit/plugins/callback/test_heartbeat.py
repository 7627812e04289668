# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The heartbeat in a real playbook: long tasks are reported, short ones and the time after the end are not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Wait for nothing
      ansible.builtin.wait_for:
        timeout: 3
    - name: Fail after a while
      ansible.builtin.wait_for:
        port: 1
        timeout: 2
      ignore_errors: true
    - name: Say something
      ansible.builtin.debug:
        msg: "{{ lookup('ansible.builtin.pipe', 'sleep 0.1') }}"
      loop: [1, 2]
"""


@pytest.fixture(name="lines", scope="module")
def fixture_lines(tmp_path_factory):
    """The output of a playbook whose heartbeat beats every second."""
    directory = tmp_path_factory.mktemp("heartbeat")
    (directory / "play.yml").write_text(PLAY, encoding="utf-8")
    settings = f"collections_path = {ROOT / '.collections'}\ncallbacks_enabled = perfscale.mlflow.heartbeat\nlocalhost_warning = false"
    (directory / "ansible.cfg").write_text(f"[defaults]\n{settings}\n[callback_heartbeat]\ninterval = 1\n", encoding="utf-8")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(directory / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    finished = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False)
    print(finished.stdout, finished.stderr)
    assert finished.returncode == 0
    assert "heartbeat" not in finished.stderr
    return finished.stdout.splitlines()


def beats(lines, task):
    return [line for line in lines if line.startswith(f"{task}: still runs after ")]


def test_a_long_task_is_reported_while_it_runs(lines):
    assert len(beats(lines, "Wait for nothing")) >= 2
    where = [lines.index(line) for line in beats(lines, "Wait for nothing")]
    assert lines.index(next(line for line in lines if "TASK [Wait for nothing]" in line)) < min(where)
    assert max(where) < lines.index(next(line for line in lines if "TASK [Fail after a while]" in line))


def test_a_task_that_failed_is_not_reported(lines):
    failed = next(number for number, line in enumerate(lines) if line.startswith("fatal: "))
    assert beats(lines, "Fail after a while")
    assert beats(lines[failed:], "Fail after a while") == []


def test_short_tasks_are_not_reported(lines):
    assert beats(lines, "Say something") == []
