# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names are the field's words: of files, of what Python, JavaScript, roles and the Makefile define, and of tasks, which begin with a plain verb."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from checkout import ROOT, files, load_yaml, relative

# Words that say less in a name than the field's own word, which docs/glossary.md and the documentation of Ansible, Kubernetes, k6 and MLflow use.
UNWANTED = {
    *("afar", "afresh", "anew", "authorities", "fate", "foreign", "headline", "heard", "lateness", "loss", "nobody", "nowhere", "player", "players"),
    *("refusal", "refusals", "refuse", "refused", "refuses", "refusing", "rights", "said", "somebody", "sound", "testimony", "told", "whoever"),
}
# Verbs that a name does not begin with: get or discover, print, create.
UNWANTED_VERBS = {"look", "looks", "say", "says", "make", "makes"}
PHRASES = ("stand_in", "stand_ins", "made_up", "in_memory", "make_again", "old_suite")
# The field's own use of such a word.
ALLOWED = re.compile(r"foreign_keys?|connection_refused|refused_connection|packet_loss|^make_(file|targets?)$|^look_?up", re.IGNORECASE)
# Records, results and public variables keep their names, whatever these are.
STORED = {"foreign_workspaces", "heartbeat_lateness", "lateness_ms_p99", "preflight_rights_file", "preflight_rights_parts"}
VERBS = {
    *("Acquire", "Add", "Annotate", "Apply", "Approve", "Assert", "Attach", "Bind", "Build", "Check", "Close", "Collect", "Compare", "Compute"),
    *("Configure", "Connect", "Copy", "Count", "Create", "Delete", "Deploy", "Detect", "Disable", "Discover", "Download", "Enable", "Ensure"),
    *("Estimate", "Evaluate", "Expand", "Extract", "Fail", "Fetch", "Fill", "Find", "Finish", "Generate", "Get", "Import", "Include", "Initialize"),
    *("Install", "Label", "Launch", "List", "Load", "Lock", "Log", "Mark", "Measure", "Merge", "Move", "Notify", "Open", "Patch", "Plan", "Prefill"),
    *("Prepare", "Print", "Publish", "Query", "Read", "Record", "Register", "Release", "Remove", "Renew", "Replace", "Report", "Request", "Reset"),
    *("Resolve", "Restart", "Restore", "Resume", "Retry", "Revoke", "Rewrite", "Run", "Save", "Scale", "Scan", "Select", "Send", "Set", "Skip"),
    *("Start", "Stop", "Subscribe", "Summarize", "Switch", "Synchronize", "Test", "Unlock", "Update", "Upload", "Use", "Validate", "Verify", "Wait"),
    *("Warn", "Write"),
}
TASK_FILES = ("roles/*/tasks/**/*.yml", "roles/*/handlers/**/*.yml", "playbooks/**/*.yml", "tests/**/*.yml")
CAPTURED = re.compile(r"(^|/)(fixtures|data|snapshots)/|^changelogs/")
NOT_FAKES = re.compile(r"(^|_)(stand_?ins?|players?|doubles?|dummy|dummies|mocks?|stubs?|made_up|in_memory)(_|$)", re.IGNORECASE)
IDENTIFIER = re.compile(r"\b(?:function\*?|const|let|var|class)\s+([A-Za-z_$][\w$]*)")


