# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The console of small playbooks: stages, messages, warnings and errors, each once, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible import context
from ansible.utils.display import Display

from ansible_collections.perfscale.mlflow.plugins.callback.summary import CallbackModule
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess
from fakes.playbook import ROOT, run_playbook

SUMMARY = "perfscale.mlflow.summary"
PLAY = """
- name: Prepare
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Print what the plan is
      ansible.builtin.debug:
        msg: [the plan, "", more of it]
    - name: Pass a check with a message
      ansible.builtin.assert:
        that: true
        success_msg: the check passed
    - name: Pass a check without
      ansible.builtin.assert:
        that: true
- name: Work in silence
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Set something
      ansible.builtin.set_fact:
        something: 1
- name: Do nothing
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Skip this
      ansible.builtin.debug:
        msg: skipped
      when: false
- name: Recover
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Print the plan again
      ansible.builtin.debug:
        msg: [the plan, "", more of it]
    - name: Try
      block:
        - name: Try inside
          block:
            - name: Fail inside
              ansible.builtin.fail:
                msg: rescued error
          always:
            - name: Clean up
              ansible.builtin.debug:
                msg: cleaned up
      rescue:
        - name: Print why
          ansible.builtin.debug:
            msg: "failed because: {{ ansible_failed_result.msg }}"
    - name: Fail and go on
      ansible.builtin.fail:
        msg: ignored error
      ignore_errors: true
    - name: Retry
      ansible.builtin.assert:
        that: false
        fail_msg: retried error
      register: retried
      until: retried is success
      retries: 1
      delay: 0
      ignore_errors: true
    - name: Print in a loop
      ansible.builtin.debug:
        msg: "item {{ item }}"
      loop: [1, 2]
    - name: Print a secret
      ansible.builtin.debug:
        msg: hunter2
      no_log: true
    - name: Warn
      ansible.builtin.set_fact:
        warned: "{{ lookup('ansible.builtin.file', '/nowhere/at/all', errors='warn') }}"
      loop: [1, 2]
    - name: Warn past the results
      ansible.builtin.group_by:
        key: a-b
- name: End
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Break a filter
      ansible.builtin.set_fact:
        broken: "{{ {} | perfscale.mlflow.expand_matrix(overrides={'tenants': 'x'}) }}"
"""
VERDICT = """
- name: Verdict
  hosts: localhost
  gather_facts: false
  strategy: ansible.builtin.free
  tasks:
    - name: Fail with a secret
      ansible.builtin.fail:
        msg: hunter2
      no_log: true
      ignore_errors: true
    - name: Fail unless the run passed
      ansible.builtin.assert:
        that: false
        fail_msg: ["Run x: failed.", "Cell 1: invalid.", "Report: here"]
"""
PRINTED = [
    "Verdict",
    "  Error: Fail unless the run passed (play.yml:12)",
    "    Run x: failed.",
    "    Cell 1: invalid.",
    "    Report: here",
    "    Log: none, since no run was begun; -v prints every task",
]
LOAD = """
- name: Load
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Wait for k6
      perfscale.mlflow.k6_wait:
        directory: "{{ playbook_dir }}"
        kind: process
        handle: {pid: "{{ lookup('ansible.builtin.env', 'FAKE_K6_PID') | int }}", start_time: "{{ lookup('ansible.builtin.env', 'FAKE_K6_START') | float }}"}
        expected_s: 500
        time_limit_s: 600
        interval_s: 1
        label: cell 1 of 1 t1-c5-r1
      ignore_errors: true
    - name: Print the end
      ansible.builtin.debug:
        msg: "Café: the end"
"""


def without_times(output):
    return re.sub(r"… \d+ s", "… N s", output).splitlines()


@pytest.fixture(name="played", scope="module")
def fixture_played(tmp_path_factory):
    return run_playbook(tmp_path_factory.mktemp("summary"), PLAY)


def test_the_console_has_what_a_person_needs_and_nothing_else(played):
    code, output = played
    assert code == 2
    lines = [line for line in without_times(output) if not line.startswith("  Warning: ")]
    assert lines[:12] == [
        "Prepare",
        "  the plan",
        "    more of it",
        "  the check passed",
        "  … N s",
        "Work in silence … N s",
        "Recover",
        "  cleaned up",
        "  failed because: rescued error",
        "  item 1",
        "  item 2",
        "  … N s",
    ]
    assert lines[12] == "End"
    assert lines[13].startswith("  Error: ")
    assert "tenants" in lines[13]
    assert lines[14:] == ["    Task: Break a filter (play.yml:85)", "    Log: none, since no run was begun; -v prints every task"]


def test_a_warning_is_printed_once_and_without_a_frame(played):
    warnings = [line for line in played[1].splitlines() if line.startswith("  Warning: ")]
    assert len(warnings) == 2
    assert "ansible.builtin.file': Unable to access the file '/nowhere/at/all': File not found." in warnings[0]
    assert "Invalid characters were found in group names" in warnings[1]
    assert "Origin" not in played[1]


