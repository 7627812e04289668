# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules in the process of their task: the same results as those of ordinary modules, and where they stay ordinary ones."""

from __future__ import annotations

import atexit
import io
import json
import multiprocessing
import sys
from contextlib import redirect_stdout
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.perfscale.mlflow.plugins.plugin_utils.module_action import ModuleAction, TaskModule, exit_handlers, run_module
from fakes.playbook import ROOT, run_playbook

COLLECTION = "ansible_collections.perfscale.mlflow.plugins"
NAME = "perfscale.mlflow.example"
ACTIONS = sorted(path.stem for path in ROOT.glob("plugins/action/*.py") if path.stem not in ("__init__", "k6_wait"))
MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py") if path.stem not in ("__init__", "k6_wait"))
SPEC = {
    "path": {"type": "path", "required": True},
    "number": {"type": "int", "default": 3},
    "token": {"type": "str", "no_log": True},
    "keys": {"type": "list", "elements": "dict", "options": {"value": {"type": "str", "no_log": True}, "name": {"type": "str"}}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present", "aliases": ["status"]},
}
RULES = {"argument_spec": SPEC, "required_if": [("state", "absent", ["token"])], "mutually_exclusive": [("token", "keys")]}


def echo(create_module, **rules):
    """Be a module that returns its options."""
    module = create_module(**{**RULES, "supports_check_mode": True, **rules})
    module.exit_json(changed=module.check_mode, options=module.params, pair=(1, 2), text=f"{module.params['token']} and {module.params['path']}")


def fail(create_module):
    """Be a module that fails."""
    module = create_module(**RULES)
    module.fail_json(msg=f"Token {module.params['token']}: expired.", exception="Traceback of a missing library", retry=True)


def ordinary_result(main, arguments, check_mode):
    """Return the result of the module when it is an ordinary one."""
    output = io.StringIO()
    internal = {"_ansible_check_mode": check_mode, "_ansible_module_name": NAME}
    with patch_module_args({**arguments, **internal}), redirect_stdout(output), pytest.raises(SystemExit):
        main(AnsibleModule)
    return json.loads(output.getvalue())


@pytest.mark.parametrize("check_mode", [False, True], ids=["run", "check"])
@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        pytest.param(echo, {"path": "~/x", "number": "7"}, id="types-and-defaults"),
        pytest.param(echo, {"path": "/x", "status": "absent", "token": "sesame"}, id="alias-and-secret"),
        pytest.param(echo, {"path": "/sesame/x", "token": "sesame"}, id="secret-in-other-values"),
        pytest.param(echo, {"path": "/x", "token": "False"}, id="secret-that-looks-like-a-state"),
        pytest.param(echo, {"path": "/x", "keys": [{"name": "a", "value": "sesame"}]}, id="secret-sub-option"),
        pytest.param(echo, {}, id="required"),
        pytest.param(echo, {"path": "/x", "other": 1}, id="unknown"),
        pytest.param(echo, {"path": "/x", "number": "many"}, id="type"),
        pytest.param(echo, {"path": "/x", "state": "gone"}, id="choice"),
        pytest.param(echo, {"path": "/x", "state": "absent"}, id="required-if"),
        pytest.param(echo, {"path": "/x", "token": "sesame", "keys": []}, id="exclusive"),
        pytest.param(partial(echo, supports_check_mode=False), {"path": "/x"}, id="no-check-mode"),
        pytest.param(fail, {"path": "/x", "token": "sesame"}, id="failure"),
    ],
)
def test_the_result_is_that_of_an_ordinary_module(main, arguments, check_mode):
    found = run_module(main, partial(TaskModule, NAME, arguments, check_mode))
    assert found == ordinary_result(main, arguments, check_mode)


def test_warnings_are_returned_once():
    def main(create_module):
        module = create_module(argument_spec={})
        for text in ("slow", "late", "slow"):
            module.warn(text)
        module.exit_json()

    assert run_module(main, partial(TaskModule, NAME, {}, False))["warnings"] == ["slow", "late"]


def test_a_secret_is_in_no_result():
    found = run_module(echo, partial(TaskModule, NAME, {"path": "/sesame", "token": "sesame"}, False))
    assert "sesame" not in json.dumps(found)


def test_output_of_libraries_is_dropped(capsys):
    def main(create_module):
        print("from a library")
        print("from a library", file=sys.stderr)
        create_module(argument_spec={}).exit_json()

    run_module(main, partial(TaskModule, NAME, {}, False))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("main", [lambda _create: None, lambda _create: sys.exit(3)], ids=["returns", "exits"])
def test_a_module_without_a_result_is_an_error(main):
    with pytest.raises(RuntimeError, match="without a result"):
        run_module(main, partial(TaskModule, NAME, {}, False))


def test_exceptions_of_a_module_pass():
    def main(_create_module):
        raise KeyError("cause")

    with pytest.raises(KeyError, match="cause"):
        run_module(main, partial(TaskModule, NAME, {}, False))


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_runs_the_module_of_its_name(name):
    action = import_module(f"{COLLECTION}.action.{name}")
    assert action.ActionModule.module is import_module(f"{COLLECTION}.modules.{name}")


