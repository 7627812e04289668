# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of small playbooks: all of it, from before the run was known, private, and without secrets."""

from __future__ import annotations

import re

import pytest

from fakes.playbook import run_playbook

PLAY = """
- name: Prepare
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Print before there is a run
      ansible.builtin.debug:
        msg: "token {{ lookup('ansible.builtin.env', 'MLFLOW_TOKEN') }}"
    - name: Set the run
      ansible.builtin.set_fact:
        test_matrix_run_dir: "{{ playbook_dir }}/run"
    - name: Create the run
      ansible.builtin.file:
        path: "{{ playbook_dir }}/run"
        state: directory
        mode: "0755"
      when: creates | default(true) | bool
- name: Work
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Print a secret
      ansible.builtin.debug:
        msg: hunter2-hunter2
      no_log: true
    - name: Print secrets in a loop
      ansible.builtin.debug:
        msg: "{{ item }}"
      no_log: "{{ item != 'open' }}"
      loop: [open, hunter2-hunter2]
    - name: Skip this
      ansible.builtin.debug:
        msg: skipped
      when: false
    - name: Print a URL
      ansible.builtin.debug:
        msg: ["http://user:pass-w0rd@host:5000/x?access_token=pass-w0rd", {url: "postgresql://user:pass-w0rd@db/x"}]
    - name: Get http://user:pass-w0rd@127.0.0.1:1
      ansible.builtin.uri:
        url: http://user:pass-w0rd@127.0.0.1:1
      ignore_errors: true
    - name: Fail
      ansible.builtin.fail:
        msg: ["first line", "second\\nline"]
      ignore_errors: true
    - name: Fail more
      ansible.builtin.assert:
        that: false
        fail_msg: in the end
"""
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")
CANARY = 'canary-"f00d'


@pytest.fixture(name="logged", scope="module")
def fixture_logged(tmp_path_factory):
    """A directory in which the playbook ran twice, and its log."""
    directory = tmp_path_factory.mktemp("run-log")
    for _start in (1, 2):
        code, output = run_playbook(directory, PLAY, MLFLOW_TOKEN=CANARY)
        assert code == 2
    assert f"    Log: {directory}/run/ansible.log" in output
    return directory, (directory / "run" / "ansible.log").read_text(encoding="utf-8")


def test_every_line_has_its_time(logged):
    assert [line for line in logged[1].splitlines() if not STAMP.match(line)] == []


def test_the_log_begins_before_the_run_was_known(logged):
    lines = [STAMP.sub("", line) for line in logged[1].splitlines()]
    assert lines[:3] == ["PLAYBOOK play.yml", "PLAY Prepare", "TASK Print before there is a run (play.yml:6)"]


def test_the_log_has_every_task_and_its_result(logged):
    text = logged[1]
    assert "TASK Create the run (play.yml:12)" in text
    assert '  changed [localhost] {"path":' in text
    assert "  skipped [localhost] {" in text
    assert "  failed, ignored [localhost] " in text
    assert "Z     first line\n" in text
    assert "Z     second\n" in text
    assert "Z     in the end\n" in text
    assert re.search(r'RECAP localhost \{"ok": \d+, "failures": 1', text)


def test_a_second_start_appends(logged):
    assert logged[1].count("PLAYBOOK play.yml") == 2
    assert logged[1].count("RECAP localhost") == 2


def test_the_log_is_private_and_has_no_secret(logged):
    directory, text = logged
    assert (directory / "run" / "ansible.log").stat().st_mode & 0o777 == 0o600
    assert "token ********" in text
    assert "f00d" not in text
    assert "hunter2" not in text
    assert "http://***@host:5000/x?access_token=***" in text
    assert "pass-w0rd" not in text
    assert "  ok [localhost] The result is hidden (no_log)." in text


@pytest.mark.parametrize(
    ("options", "variables"),
    [pytest.param(["--check"], "creates=true", id="check mode"), pytest.param([], "creates=false", id="a run that was never begun")],
)
def test_no_log_is_written_without_a_run(tmp_path, options, variables):
    run_playbook(tmp_path, PLAY, *options, "-e", variables)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["play.yml"]


def test_few_lines_are_held_until_the_run_is_known(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "ansible.cfg").write_text(
        "[defaults]\ncallbacks_enabled = perfscale.mlflow.run_log\n[callback_run_log]\nbuffer_lines = 2\nresult_bytes = 20\n", encoding="utf-8"
    )
    run_playbook(tmp_path, PLAY, ANSIBLE_CONFIG=str(tmp_path / "ansible.cfg"))
    lines = (tmp_path / "run" / "ansible.log").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "(4 earlier lines were dropped.)"
    assert "TASK Set the run" in lines[1]
    assert lines[2].endswith("characters)")


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "run" / "ansible.log").mkdir(parents=True)
    code, output = run_playbook(tmp_path, PLAY)
    assert code == 2
    assert f"Warning: Log {tmp_path}/run/ansible.log: not written any more (Is a directory). The run goes on." in output
    assert "    in the end" in output or "Error: in the end" in output


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ansible.log").symlink_to(tmp_path / "elsewhere")
    code, _output = run_playbook(tmp_path, PLAY)
    assert code == 2
    assert not (tmp_path / "elsewhere").exists()