def test_a_verdict_is_printed_last_and_hidden_results_never(tmp_path):
    code, output = run_playbook(tmp_path, VERDICT)
    assert code == 2
    assert output.splitlines() == PRINTED


def test_an_inclusion_that_fails_is_one_error(tmp_path):
    play = "- name: Play\n  hosts: localhost\n  gather_facts: false\n  tasks:\n    - name: Include nothing\n      ansible.builtin.include_tasks: nowhere.yml\n"
    code, output = run_playbook(tmp_path, play)
    assert code == 2
    assert output.count("Error: ") == 1
    assert output.count("nowhere.yml' on the Ansible Controller.\n") == 1
    assert "    Task: Include nothing (play.yml:5)\n" in output


def test_verbose_output_is_that_of_the_default_callback(tmp_path):
    outputs = [run_playbook(tmp_path, VERDICT, "-v", ANSIBLE_STDOUT_CALLBACK=name) for name in (SUMMARY, "ansible.builtin.default")]
    assert outputs[0] == outputs[1]
    assert "TASK [Fail unless the run passed]" in outputs[0][1]


URL_PLAY = """
- name: Get http://user:pass-w0rd@127.0.0.1:1
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Print http://user:pass-w0rd@host
      ansible.builtin.debug:
        msg: [http://user:pass-w0rd@host, {url: "http://user:pass-w0rd@host?token=pass-w0rd"}, {url: "user:pass-w0rd@host"}]
    - name: Get it
      ansible.builtin.uri:
        url: http://user:pass-w0rd@127.0.0.1:1
"""


@pytest.mark.parametrize("options", [[], ["-v"], ["-vvvvv"]], ids=str)
def test_user_information_of_urls_is_never_printed(tmp_path, options):
    code, output = run_playbook(tmp_path, URL_PLAY, *options)
    assert code == 2
    assert "http://***@host" in output
    # Without the source of the playbook, which ansible-core prints of it with -vvvvv.
    assert "pass-w0rd" not in output


def test_check_mode_prints_the_same(tmp_path):
    code, output = run_playbook(tmp_path, VERDICT, "--check")
    assert code == 2
    assert output.splitlines()[-2] == "    Report: here"


@pytest.fixture(name="load")
def fixture_load(tmp_path):
    """The environment that names a process as the load of the playbook; it runs until `ending` exists."""
    argv = [shutil.which("sh"), "-c", "until test -e ending; do sleep 0.1; done"]
    process = DetachedProcess("k6", str(tmp_path), {"argv": argv, "env": {}, "chdir": str(tmp_path), "user": None})
    process.start()
    described = process.describe()
    yield {"FAKE_K6_PID": str(described["pid"]), "FAKE_K6_START": str(described["start_time"])}
    process.stop(1)


def ending(tmp_path, text):
    """The reaction that ends the load when something was printed about it."""
    return text, lambda _playing: (tmp_path / "ending").touch()


def test_a_pipe_gets_lines_of_progress(load, tmp_path):
    code, output = run_playbook(tmp_path, LOAD, react=ending(tmp_path, "of load left"), **load)
    assert code == 0
    assert "\x1b" not in output
    assert "\r" not in output
    assert re.search(r"^  cell 1 of 1 t1-c5-r1: [\w ]+ left in the cell, [\w ]+ of load left in the run, 0 requests/s", output, re.MULTILINE)


def test_a_terminal_gets_a_bar_that_leaves_nothing_behind(load, tmp_path):
    code, output = run_playbook(tmp_path, LOAD, terminal=True, react=ending(tmp_path, "t1-c5-r1 ["), **load)
    assert code == 0
    assert re.search(r"cell 1 of 1 t1-c5-r1 \[█*░+\] +\d+%, [\w ]+ left", output)
    assert [line for line in screen(output) if line] == ["Load", "  Café: the end"]


def test_a_narrow_terminal_without_utf_8_gets_a_bar_too(load, tmp_path):
    code, output = run_playbook(tmp_path, LOAD, terminal=True, react=ending(tmp_path, "t1-c5-r1"), COLUMNS="38", PYTHONIOENCODING="ascii", **load)
    assert code == 0
    shown = re.findall(r"\x1b\[K([^\r\x1b]*)", output)
    assert max(map(len, shown)) <= 37
    assert "cell 1 of 1 t1-c5-r1" in output
    assert "Caf?: the end" in output


def test_progress_can_be_lines_on_a_terminal(load, tmp_path):
    code, output = run_playbook(tmp_path, LOAD, terminal=True, react=ending(tmp_path, "of load left"), PERFSCALE_PROGRESS="lines", **load)
    assert code == 0
    assert "\x1b[K" not in output
    assert "of load left in the run" in output


