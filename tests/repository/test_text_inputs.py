# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs that are lists or dictionaries work where they are given as text (-e name=…, surveys): every use reads them through as_list or as_dict."""

from __future__ import annotations

import re

import pytest

from checkout import ROOT, files, load_yaml

# What one role hands to another one, never a user.
INTERNAL = {
    "data_set_target", "workspaces_target", "monitoring_target", "test_cell_spec", "test_cell_target", "k6_runner_config", "k6_runner_generator",
    "k6_runner_pod_mlflow", "preflight_matrix_problems", "postgresql_used_by",
}  # fmt: skip
EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def inputs() -> dict[str, tuple[str, str]]:
    """Return {name: (type, type of the elements)} of the inputs of all roles that are lists or dictionaries."""
    found = {"publish_sinks": ("list", "dict"), "publish_allowed_findings": ("list", "dict")}
    for path in files("roles/*/meta/argument_specs.yml"):
        for entry in load_yaml(path)["argument_specs"].values():
            for name, option in (entry.get("options") or {}).items():
                if option["type"] in ("list", "dict") and name not in INTERNAL:
                    found[name] = (option["type"], option.get("elements", ""))
    return found


INPUTS = inputs()


def expressions() -> list[tuple[str, str]]:
    """Return (place, text) of every expression of the roles: between braces, and conditions."""
    found = []
    for pattern in ("roles/*/tasks/*.yml", "roles/*/vars/*.yml", "roles/*/defaults/*.yml", "roles/*/templates/*"):
        for path in files(pattern):
            text = path.read_text(encoding="utf-8")
            place = str(path.relative_to(ROOT))
            # Between its outer braces, such a template has dictionaries in dictionaries.
            if path.name.endswith(".json.j2"):
                found.append((place, text))
                continue
            found += [(place, match.strip("{}%").strip()) for match in EXPRESSION.findall(text)]
            found += [(place, line.strip("- ")) for line in EXPRESSION.sub("", text).splitlines() if line.strip().startswith("- ")]
    return found


EXPRESSIONS = expressions()


def unread(name: str, place: str, text: str) -> bool:
    """Return whether an expression uses an input as it was given."""
    kind, elements = INPUTS[name]
    read = rf"{name}(\s*\|\s*default\(\[?\]?(, true)?\))?\s*\|\s*perfscale\.mlflow\.as_{kind}\('{name}'{', .dict.' if elements == 'dict' else ''}\)"
    rest = re.sub(read, "", text)
    # A default that is another input is read where that one is used.
    if "/defaults/" in place and any(re.search(rf"\b{other}\b", rest) for other in INPUTS):
        return False
    return bool(re.search(rf"(?<![\w'.]){name}(?![\w'])", rest))


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_an_input_given_as_text_is_read(name: str) -> None:
    assert [f"{place}: {text}" for place, text in EXPRESSIONS if unread(name, place, text)] == []


def test_the_inputs_are_found() -> None:
    assert len(INPUTS) > 40
    assert any("as_dict" in text for _place, text in EXPRESSIONS)
    assert unread("report_sources", "x", "report_sources | map('realpath')")
    assert unread("diagnosis_kinds", "x", "diagnosis_kinds | perfscale.mlflow.as_list('diagnosis_kinds')")
    assert not unread("report_sources", "x", "(report_sources | perfscale.mlflow.as_list('report_sources')) or []")
