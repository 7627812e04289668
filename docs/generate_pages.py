# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes pages from the roles' defaults and argument specs, so that no fact about a role stands twice.

docs/inputs.md has every variable, its default, and which environment variable sets it; roles/<role>/README.md tells what the role does.
`python docs/generate_pages.py` writes them; with `--check` it only says which are not up to date (exit code 1 when one is not).
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = "docs/inputs.md"
# Galaxy and Automation Hub show a role's page outside of the repository, where only whole addresses lead somewhere.
INPUTS_ADDRESS = "https://github.com/perfscale/mlflow/blob/main/docs/inputs.md"
ENV_LOOKUP = re.compile(
    r"""(?:lookup|query)\(\s*['"](?:ansible\.builtin\.)?env['"]\s*,\s*['"](?P<name>[A-Z][A-Z0-9_]*)['"]\s*"""
    r"""(?:,\s*default\s*=\s*(?P<default>'[^']*'|"[^"]*"|[^\s,)]+)\s*(?:\|\s*\w+\s*)?)?\)"""
)
PLAYBOOK_VARIABLE = re.compile(r"^\{\{\s*\(?\s*([a-z][a-z0-9_]*)\s*\|\s*default\(")
SHARED_ROLE = "common"
SHARED_VARIABLE = re.compile(rf"\b({SHARED_ROLE}_[a-z0-9_]+)\b")
MARKUP = re.compile(r"\b[BCEIMOPRV]\(((?:[^()\\]|\\.)*)\)")
LINK = re.compile(r"\bL\(([^,]*),\s*([^)]*)\)")
INTRODUCTION = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Made by `make docs` from the defaults and argument specs of the roles: change those, not this page. -->

# Inputs

Every variable has a default in its role, so nothing needs to be set. A value comes, in rising order of precedence, from the role,
from an environment variable where one is named below, from `inventories/<environment>/group_vars/all/<role>.yml`, or from `-e NAME=value`.
"""

ROLE_PAGE = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Made by `make docs` from meta/argument_specs.yml: change that, not this page. -->

# perfscale.mlflow.{role}

{summary}.

{description}

```yaml
- name: {summary}
  ansible.builtin.include_role:
    name: perfscale.mlflow.{role}
```

{entry_points}

{inputs}
"""


@dataclass(frozen=True)
class Variable:
    """One variable of a role."""

    role: str
    name: str
    default: Any
    spec: dict[str, Any]
    shared: Variable | None = None
    """The variable of role common from which the default is taken."""

    @property
    def template(self) -> str:
        """The default's text when it is a template, else empty."""
        return self.default if isinstance(self.default, str) and "{{" in self.default else ""

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables the default reads, each with what it falls back to."""
        own = {found["name"]: (found["default"] or "''").strip("'\"") for found in ENV_LOOKUP.finditer(self.template)}
        return {**(self.shared.environment if self.shared else {}), **own}

    @property
    def playbook_variable(self) -> str:
        """The short name by which playbooks set this variable, or empty."""
        found = PLAYBOOK_VARIABLE.match(self.template)
        return found[1] if found else (self.shared.playbook_variable if self.shared else "")


def variables(root: Path = ROOT) -> list[Variable]:
    """Return the variables of every role in the order of its defaults file."""
    result = []
    for defaults in sorted(root.glob("roles/*/defaults/main.yml")):
        role = defaults.parents[1]
        options: dict[str, Any] = {}
        for entry in entry_points(role).values():
            options = {**(entry.get("options") or {}), **options}
        result += [Variable(role.name, name, default, options.get(name, {})) for name, default in _load(defaults).items()]
    shared = {variable.name: variable for variable in result if variable.role == SHARED_ROLE}
    return [replace(variable, shared=_shared_by(variable, shared)) for variable in result]


def _shared_by(variable: Variable, shared: dict[str, Variable]) -> Variable | None:
    """Return the variable of role common that the default of another role's variable reads first."""
    read = SHARED_VARIABLE.findall(variable.template) if variable.role != SHARED_ROLE else []
    return shared.get(read[0]) if read else None


def entry_points(role: Path) -> dict[str, dict[str, Any]]:
    """Return the entry points that a role's argument specs describe, by name."""
    specs = role / "meta" / "argument_specs.yml"
    return (_load(specs).get("argument_specs") or {}) if specs.is_file() else {}


def old_variables(root: Path = ROOT) -> list[dict[str, str]]:
    """Return the variables of the old suite, each with its name and meaning."""
    return list(yaml.safe_load((root / "docs" / "old_variables.yml").read_text(encoding="utf-8")))


def wiring(found: list[Variable]) -> dict[str, list[Variable]]:
    """Return, for each environment variable, the role variables whose default reads it."""
    result: dict[str, list[Variable]] = {}
    for variable in found:
        for name in variable.environment:
            result.setdefault(name, []).append(variable)
    return result