def test_every_module_has_an_action():
    assert ACTIONS == MODULES


@pytest.fixture
def example(monkeypatch, tmp_path):
    """Return a function that runs a task of a module and returns `ordinary`, or the directory in which the module ran in its process."""

    def run(transport="local", become=None, interpreter=sys.executable, arguments=None, **task):
        def main(create_module):
            create_module(argument_spec={"value": {"type": "str"}}).exit_json(directory=str(Path.cwd()))

        monkeypatch.setattr(ModuleAction, "module", SimpleNamespace(main=main), raising=False)
        monkeypatch.setattr("ansible.plugins.action.normal.ActionModule.run", lambda *_arguments: {"directory": "ordinary"})
        plain = {"args": arguments or {}, "check_mode": False, "async_val": 0, "timeout": None, "environment": None, "delegate_to": None, "action": NAME}
        connection = SimpleNamespace(transport=transport, become=become, _shell=SimpleNamespace(tmpdir=None))
        loader, templar = SimpleNamespace(get_basedir=lambda: str(tmp_path)), SimpleNamespace(template=lambda value: value)
        action = ModuleAction(SimpleNamespace(**{**plain, **task}), connection, SimpleNamespace(), loader, templar, None)
        return action.run(None, {"ansible_python_interpreter": interpreter})["directory"]

    return run


def test_a_task_of_this_machine_runs_in_its_process_in_the_directory_of_the_playbook(example, tmp_path):
    assert example(environment=[{}]) == str(tmp_path)


def test_the_working_directory_is_restored(example):
    before = Path.cwd()
    example()
    assert Path.cwd() == before


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param({"transport": "ssh"}, id="another-machine"),
        pytest.param({"delegate_to": "other"}, id="delegated"),
        pytest.param({"become": SimpleNamespace()}, id="another-user"),
        pytest.param({"interpreter": "/usr/bin/python3.99"}, id="another-interpreter"),
        pytest.param({"interpreter": None}, id="unknown-interpreter"),
        pytest.param({"environment": [{"HTTPS_PROXY": "http://x"}]}, id="environment"),
        pytest.param({"async_val": 60}, id="background"),
        pytest.param({"timeout": 60}, id="time-limit"),
        pytest.param({"arguments": {"value": b"bytes"}}, id="no-json"),
    ],
)
def test_the_module_stays_an_ordinary_one(example, situation):
    assert example(**situation) == "ordinary"


def test_kept_files_are_those_of_an_ordinary_module(example, monkeypatch):
    monkeypatch.setattr("ansible.constants.DEFAULT_KEEP_REMOTE_FILES", True)
    assert example() == "ordinary"


PLAY = """
- name: Compare a module in its process with an ordinary one
  hosts: localhost
  gather_facts: false
  module_defaults:
    group/perfscale.mlflow.mlflow:
      url: http://127.0.0.1:1
    perfscale.mlflow.run_summary_info:
      run_directory: "{{ playbook_dir }}"
      schema_directory: /absent
  tasks:
    - name: Run in the process of the task
      perfscale.mlflow.run_summary_info:
      ignore_errors: true
      register: here
    - name: Run as an ordinary module
      perfscale.mlflow.run_summary_info:
      environment:
        NAME: value
      ignore_errors: true
      register: ordinary
    - name: Run in the background
      perfscale.mlflow.run_summary_info:
      async: 60
      poll: 1
      ignore_errors: true
    - name: Fail in a loop
      perfscale.mlflow.run_summary_info:
        other: "{{ item }}"
      loop: [1, 2]
      register: unknown
      failed_when: unknown.msg is not match('Unsupported parameters for .perfscale.mlflow.run_summary_info. module. other')
    - name: Use the defaults of a group
      perfscale.mlflow.data_set_info:
        numbers: [1, 1]
      register: found
      failed_when: "'duplicate number' not in found.msg"
    - name: Compare
      ansible.builtin.assert:
        that: (here | dict2items | rejectattr('key', 'equalto', 'exception')) == (ordinary | dict2items | rejectattr('key', 'equalto', 'exception'))
"""


def test_a_play_gets_the_same_from_both(tmp_path):
    code, output = run_playbook(tmp_path, PLAY, "-vvv")
    assert code == 0
    # The module that has an environment and that in the background; of the latter also its status.
    assert output.count("Using module file") - output.count("async_status.py") == 2


def test_what_a_module_leaves_for_the_end_of_its_process_is_done_at_the_end_of_its_task(tmp_path):
    """In a forked process, as Ansible makes them, which ends by os._exit and has inherited a handler."""

    def task():
        with exit_handlers():
            atexit.register((tmp_path / "of the module").touch)

    inherited = (tmp_path / "of ansible-playbook").touch
    atexit.register(inherited)
    try:
        process = multiprocessing.get_context("fork").Process(target=task)
        process.start()
        process.join(60)
    finally:
        atexit.unregister(inherited)
    assert process.exitcode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["of the module"]


def test_the_process_of_the_tests_keeps_its_handlers(tmp_path):
    later = (tmp_path / "later").touch
    with exit_handlers():
        atexit.register(later)
    atexit.unregister(later)
    assert list(tmp_path.iterdir()) == []
