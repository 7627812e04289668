# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as sentences for the console and as one line for the log, whatever is in them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.console.task_result import (
    HIDDEN,
    error_lines,
    lines,
    one_line,
    plain,
    run_directory,
    task_label,
    task_location,
    warning_text,
)


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("undefined")


FILTER = (
    "Task failed: Finalization of task args for 'debug' failed: Error while resolving value for 'msg': "
    "The filter plugin 'perfscale.mlflow.expand_matrix' failed: Axis x: unknown."
)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        pytest.param({"msg": "Run x: missing."}, ["Run x: missing."], id="sentence"),
        pytest.param({"msg": ["a", "b\nc", "", None]}, ["a", "b", "c"], id="list"),
        pytest.param({"msg": FILTER}, ["Axis x: unknown."], id="filter"),
        pytest.param({"msg": "Task failed: Module failed: boom\nOrigin: /x.yml:3:1\n\n3 - name: x"}, ["boom"], id="frame"),
        pytest.param({"msg": None, "reason": "no such file"}, ["no such file"], id="reason"),
        pytest.param({"msg": "", "stderr": "a\nb"}, ["a", "b"], id="stderr"),
        pytest.param({"msg": b"caf\xc3\xa9 \xff"}, ["café �"], id="bytes"),
        pytest.param({"msg": {"a": [1]}}, ["a:", "- 1"], id="structure"),
        pytest.param({"msg": "a\x1b]0;x\x07\rb\nc\x9b2J"}, ["a\\x1b]0;x\\x07\\x0db", "c\\x9b2J"], id="control characters"),
        pytest.param({"msg": Unprintable()}, ["(Unprintable, cannot be shown)"], id="undefined"),
        pytest.param({}, ["The task failed without a message."], id="nothing"),
        pytest.param({"censored": "hidden", "msg": "secret"}, [HIDDEN], id="no_log"),
        pytest.param({"_ansible_no_log": True, "msg": "secret"}, [HIDDEN], id="no_log of a module"),
        pytest.param(
            {"msg": "One or more items failed", "results": [{"failed": True, "msg": "x"}, {"msg": "fine"}, {"failed": True, "msg": "x"}]},
            ["x"],
            id="loop",
        ),
        pytest.param({"results": [{"failed": True, "_ansible_no_log": True, "msg": "secret"}]}, [HIDDEN], id="no_log of an item"),
        pytest.param({"results": None, "rc": 3}, ["3"], id="odd results"),
    ],
)
def test_an_error_is_its_message(result, text):
    assert error_lines(result) == text


def test_a_huge_line_is_cut():
    [line] = lines("x" * 10**6)
    assert len(line) < 5000
    assert line.endswith("(1000000 characters)")


def test_a_warning_is_its_sentence_in_every_version_of_ansible_core():
    assert warning_text(SimpleNamespace(event=SimpleNamespace(msg="Old.\nOrigin: /x"))) == "Old."
    assert warning_text(SimpleNamespace(event=None, msg="Old.")) == "Old."
    assert warning_text("Old.") == "Old."


def test_a_result_is_one_line_of_json():
    result = {"a": "b\nc", "invocation": {"x": 1}, "diff": {}, "_ansible_item_label": 1, "n": None, "f": 1.5, "u": Unprintable(), "by": b"\xff", 3: (1, 2)}
    text = one_line(result)
    assert "\n" not in text
    assert json.loads(text) == {"a": "b\nc", "n": None, "f": 1.5, "u": "(Unprintable, cannot be shown)", "by": "�", "3": [1, 2]}


def test_hidden_items_remain_hidden_in_the_log():
    result = {"results": [{"_ansible_no_log": True, "msg": "secret"}, {"msg": "open", "invocation": {"token": "secret"}}]}
    assert json.loads(one_line(result)) == {"results": [HIDDEN, {"msg": "open"}]}


def test_a_long_result_is_cut():
    assert one_line({"x": "y" * 1000}, limit=20) == '{"x": "yyyyyyyyyyyyy … (1009 characters)'


def test_plain_never_raises():
    assert plain({"a": {"b": Unprintable()}}) == "a:\n  b: (Unprintable, cannot be shown)"
    assert plain(None) == ""


@pytest.mark.parametrize(
    ("name", "label"),
    [("perfscale.mlflow.local_stack : Start MLflow", "Start MLflow"), ("other.role : Start it", "other.role : Start it"), (" Start it ", "Start it")],
)
def test_a_task_is_called_by_its_name(name, label):
    assert task_label(name) == label


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/x/.collections/y/roles/report/tasks/main.yml:4", "roles/report/tasks/main.yml:4"),
        ("/x/playbooks/tasks/describe.yml:12", "playbooks/tasks/describe.yml:12"),
        ("/tmp/play.yml:3", "play.yml:3"),
        (None, ":"),
    ],
)
def test_a_task_has_a_place(path, location):
    assert task_location(path) == location


def invoked(**arguments):
    return {"invocation": {"module_args": arguments}}


@pytest.mark.parametrize(
    ("action", "result", "directory"),
    [
        pytest.param("ansible.builtin.set_fact", {"ansible_facts": {"test_matrix_run_dir": "/r/1"}}, "/r/1", id="fact"),
        pytest.param("perfscale.mlflow.cell_record", invoked(run_directory="/r/1"), "/r/1", id="record"),
        pytest.param("perfscale.mlflow.target_record", invoked(path="/r/1/target.json"), "/r/1", id="target"),
        pytest.param("perfscale.mlflow.target_record", invoked(path="/r/1/other.json"), None, id="other file"),
        pytest.param("ansible.builtin.copy", invoked(run_directory="/r/1", path="/r/1/target.json"), None, id="module of another collection"),
        pytest.param("perfscale.mlflow.cell_record", {"invocation": None}, None, id="no invocation"),
        pytest.param("perfscale.mlflow.cell_record", {"invocation": {"module_args": "hidden"}}, None, id="odd arguments"),
        pytest.param("ansible.builtin.set_fact", {"ansible_facts": {"test_matrix_run_dir": None}}, None, id="odd fact"),
        pytest.param("ansible.builtin.set_fact", {}, None, id="nothing"),
    ],
)
def test_the_directory_is_seen(action, result, directory):
    assert run_directory(action, result) == directory


def test_a_line_of_the_log_has_no_control_characters():
    assert json.loads(one_line({"msg": "a\x9b\u202eb"}).replace("\\", "\\\\")) == {"msg": "a\\x9b\\u202eb"}