def pages(root: Path = ROOT) -> dict[str, str]:
    """Return the text of every page by its path in the repository."""
    roles = sorted(specs.parents[1] for specs in root.glob("roles/*/meta/argument_specs.yml"))
    return {PAGE: inputs_page(root), **{f"roles/{role.name}/README.md": role_page(role) for role in roles}}


def role_page(role: Path) -> str:
    """Return the text of a role's README.md."""
    described = entry_points(role)
    rows = [(f"`{name}`", _plain(entry["short_description"]), _description(entry)) for name, entry in described.items() if name != "main"]
    others = f"Further entry points, for `tasks_from`:\n\n{_table(('entry point', 'does', 'more'), rows)}" if rows else "It has no further entry point."
    has_inputs = (role / "defaults" / "main.yml").is_file()
    inputs = f"[Its variables and their defaults]({INPUTS_ADDRESS}#role-{role.name})." if has_inputs else "It takes no variables."
    main = described["main"]
    return ROLE_PAGE.format(role=role.name, summary=_plain(main["short_description"]), description=_description(main), entry_points=others, inputs=inputs)


def inputs_page(root: Path = ROOT) -> str:
    """Return the text of docs/inputs.md."""
    found = variables(root)
    wired = wiring(found)
    old = old_variables(root)
    parts = [INTRODUCTION, *_old_section(old, wired), *_environment_section(wired, {entry["name"] for entry in old}), *_playbook_section(found)]
    for role in dict.fromkeys(variable.role for variable in found):
        parts += [f"\n## Role `{role}`\n", _table(("variable", "type", "default", "meaning"), [_row(item) for item in found if item.role == role])]
    return "\n".join(parts).rstrip() + "\n"


def _old_section(old: list[dict[str, str]], wired: dict[str, list[Variable]]) -> list[str]:
    rows = []
    for entry in old:
        readers = wired.get(entry["name"], [])
        place = _names(readers) if readers else "not wired"
        default = " or ".join(sorted({_code(reader.environment[entry["name"]]) for reader in readers})) if readers else ""
        rows.append((f"`{entry['name']}`", place, default, entry["meaning"]))
    text = "\n## Environment variables of the old suite\n\nThey keep working. The k6 scripts, started by hand, read them too.\n"
    return [text, _table(("old variable", "Ansible variable", "default", "meaning"), rows)]


def _environment_section(wired: dict[str, list[Variable]], old: set[str]) -> list[str]:
    rows = [(f"`{name}`", _names(readers), _code(readers[0].environment[name])) for name, readers in sorted(wired.items()) if name not in old]
    return ["\n## Further environment variables\n", _table(("variable", "Ansible variable", "default"), rows)] if rows else []


def _playbook_section(found: list[Variable]) -> list[str]:
    short: dict[str, list[Variable]] = {}
    for variable in found:
        if variable.playbook_variable:
            short.setdefault(variable.playbook_variable, []).append(variable)
    rows = []
    for name, readers in sorted(short.items()):
        namesake = min(readers, key=lambda reader, name=name: (reader.role != SHARED_ROLE, not reader.name.endswith(f"_{name}")))
        rows.append((f"`{name}`", _names(readers), _description(namesake.spec)))
    text = "\n## Short names\n\nExtra variables that reach several roles under their own prefixes.\n"
    return [text, _table(("extra variable", "sets", "meaning"), rows)] if rows else []


def _row(variable: Variable) -> tuple[str, str, str, str]:
    kind = str(variable.spec.get("type", "str"))
    if variable.spec.get("elements"):
        kind += f" of {variable.spec['elements']}"
    description = _description(variable.spec)
    if variable.spec.get("choices"):
        description += " One of " + ", ".join(_code(choice) for choice in variable.spec["choices"]) + "."
    if not variable.template:
        default = _code(variable.default)
    elif isinstance(variable.spec.get("default"), str) and variable.spec["default"]:
        default = _plain(variable.spec["default"])
    else:
        sources = [_code(name) for name in (variable.playbook_variable, *variable.environment) if name]
        default = f"from {' or '.join(sources)}" if sources else f"`{variable.template}`"
        if variable.spec.get("default") not in (None, ""):
            default = f"{_code(variable.spec['default'])}, or {default}"
    return f"`{variable.name}`", kind, default, description


def _names(readers: list[Variable]) -> str:
    return ", ".join(f"`{reader.name}`" for reader in readers)


def _description(spec: dict[str, Any]) -> str:
    text = spec.get("description") or ""
    return _plain(" ".join(text) if isinstance(text, list) else str(text))


def _plain(text: str) -> str:
    """Return Ansible's documentation markup as Markdown."""
    return MARKUP.sub(r"`\1`", LINK.sub(r"[\1](\2)", " ".join(text.split())))


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`" if text else "(empty)"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *(tuple(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def main(arguments: list[str]) -> int:
    """Write the pages, or check them; return the exit code."""
    made = {ROOT / name: text for name, text in pages().items()}
    stale = [path for path, text in made.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)}: is not what the roles say. Run `make docs` and commit the result.\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(made[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
