# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generated pages are up to date, and no variable of the legacy suite is missing."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from types import ModuleType

import pytest

from checkout import ROOT, files, load_yaml

LEGACY_VARIABLES = """
    RESULTS_DIR NAMESPACE K6_POD_NAME MLFLOW_NAMESPACE MLFLOW_POD_LABEL MLFLOW_URL MLFLOW_TOKEN TEST_DURATION DB_BACKEND
    EXPERIMENTS_PER_TENANT RUNS_PER_EXPERIMENT METRICS_PER_RUN PARAMS_PER_RUN ARTIFACTS_PER_RUN PROMPTS_PER_EXPERIMENT MAX_DURATION CONCURRENCY
""".split()  # noqa: SIM905 - a list of names, one after another


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The program behind `make docs`."""
    spec = importlib.util.spec_from_file_location("generate_pages", ROOT / "docs" / "generate_pages.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_up_to_date(generator: ModuleType) -> None:
    stale = [name for name, text in generator.pages().items() if not (ROOT / name).is_file() or (ROOT / name).read_text(encoding="utf-8") != text]
    assert stale == [], "Run `make docs` and commit the pages."


def test_every_legacy_variable_is_listed() -> None:
    assert sorted(entry["name"] for entry in load_yaml(ROOT / "docs" / "legacy_variables.yml")) == sorted(LEGACY_VARIABLES)


@pytest.mark.parametrize("name", LEGACY_VARIABLES)
def test_every_legacy_variable_is_read_by_a_role(generator: ModuleType, name: str) -> None:
    wired = generator.wiring(generator.variables())
    assert name in wired, f"Variable {name}: no role default reads it. Read it with lookup('ansible.builtin.env', '{name}', default=…)."


def test_readers_of_one_environment_variable_agree_on_its_default(generator: ModuleType) -> None:
    wired = generator.wiring(generator.variables())
    found = {name: {reader.environment[name] for reader in readers} for name, readers in wired.items()}
    assert {name: values for name, values in found.items() if len(values) > 1} == {}


def test_each_environment_variable_is_looked_up_once(generator: ModuleType) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in files("roles/*/*/*.yml", "roles/*/templates/*", "playbooks/*.yml", "inventories/**"))
    found = Counter(match["name"] for match in generator.ENV_LOOKUP.finditer(text))
    assert found
    assert {name: count for name, count in found.items() if count > 1} == {}


def test_a_variable_is_set_by_what_sets_the_shared_one_it_is_taken_from(generator: ModuleType) -> None:
    shared = generator.Variable("common", "common_x", "{{ x | default(lookup('ansible.builtin.env', 'X', default='1')) }}", {})
    taken = generator.Variable("role", "role_x", "{{ common_x ~ '/a' }}", {}, shared)
    assert taken.environment == {"X": "1"}
    assert taken.playbook_variable == "x"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("{{ lookup('ansible.builtin.env', 'A_B', default='x') }}", {"A_B": "x"}, id="agreed spelling"),
        pytest.param('{{ lookup(\'env\', "A_B", default="x") | int }}', {"A_B": "x"}, id="short name, double quotes"),
        pytest.param("{{ lookup('ansible.builtin.env', 'A_B') }}", {"A_B": ""}, id="no default"),
        pytest.param("{{ lookup('ansible.builtin.env', 'A_B', default='.' | realpath) }}", {"A_B": "."}, id="filtered default"),
        pytest.param("{{ lookup('ansible.builtin.env', 'A', default=3) ~ lookup('env','B') }}", {"A": "3", "B": ""}, id="two"),
        pytest.param("{{ lookup('ansible.builtin.file', 'A_B') }}", {}, id="another lookup"),
    ],
)
def test_the_generator_sees_environment_variables(generator: ModuleType, template: str, expected: dict[str, str]) -> None:
    assert generator.Variable("role", "role_x", template, {}).environment == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("A C(b) and V(c).", "A `b` and `c`.", id="code and value"),
        pytest.param("See L(the page, https://example.com).", "See [the page](https://example.com).", id="link"),
    ],
)
def test_the_generator_turns_markup_into_markdown(generator: ModuleType, text: str, expected: str) -> None:
    assert generator._plain(text) == expected
