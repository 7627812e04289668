# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures how simple the collection is against fixed limits: files on the way of a cell, facts, and what is defined once.

Usage: bars.py [--list]; prints one line for each bar, with --list also what it counts where it is exceeded. Ends with 1 when one is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from checkout import ROOT, files, relative

COLLECTION = "perfscale.mlflow."
INCLUDE_TASKS = ("ansible.builtin.include_tasks", "ansible.builtin.import_tasks")
INCLUDE_ROLE = ("ansible.builtin.include_role", "ansible.builtin.import_role")

# Conditions that are false for a cell whose tenants are filled, by the situation. Every other one counts as true.
NEVER = {"__test_cell_fills"}
SITUATIONS = {
    "here": NEVER | {"__test_cell_target.generator.kind != 'process'", "__workspaces_are_namespaces", "__monitoring_account | length > 0", "common_has_sinks"},
    "in a cluster": NEVER | {"not (publish_defer_failure | bool)"},
}
# Each is a pattern and where it is looked for; it may be found in one file.
ONCE = {
    "exit codes that end a window well": (r"[({]\s*0, 99\b", "plugins/**/*.py"),
    "tenant prefix": (r"(?m)[ '\"]tenant-(['\"]|$)", "roles/*/defaults/*.yml", "roles/*/vars/*.yml", "roles/*/tasks/*.yml", "playbooks/*.yml"),
    "file of the given token": (r"\bmlflow\.token\b", "roles/*/defaults/*.yml", "roles/*/vars/*.yml", "roles/*/tasks/*.yml", "plugins/module_utils/**/*.py"),
    "file of the load's token": (r"\bload\.token\b", "roles/*/defaults/*.yml", "roles/*/vars/*.yml", "roles/*/tasks/*.yml", "plugins/module_utils/**/*.py"),
    "name of a cell's pressure": (r"\bconcurrency_(\{cell|' ~)", "roles/**/*.yml", "plugins/**/*.py"),
    "kubelet's reasons of a failed pull": (r"\bImagePullBackOff\b", "plugins/module_utils/**/*.py"),
    "security context of our pods": (r"\ballowPrivilegeEscalation\b", "plugins/module_utils/**/*.py"),
    "end of a complete response of exec": (r"\bPERFSCALE_END=", "plugins/module_utils/**/*.py", "files/k6/**"),
}


@dataclass(frozen=True)
class Bar:
    """One figure with its limit, and what it counts."""

    name: str
    limit: int
    found: list[str]

    @property
    def is_held(self) -> bool:
        return len(self.found) <= self.limit


def flatten(node: Any, sections: tuple[str, ...] = ("block", "rescue", "always")) -> Iterator[dict[str, Any]]:
    """Yield the tasks of a list, those of the named sections of blocks included."""
    for task in node or []:
        yield task
        for section in sections:
            yield from flatten(task.get(section), sections)


def tasks_of(path: Path) -> list[dict[str, Any]]:
    """Return the tasks of a file as they stand, blocks not resolved."""
    return yaml.safe_load(path.read_text(encoding="utf-8")) or []


def task_files() -> list[Path]:
    return files("roles/*/tasks/*.yml")


def roles_of(name: str, caller: str) -> list[str]:
    """Return the roles that the name of an include stands for; a template stands for every role that the variables of the caller name."""
    if "{{" not in name:
        return [name.removeprefix(COLLECTION)]
    variables = (ROOT / "roles" / caller / "vars" / "main.yml").read_text(encoding="utf-8")
    return sorted(role.name for role in ROOT.glob("roles/*") if re.search(rf"(role: |'){role.name}\b", variables))


def edges() -> Iterator[tuple[str, str]]:
    """Yield each pair of a role and a role that it includes."""
    for path in task_files():
        caller = path.parents[1].name
        for task in flatten(tasks_of(path)):
            for include in INCLUDE_ROLE:
                for role in roles_of(task[include]["name"], caller) if include in task else []:
                    yield caller, role