def test_an_interruption_leaves_no_status_line(load, tmp_path):
    # Without progress: a worker that is interrupted while it reports some can leave ansible-core waiting for the lock of its queue.
    play = LOAD.replace("interval_s: 1\n", "interval_s: 600\n")
    react = ("Load: Wait for k6", lambda playing: playing.send_signal(signal.SIGINT))
    code, output = run_playbook(tmp_path, play, terminal=True, react=react, **load)
    assert code == 99
    assert [line for line in screen(output) if line] == [
        "Load",
        "  Error: User interrupted execution",
        "    Log: none, since no run was begun; -v prints every task",
    ]


def screen(output):
    """Return the lines that a terminal shows in the end."""
    return [re.split(r"\r(?:\x1b\[K)?", line.rstrip("\r"))[-1] for line in output.split("\n")]


@pytest.fixture(name="callback")
def fixture_callback(monkeypatch):
    """The callback in this process, and what it prints."""
    printed = []
    # Of the only instance: the callback puts itself before its method.
    monkeypatch.setattr(Display(), "display", lambda text, *_args, **_kwargs: printed.append(text))
    monkeypatch.setattr(Display, "verbosity", 0, raising=False)
    monkeypatch.setattr(context, "CLIARGS", {"check": False})
    callback = CallbackModule()
    callback._plugin_options = {"progress": "auto", "display_failed_stderr": False, "show_task_path_on_failure": False, "check_mode_markers": True}
    callback.v2_playbook_on_play_start(SimpleNamespace(get_name=lambda: "Play", check_mode=False, strategy="linear"))
    return callback, printed


def finished(result, action="ansible.builtin.fail", **more):
    fields = {"args": {}, "_parent": None, "_uuid": "1", "loop": None, "delegate_to": None, "check_mode": False, "no_log": False, **more}
    task = SimpleNamespace(action=action, get_name=lambda: "Task", get_path=lambda: "/x.yml:1", **fields)
    host = SimpleNamespace(get_name=lambda: "localhost")
    return SimpleNamespace(result=result, task=task, host=host, task_name="Task", warnings=[], exception=None, deprecations=[])


@pytest.mark.parametrize("message", [None, b"\xff", {"a": object()}, object(), ["x", None, b"y"], 3, "", "x" * 10**6], ids=type)
def test_odd_results_are_printed_somehow(callback, message):
    plugin, printed = callback
    plugin.v2_runner_on_failed(finished({"msg": message}))
    plugin.v2_runner_on_ok(finished({"msg": message}, "ansible.builtin.debug"))
    plugin.v2_playbook_on_stats(SimpleNamespace(processed={}, custom={}))
    text = "\n".join(printed)
    assert "Error: " in text
    assert "The whole event follows" not in text
    assert len(text) < 20000


def test_a_crash_of_the_callback_hides_no_result(callback, monkeypatch):
    plugin, printed = callback
    monkeypatch.setattr(type(plugin), "_print_error", lambda *_args: 1 / 0)
    plugin.v2_runner_on_failed(finished({"msg": "what went wrong"}))
    text = "\n".join(printed)
    assert "ZeroDivisionError" in text
    assert "what went wrong" in text


def test_an_error_is_printed_once_and_with_its_log(callback, tmp_path):
    plugin, printed = callback
    (tmp_path / "ansible.log").touch()
    plugin.v2_runner_on_ok(finished({"ansible_facts": {"test_matrix_run_dir": str(tmp_path)}}))
    for _time in (1, 2):
        plugin.v2_runner_on_failed(finished({"msg": "broken"}))
    assert "\n".join(printed).count("Error: broken") == 1
    assert f"Log: {tmp_path}/ansible.log" in printed[-1]


def test_a_failure_that_nothing_rescued_is_printed_in_the_end(callback):
    plugin, printed = callback
    result = finished({"msg": "broken"})
    plugin._unhandled = result
    plugin.v2_playbook_on_stats(SimpleNamespace(processed={"localhost": 1}, summarize=lambda _host: {"failures": 1}, custom={}))
    assert "Error: broken" in "\n".join(printed)


def test_several_hosts_are_named(callback):
    plugin, printed = callback
    result = finished({"msg": "broken"})
    result.host = SimpleNamespace(get_name=lambda: "other")
    plugin.v2_runner_on_failed(result)
    assert "Task: Task (x.yml:1) [other]" in printed[-1]


def test_a_controller_that_builds_on_it_gets_every_line(tmp_path):
    """ansible-runner uses the callback of an execution environment as the base of its own."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "play.yml").write_text(VERDICT, encoding="utf-8")
    settings = {"ANSIBLE_STDOUT_CALLBACK": SUMMARY, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_NOCOLOR": "1", "TERM": "xterm"}
    environment = {**os.environ, **settings}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "hosts").write_text("localhost ansible_connection=local\n", encoding="utf-8")
    command = [str(Path(sys.executable).with_name("ansible-runner")), "run", str(tmp_path), "--playbook", "play.yml", "--ident", "job", "--quiet"]
    subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL, timeout=120)
    output = (tmp_path / "artifacts" / "job" / "stdout").read_text(encoding="utf-8")
    assert output.replace("\r", "").splitlines() == PRINTED