def words(name: str) -> list[str]:
    """Return the words of a name in lower case: `madeUp`, `made_up` and `made-up` have the words made and up."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def unwanted(name: str) -> str:
    """Return the first unwanted word or phrase of a name, an empty text where there is none."""
    if name in STORED or ALLOWED.search(name):
        return ""
    found = words(name)
    joined = "_".join(found)
    phrase = next((phrase for phrase in PHRASES if re.search(rf"(^|_){phrase}(_|$)", joined)), "")
    return phrase or next((word for number, word in enumerate(found) if word in UNWANTED or (number == 0 and word in UNWANTED_VERBS)), "")


def place(path: Path, line: int, name: str) -> str:
    """Return where a name stands, and which of its words is unwanted."""
    return f"{relative(path)}:{line}: {name} ({unwanted(name)})"


def fail_with(found: Iterable[str]) -> None:
    """Fail with one line for each finding, in the order of their places."""
    lines = sorted(set(found))
    assert not lines, "\n".join([f"{len(lines)} findings:", *lines])


def python_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of every function, class, parameter, variable, attribute and alias that a Python file defines."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname


def tasks() -> Iterator[tuple[Path, int, str]]:
    """Yield file, line and name of every task and block; plays are named by what they are for."""
    for path in files(*TASK_FILES):
        if CAPTURED.search(relative(path)):
            continue
        for root in yaml.compose_all(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            yield from ((path, line, name) for line, name in _names(root, in_tasks=_is_a_list_of_tasks(path, root)))


def _is_a_list_of_tasks(path: Path, root: yaml.Node | None) -> bool:
    """Return whether a document has tasks and not plays, which have hosts or import a playbook, nor data of another kind."""
    items = root.value if isinstance(root, yaml.SequenceNode) else []
    keys = {key.value for item in items if isinstance(item, yaml.MappingNode) for key, _value in item.value}
    return bool({"tasks", "handlers"} & set(path.parts)) and not keys & {"hosts", "ansible.builtin.import_playbook"}


def _names(node: yaml.Node | None, *, in_tasks: bool) -> Iterator[tuple[int, str]]:
    for item in node.value if isinstance(node, yaml.SequenceNode) else []:
        for key, value in item.value if isinstance(item, yaml.MappingNode) else []:
            if in_tasks and key.value == "name" and isinstance(value, yaml.ScalarNode):
                yield value.start_mark.line + 1, value.value
            elif key.value in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
                yield from _names(value, in_tasks=True)


def variables() -> Iterator[tuple[Path, str]]:
    """Yield the variables of roles: their defaults, what they set and register, and their task-local ones."""
    for path in files("roles/*/defaults/*.yml", "roles/*/vars/*.yml"):
        yield from ((path, str(name)) for name in load_yaml(path))
    for path in files("roles/*/tasks/**/*.yml", "playbooks/**/*.yml"):
        yield from ((path, name) for name in _set_by(load_yaml(path)))


def _set_by(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (str(name) for key in ("vars", "ansible.builtin.set_fact") for name in (node.get(key) if isinstance(node.get(key), dict) else {}))
        yield from (node[key] for key in ("register", "loop_var") if isinstance(node.get(key), str))
        for value in node.values():
            yield from _set_by(value)
    elif isinstance(node, list):
        for value in node:
            yield from _set_by(value)


def first_word(name: str) -> str:
    """Return the first word of a task's name."""
    return re.split(r"[\s,:]", name.strip(), maxsplit=1)[0]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        pytest.param("foreign_objects", "foreign", id="snake case"),
        pytest.param("readAnew", "anew", id="camel case"),
        pytest.param("HTTPRefused", "refused", id="abbreviation"),
        pytest.param("operator_stand_in", "stand_in", id="phrase"),
        pytest.param("make_pod", "make", id="verb"),
        pytest.param("foreign_key", "", id="the field's own"),
        pytest.param("foretold", "", id="part of a word"),
        pytest.param("lateness_ms_p99", "", id="stored"),
    ],
)
def test_unwanted_words_are_found_in_names(name: str, word: str) -> None:
    assert unwanted(name) == word


def test_files_are_named_in_the_words_of_the_field() -> None:
    found = [path for path in files("**") if not CAPTURED.search(relative(path))]
    fail_with(place(path, 1, part) for path in found for part in Path(relative(path)).parts if unwanted(Path(part).stem))


@pytest.mark.parametrize("folder", ["plugins", "tests", "docs"])
def test_python_names_are_words_of_the_field(folder: str) -> None:
    named = ((path, line, name) for path in files(f"{folder}/**/*.py") for line, name in python_names(ast.parse(path.read_text(encoding="utf-8"))))
    fail_with(place(path, line, name) for path, line, name in named if unwanted(name))


def test_variables_of_roles_are_words_of_the_field() -> None:
    fail_with(place(path, 1, name) for path, name in variables() if unwanted(name))


def test_names_of_javascript_are_words_of_the_field() -> None:
    lines = ((path, number, line) for path in files("**/*.js") for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1))
    fail_with(place(path, number, name) for path, number, line in lines for name in IDENTIFIER.findall(line) if unwanted(name))


def test_make_targets_are_words_of_the_field() -> None:
    makefile = ROOT / "Makefile"
    targets = re.findall(r"^([a-z][\w-]*):", makefile.read_text(encoding="utf-8"), re.MULTILINE)
    fail_with(place(makefile, 1, name) for name in targets if unwanted(name))


def test_task_names_are_words_of_the_field() -> None:
    fail_with(place(path, line, name) for path, line, name in tasks() if unwanted(name))


def test_task_names_begin_with_a_plain_verb() -> None:
    fail_with(f"{relative(path)}:{line}: {name}" for path, line, name in tasks() if first_word(name) not in VERBS)


def test_what_replaces_a_real_object_is_called_fake() -> None:
    """One word for what takes the place of a real program or object: `fake_*`, `Fake*`."""
    found = [relative(path) for path in files("tests/**") if any(NOT_FAKES.search(Path(part).stem) for part in Path(relative(path)).parts)]
    for path in files("tests/**/*.py"):
        names = python_names(ast.parse(path.read_text(encoding="utf-8")))
        found += [f"{relative(path)}:{line}: {name}" for line, name in names if NOT_FAKES.search("_".join(words(name)))]
    fail_with(found)
