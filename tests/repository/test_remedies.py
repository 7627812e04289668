# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A remedy names only what exists: options of roles and modules, shared inputs, and fields of records."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from bars import flatten

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import OPERATIONS
from checkout import ROOT, files, load_yaml, relative

WORD = re.compile(r"(?<![\w./{<@-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w/(*]|\.(?!\s|$))")
JINJA = re.compile(r"{{.*?}}|{%.*?%}|{#.*?#}", re.DOTALL)
MESSAGES = ("ansible.builtin.fail", "ansible.builtin.assert", "ansible.builtin.debug")
# Names of other programs and of their formats, which are no inputs of ours.
OF_OTHERS = {"setup_data", "summary_tenants", "unix_milli"}


def roles_options() -> Iterator[str]:
    for path in files("roles/*/defaults/main.yml"):
        yield from load_yaml(path)
    # Inputs without a prefix, and environment variables, are read in defaults and inventories.
    for path in files("roles/*/defaults/main.yml", "roles/*/vars/main.yml", "roles/*/tasks/*.yml", "playbooks/*.yml"):
        yield from re.findall(r"\b([a-z][a-z0-9]*(?:_[a-z0-9]+)+) \| default\(", path.read_text(encoding="utf-8"))


def named(spec: Any) -> Iterator[str]:
    """Yield the names of the options of a module or role, and of their suboptions."""
    for name, option in (spec or {}).items():
        yield name
        yield from option.get("choices") or [] if isinstance(option, dict) else []
        yield from named(option.get("suboptions") or option.get("options")) if isinstance(option, dict) else ()


def module_options() -> Iterator[str]:
    for path in files("plugins/modules/*.py", "plugins/doc_fragments/*.py"):
        yield path.stem
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("DOCUMENTATION", "ADDRESS", "RETURN"):
                document = yaml.safe_load(ast.literal_eval(node.value)) or {}
                yield from named(document.get("options"))


def record_fields(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from record_fields(value)
    elif isinstance(node, list):
        for item in node:
            yield from record_fields(item) if not isinstance(item, str) else [item]


@functools.cache
def known() -> frozenset[str]:
    """The names that a message may use."""
    schemas = [name for path in files("files/schemas/*.json") for name in record_fields(load_yaml(path))]
    data = [name for path in files("files/validity/*.yml", "files/slo/*.yml", "files/awx/*.yml") for name in record_fields(load_yaml(path))]
    findings = [rule["finding"] for path in files("files/validity/*.yml") for rule in load_yaml(path)["rules"]]
    axes = re.findall(r'"([a-z]+(?:_[a-z]+)+)"', (ROOT / "plugins/module_utils/matrix/axes.py").read_text(encoding="utf-8"))
    roles = [path.name for path in ROOT.glob("roles/*")]
    return frozenset({*roles_options(), *module_options(), *schemas, *data, *findings, *axes, *roles, *OPERATIONS, *OF_OTHERS})


def texts_of_roles() -> Iterator[tuple[str, str]]:
    """Yield where a message of a task stands, and its text without templates."""
    for path in files("roles/*/tasks/*.yml", "playbooks/*.yml"):
        content = load_yaml(path) or []
        tasks = [task for entry in content for task in ([entry] if "hosts" not in entry else [*entry.get("tasks", []), *entry.get("pre_tasks", [])])]
        for task in flatten(tasks):
            for module in MESSAGES:
                for key in ("msg", "fail_msg"):
                    text = (task.get(module) or {}).get(key) if isinstance(task.get(module), dict) else None
                    if text:
                        yield f"{relative(path)}: {task.get('name')}", JINJA.sub("", str(text))


def texts_of_plugins() -> Iterator[tuple[str, str]]:
    """Yield where a sentence of a plugin stands, and its constant parts."""
    for path in files("plugins/**/*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, (ast.Expr, ast.Assign)) and isinstance(node.value, ast.Constant)}
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents | inside:
                text = node.value
            else:
                continue
            if re.search(r"[a-z]\. [A-Z]|: [a-z].*\.$", text):
                yield f"{relative(path)}:{node.lineno}", text


def texts_of_data() -> Iterator[tuple[str, str]]:
    for path in files("files/validity/*.yml"):
        yield from ((f"{relative(path)}: {rule['finding']}", rule["remedy"]) for rule in load_yaml(path)["rules"])


SOURCES = {"roles": texts_of_roles, "plugins": texts_of_plugins, "validity": texts_of_data}


@pytest.mark.parametrize("source", SOURCES)
def test_messages_name_only_what_exists(source: str) -> None:
    texts = list(SOURCES[source]())
    assert len(texts) > 10
    unknown = [f"{where}: {word}" for where, text in texts for word in WORD.findall(text) if word not in known()]
    assert unknown == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("Raise k6_runner_pod_timeout_s, or set results_dir=/x.", ["k6_runner_pod_timeout_s", "results_dir"], id="inputs"),
        pytest.param("See files/k6/mlflow_scale_test.js and __private_name.", [], id="paths and private names"),
    ],
)
def test_the_words_of_a_message(text: str, words: list[str]) -> None:
    assert WORD.findall(text) == words
