# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents are correct as far as a program can check: commands, links, variables, files and fields exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT, files, load_yaml, relative

MAKE_TARGETS = ("venv", "suite", "check", "test", "test-cluster", "cluster-up", "cluster-down", "bench", "lint", "types", "docs", "pages", "clean")
DOCUMENTS = [path for path in files("*.md", "docs/**/*.md") if path.name != "LICENSE"]
ADDRESS = re.compile(r"https://github\.com/perfscale/mlflow/(?:blob|tree)/main/([\w./-]*\w)")
# Of the template for READMEs of certified collections (docs.ansible.com/projects/partner-certification-requirements).
CERTIFIED = ["Description", "Requirements", "Installation", "Use Cases", "Testing", "Contributing", "Support"]
CERTIFIED += ["Release Notes and Roadmap", "Related Information", "License Information"]
RECORDS = ("cell", "run", "target", "state", "plan", "points", "publication_manifest")

each_document = pytest.mark.parametrize("path", [pytest.param(path, id=relative(path)) for path in DOCUMENTS])


def text(path: Path) -> str:
    """The text of a document."""
    return path.read_text(encoding="utf-8")


def variables() -> set[str]:
    """Every variable a user can set: those of the roles, and the short names their defaults read."""
    names: set[str] = set()
    for path in ROOT.glob("roles/*/defaults/main.yml"):
        for name, value in load_yaml(path).items():
            names.add(name)
            names |= set(re.findall(r"^\{\{\s*\(?\s*([a-z][a-z0-9_]*)\s*\|\s*default\(", value)) if isinstance(value, str) else set()
    for path in ROOT.glob("playbooks/*.yml"):
        names |= set(re.findall(r"\{\{\s*([a-z][a-z0-9_]*)\s*\|\s*default\(", text(path)))
    return names


def properties(schema: Any) -> Iterator[str]:
    """The names of all fields that a schema describes, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {}) if isinstance(schema.get("properties"), dict) else ()
        for value in schema.values():
            yield from properties(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from properties(value)


@pytest.mark.parametrize("target", MAKE_TARGETS)
def test_permanent_names_are_make_targets(target: str) -> None:
    assert re.search(rf"^{target}:", text(ROOT / "Makefile"), re.MULTILINE)


@each_document
def test_make_targets_that_are_named_exist(path: Path) -> None:
    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", text(path)))
    existing = set(re.findall(r"^([a-z][a-z-]*):", text(ROOT / "Makefile"), re.MULTILINE))
    assert sorted(named - existing) == []


@each_document
def test_playbooks_that_are_named_exist(path: Path) -> None:
    named = set(re.findall(r"playbooks/([a-z_]+)\.yml", text(path))) | set(re.findall(r"ansible-playbook perfscale\.mlflow\.([a-z_]+)", text(path)))
    assert [name for name in sorted(named) if not (ROOT / "playbooks" / f"{name}.yml").is_file()] == []


@each_document
def test_variables_that_are_named_exist(path: Path) -> None:
    named = set(re.findall(r"-e ([a-z][a-z0-9_]*)=", text(path)))
    assert sorted(named - variables()) == []


@each_document
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text(path))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", [pytest.param(path, id=relative(path)) for path in [*DOCUMENTS, *files("roles/*/README.md", "docs/docsite/*.yml")]])
def test_addresses_of_this_repository_lead_to_its_files(path: Path) -> None:
    assert [name for name in ADDRESS.findall(text(path)) if not (ROOT / name).exists()] == []


def test_the_readme_has_the_sections_of_a_certified_collection() -> None:
    assert re.findall(r"^## (.*)$", text(ROOT / "README.md"), re.MULTILINE) == CERTIFIED


def test_the_readme_can_be_read_on_a_hub() -> None:
    """It is shown outside of the repository there: links are whole addresses, and so is what a picture leads to."""
    page = text(ROOT / "README.md")
    links = re.findall(r"(?<!!)\[[^\[\]]*\]\(([^)]+)\)", page) + re.findall(r"\)\]\(([^)]+)\)", page)
    assert len(links) > 10
    assert [link for link in links if not link.startswith("https://")] == []
    assert re.findall(r"pip install ansible", page) == []


@each_document
def test_plugins_that_are_named_exist(path: Path) -> None:
    existing = {found.stem for pattern in ("plugins/*/*.py", "roles/*", "playbooks/*.yml") for found in ROOT.glob(pattern)}
    named = set(re.findall(r"\bperfscale\.mlflow\.([a-z0-9_]+)", text(path))) - {"git"}
    assert sorted(named - existing) == []


def test_the_map_names_every_room() -> None:
    """docs/architecture.md mentions each role, playbook, module, area of module_utils and folder of data."""
    page = text(ROOT / "docs" / "architecture.md")
    rooms = [path.name for path in sorted(ROOT.glob("roles/*"))] + [path.name for path in sorted(ROOT.glob("playbooks/*.yml"))]
    rooms += [path.stem for folder in ("modules", "filter") for path in sorted(ROOT.glob(f"plugins/{folder}/*.py"))]
    rooms += [path.name for folder in ("plugins/module_utils", "files", "tests", "inventories") for path in sorted(ROOT.glob(f"{folder}/*")) if path.is_dir()]
    assert [room for room in rooms if room != "__pycache__" and not re.search(rf"\b{re.escape(room)}\b", page)] == []


def test_the_map_names_nothing_that_is_gone() -> None:
    page = text(ROOT / "docs" / "architecture.md")
    named = set(re.findall(r"`((?:roles|playbooks|plugins|files|tests|inventories|docs)/[\w./-]+)`", page))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("record", RECORDS)
def test_every_field_is_documented(record: str) -> None:
    schema = json.loads(text(ROOT / "files" / "schemas" / f"{record}.json"))
    page = text(ROOT / "docs" / "data_model.md")
    assert [name for name in sorted(set(properties(schema))) if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", page)] == []


def test_the_tests_of_the_reliability_table_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text(ROOT / "docs" / "reliability.md"))
    assert len(named) > 50
    assert [path for path, _name in named if not (ROOT / path).is_file()] == []
    assert [(path, name) for path, name in named if name and f"def {name}(" not in text(ROOT / path)] == []


def test_every_row_of_the_reliability_table_names_a_test() -> None:
    page = text(ROOT / "docs" / "reliability.md")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith(("| id |", "| what |", "| ---"))]
    assert len(rows) > 50
    assert [row for row in rows if "`tests/" not in row.rstrip("| ").rpartition("| ")[2]] == []
