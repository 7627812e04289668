# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugins are documented, tested, and reachable where users look for them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from checkout import ROOT, load_yaml

MODULES = sorted(path for path in ROOT.glob("plugins/modules/*.py") if path.name != "__init__.py")
DOCUMENTED = [*MODULES, *sorted(path for path in ROOT.glob("plugins/filter/*.py") if path.name != "__init__.py")]
CONNECTION = "perfscale.mlflow.mlflow_connection"
CLUSTER_CONNECTION = "perfscale.mlflow.cluster_connection"
CONNECTING = ("urlopen", "open_url", "create_connection")

each_module = pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in MODULES])
each_documented = pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in DOCUMENTED])


def texts(path: Path) -> dict[str, Any]:
    """The documentation texts at the top of a plugin, parsed."""
    assigned: dict[str, Any] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in ("DOCUMENTATION", "EXAMPLES", "RETURN"):
            assigned[node.targets[0].id] = yaml.safe_load(ast.literal_eval(node.value))
    return assigned


def fragments(documentation: dict[str, Any]) -> list[str]:
    """The doc fragments a plugin extends."""
    named = documentation.get("extends_documentation_fragment") or []
    return [named] if isinstance(named, str) else named


def test_there_are_modules() -> None:
    assert MODULES


@each_documented
def test_documentation_is_complete(path: Path) -> None:
    found = texts(path)
    assert sorted(found) == ["DOCUMENTATION", "EXAMPLES", "RETURN"]
    assert found["DOCUMENTATION"]["author"] == ["perfscale.mlflow contributors (@perfscale)"]
    assert found["DOCUMENTATION"].get("version_added")
    assert found["EXAMPLES"]
    assert found["RETURN"]


@each_module
def test_modules_document_their_check_mode(path: Path) -> None:
    documentation = texts(path)["DOCUMENTATION"]
    assert documentation.get("attributes", {}).get("check_mode", {}).get("support") in ("full", "partial", "none")


@each_module
def test_examples_use_the_full_name(path: Path) -> None:
    assert any(f"perfscale.mlflow.{path.stem}" in task for task in texts(path)["EXAMPLES"])


@each_module
def test_modules_that_connect_are_in_the_action_group(path: Path) -> None:
    groups = load_yaml(ROOT / "meta" / "runtime.yml")["action_groups"]
    used = fragments(texts(path)["DOCUMENTATION"])
    assert (path.stem in groups["mlflow"]) == (CONNECTION in used)
    assert (path.stem in groups["kubernetes"]) == (CLUSTER_CONNECTION in used)


@each_documented
def test_documentation_needs_no_other_collection(path: Path) -> None:
    """A Galaxy or Automation Hub reads it where ours alone is installed, and with one fragment missing it shows no module at all."""
    assert [name for name in fragments(texts(path)["DOCUMENTATION"]) if not name.startswith("perfscale.mlflow.")] == []


def test_action_groups_name_modules_that_exist() -> None:
    groups = load_yaml(ROOT / "meta" / "runtime.yml")["action_groups"]
    names = {path.stem for path in MODULES}
    assert [member for members in groups.values() for member in members if member not in names and "." not in member] == []


def test_action_plugins_have_a_module_that_documents_them() -> None:
    actions = {path.stem for path in ROOT.glob("plugins/action/*.py") if path.name != "__init__.py"}
    assert actions - {path.stem for path in MODULES} == set()


def imported_helpers(path: Path) -> set[str]:
    """The files of module_utils that a file imports, as `area/noun.py`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        area, _dot, noun = (node.module or "").partition(".module_utils.")[2].partition(".") if isinstance(node, ast.ImportFrom) else ("", "", "")
        if area:
            found |= {f"{area}/{name}.py" for name in ([noun.replace(".", "/")] if noun else [alias.name for alias in node.names])}
    return found


def test_every_helper_is_reached_by_unit_tests() -> None:
    """Each file of module_utils is imported by a unit test, or by a helper of its own area that is; coverage shows how well."""
    reached = {name for path in ROOT.glob("tests/unit/plugins/**/*.py") for name in imported_helpers(path)}
    root = ROOT / "plugins" / "module_utils"
    helpers = {path.relative_to(root).as_posix(): path for path in root.rglob("*.py") if path.name != "__init__.py"}
    todo = sorted(reached)
    while todo:
        area, _slash, _noun = todo[-1].partition("/")
        path = helpers.get(todo.pop())
        added = {name for name in imported_helpers(path) if name.startswith(f"{area}/")} - reached if path else set()
        reached |= added
        todo += sorted(added)
    assert sorted(set(helpers) - reached) == []


def calls() -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Every function call of the plugins: where and what, and its keyword arguments."""
    for path in sorted(ROOT.glob("plugins/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {name}", {word.arg: word.value for word in node.keywords if word.arg}


def test_every_connection_has_a_time_limit() -> None:
    """Call that open a connection pass a timeout; a wait without a limit is a hang."""
    assert [where for where, words in calls() if where.rsplit(" ", 1)[1] in CONNECTING and "timeout" not in words] == []


def test_processes_are_started_without_a_shell() -> None:
    assert [where for where, words in calls() if getattr(words.get("shell"), "value", False)] == []