def is_false(task: dict[str, Any], never: set[str]) -> bool:
    conditions = task.get("when") or []
    return bool(never.intersection(conditions if isinstance(conditions, list) else [conditions]))


def entered(path: Path, never: set[str], seen: list[Path] | None = None) -> list[Path]:
    """Return the task files that are entered from a file when everything goes well, each once, in their order."""
    seen = [] if seen is None else seen
    if path in seen:
        return seen
    seen.append(path)

    def walk(tasks: list[dict[str, Any]]) -> None:
        for task in tasks:
            if is_false(task, never):
                continue
            for section in ("block", "always"):
                walk(task.get(section) or [])
            for include in INCLUDE_TASKS:
                if include in task:
                    entered(path.with_name(task[include]), never, seen)
            for include in INCLUDE_ROLE:
                if include in task:
                    [role] = roles_of(task[include]["name"], path.parents[1].name)
                    entered(ROOT / "roles" / role / "tasks" / f"{task[include].get('tasks_from', 'main')}.yml", never, seen)

    walk(tasks_of(path))
    return seen


def callers_included() -> list[str]:
    """Return each pair of roles of which one includes the other, directly or over others, and is included by it."""
    direct: dict[str, set[str]] = {}
    for caller, role in edges():
        direct.setdefault(caller, set()).add(role)

    def reached(role: str, seen: set[str]) -> set[str]:
        for included in direct.get(role, set()) - seen:
            seen.add(included)
            reached(included, seen)
        return seen

    return sorted(f"{caller} includes {role}" for caller, included in direct.items() for role in included if caller in reached(role, set()))


def bars() -> list[Bar]:
    """Return every bar with what is found today."""
    cell = ROOT / "roles" / "test_cell" / "tasks" / "main.yml"
    limits = {"here": 11, "in a cluster": 17}
    way = [Bar(f"task files that a cell enters {name}", limits[name], [relative(path) for path in entered(cell, SITUATIONS[name])]) for name in SITUATIONS]
    facts = [
        f"{relative(path)}: {task.get('name')}" for path in task_files() for task in flatten(tasks_of(path)) if "ansible.builtin.set_fact" in task
    ]
    helpers = [relative(path) for path in files("plugins/module_utils/**/*.py") if path.name != "__init__.py"]
    once = [
        Bar(f"definitions of: {name}", 1, [relative(path) for path in files(*places) if re.search(pattern, path.read_text(encoding="utf-8"))])
        for name, (pattern, *places) in ONCE.items()
    ]
    return [
        *way,
        Bar("set_fact in all roles", 35, facts),
        # Three are those of the search for the capacity, two those of the sizing, three those of the comparison, three those of the k6-operator; the tables
        # of the report are written from three places.
        Bar("task files of all roles", 101, [relative(path) for path in task_files()]),
        Bar("roles that include their caller", 0, callers_included()),
        # Intervals, steadiness, noise, stalls, baselines and clones are nouns of their own; so are Jobs, psql in them, what they keep, clones by them,
        # and MLflow's artifacts, and a search, its probes, crossing, cause and answer, deployments, and alerts, test cases and metrics for other programs.
        # The page has SVG, figures, files and part of a cell, the answer, the list of runs; sweeps stand apart from their chart, so that tables load no
        # library that draws. A load that several generators share is divided, and has shards and their differences; where the k6-operator divides it there
        # are its TestRun, what became of that, the backend, the shards on the controller, and whether a cluster has room for the runners. Listings stand apart.
        # A comparison has sides, conditions, metrics, verdicts, its document, tables, page, and the history. The requests of a load are a store of their own.
        Bar("files of module_utils", 194, helpers),
        *once,
    ]


def main() -> int:
    """Print the bars and return the exit code."""
    measured = bars()
    for bar in measured:
        sys.stdout.write(f"{'ok  ' if bar.is_held else 'OVER'} {bar.name}: {len(bar.found)} (at most {bar.limit})\n")
        sys.stdout.writelines(f"       {found}\n" for found in bar.found if "--list" in sys.argv and not bar.is_held)
    return 0 if all(bar.is_held for bar in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
