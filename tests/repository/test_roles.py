# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role documents its inputs: the same variables in its defaults and in its argument specs, with a type, a description and one default."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT, load_yaml

ROLES = sorted(path.parents[1] for path in ROOT.glob("roles/*/meta/main.yml"))
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "dict": (dict,),
    "float": (int, float),
    "int": (int,),
    "list": (list,),
    "path": (str,),
    "raw": (object,),
    "str": (str,),
}

each_role = pytest.mark.parametrize("role", [pytest.param(role, id=role.name) for role in ROLES])


@functools.cache
def defaults(role: Path) -> dict[str, Any]:
    """The role's variables and their defaults."""
    path = role / "defaults" / "main.yml"
    return load_yaml(path) if path.is_file() else {}


@functools.cache
def entry_points(role: Path) -> dict[str, dict[str, Any]]:
    """The entry points the role documents."""
    path = role / "meta" / "argument_specs.yml"
    return load_yaml(path).get("argument_specs", {}) if path.is_file() else {}


def options(role: Path) -> dict[str, dict[str, Any]]:
    """The variables of all entry points together."""
    return {name: spec for entry in entry_points(role).values() for name, spec in (entry.get("options") or {}).items()}


def test_there_are_roles() -> None:
    assert ROLES


@each_role
def test_defaults_and_argument_specs_have_the_same_keys(role: Path) -> None:
    assert sorted(defaults(role)) == sorted(options(role))


@each_role
def test_variables_carry_the_role_name(role: Path) -> None:
    assert [name for name in defaults(role) if not name.startswith((f"{role.name}_", f"__{role.name}_"))] == []


@each_role
def test_every_variable_is_described(role: Path) -> None:
    assert [name for name, spec in options(role).items() if not spec.get("description")] == []
    assert [name for name, spec in options(role).items() if spec.get("type") not in PYTHON_TYPES] == []


@each_role
def test_every_entry_point_is_documented(role: Path) -> None:
    documented = {"main", *entry_points(role)}
    assert [name for name, entry in entry_points(role).items() if not entry.get("short_description")] == []
    if (role / "tasks").is_dir():
        assert [name for name in documented if not (role / "tasks" / f"{name}.yml").is_file()] == []


@each_role
def test_roles_take_shared_inputs_from_one_role(role: Path) -> None:
    """Role common has defaults and no tasks, so depending on it costs a run nothing."""
    dependencies = load_yaml(role / "meta" / "main.yml")["dependencies"]
    assert dependencies == ([] if role.name == "common" else [{"role": "perfscale.mlflow.common"}])
    assert (role / "tasks" / "main.yml").is_file() == (role.name != "common")


@each_role
def test_galaxy_has_the_description_of_the_role(role: Path) -> None:
    """Galaxy and Automation Hub read the description in meta/main.yml, and reject a collection with a role that has no README."""
    known = load_yaml(role / "meta" / "main.yml")["galaxy_info"]
    assert known["description"] == entry_points(role)["main"]["short_description"]
    assert (known["license"], known["author"]) == ("GPL-3.0-or-later", "perfscale.mlflow contributors")
    assert (role / "README.md").is_file(), "Run `make docs`."


@each_role
def test_defaults_fit_their_types(role: Path) -> None:
    wrong = []
    for name, value in defaults(role).items():
        spec = options(role).get(name, {})
        if isinstance(value, str) and "{{" in value:
            continue
        allowed = PYTHON_TYPES.get(spec.get("type", "str"), (object,))
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed and object not in allowed):
            wrong.append(f"{name}: {value!r} is not {spec.get('type')}")
        elif spec.get("choices") and not all(item in spec["choices"] for item in (value if isinstance(value, list) else [value])):
            wrong.append(f"{name}: {value!r} is not one of {spec['choices']}")
    assert wrong == []


@each_role
def test_fixed_defaults_agree_with_their_documentation(role: Path) -> None:
    """Where both files name a fixed default it is the same; a computed one is described in words."""
    pairs = {name: (value, options(role)[name]["default"]) for name, value in defaults(role).items() if "default" in options(role).get(name, {})}
    assert {name: pair for name, pair in pairs.items() if not (isinstance(pair[0], str) and "{{" in pair[0]) and pair[0] != pair[1]} == {}


@each_role
def test_required_variables_are_not_hidden_by_a_default(role: Path) -> None:
    assert [name for name, spec in options(role).items() if spec.get("required") and defaults(role).get(name) not in (None, "", [], {})] == []


@each_role
def test_tasks_read_no_undefined_variable(role: Path) -> None:
    """A role-prefixed name in an expression is an input with a default, or something the role registers or sets itself."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(role.glob("tasks/*.yml")))
    expressions = "\n".join(found[1] for found in re.finditer(r"\{\{(.*?)\}\}", text, re.DOTALL))
    read = set(re.findall(rf"(?<![\w./'\"]){role.name}_[a-z0-9_]+", expressions))
    given = set(re.findall(rf"^\s*(?:- )?({role.name}_[a-z0-9_]+):", text, re.MULTILINE)) | set(re.findall(r"register:\s*(\w+)", text))
    assert sorted(read - set(defaults(role)) - given) == []


def test_what_the_roles_of_a_cluster_leave_reaches_the_cleanup() -> None:
    """A role lists what it did not delete in a fact `<role>_stays`, by which the cleanup keeps, prints and counts it."""
    lists = {role.name for role in ROLES if f"{role.name}_stays:" in "\n".join(path.read_text(encoding="utf-8") for path in role.glob("tasks/*.yml"))}
    expression = load_yaml(ROOT / "roles" / "cluster_environment" / "vars" / "main.yml")["__cluster_environment_staying"]
    assert set(re.findall(r"(\w+)_stays", expression)) == lists
