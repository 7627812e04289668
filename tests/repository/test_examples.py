# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples for CI servers: correct by the linter or the schema of each server, and their commands are those of this repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from checkout import ROOT, files, relative

EXAMPLES = files("examples/*.yml")
GITHUB, GITLAB, TEKTON = (ROOT / "examples" / name for name in ("github-actions.yml", "gitlab-ci.yml", "tekton.yml"))
SUITE = re.compile(r"make suite ARGS=\"(?P<variables>[^\"]*)\"")

each_example = pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in EXAMPLES])


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def tool(variable: str) -> Path:
    """Return the path that tests/run.py sets."""
    if variable not in os.environ:
        pytest.fail(f"{variable} is not set. Run the tests with `make test`, or this file with tests/run.py.", pytrace=False)
    return Path(os.environ[variable])


def tekton_schema(kind: str, swagger: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a kind of Tekton that knows no further fields; what belongs to Kubernetes is not in its document and stays unchecked.

    A value of a parameter is written as a text, a list or a mapping, where the document has the structure of Go.
    """

    def closed(node: Any) -> Any:
        if isinstance(node, list):
            return [closed(item) for item in node]
        if not isinstance(node, dict):
            return node
        found = {key: closed(value) for key, value in node.items()}
        return {"additionalProperties": False, **found} if found.get("type") == "object" and "properties" in found else found

    definitions = closed(swagger["definitions"])
    named = re.findall(r'"\$ref": "#/definitions/([^"]+)"', json.dumps(definitions))
    definitions |= {name: {} for name in named if name not in definitions} | {"v1.ParamValue": {}}
    return {"definitions": definitions, "$ref": f"#/definitions/v1.{kind}"}


def test_there_is_an_example_for_each_server() -> None:
    assert set(EXAMPLES) == {GITHUB, GITLAB, TEKTON}


@pytest.mark.slow
@pytest.mark.parametrize("path", [pytest.param(path, id=relative(path)) for path in [GITHUB, *files(".github/workflows/*.yml")]])
def test_workflows_are_correct(path: Path) -> None:
    checked = subprocess.run([tool("PERFSCALE_ACTIONLINT"), "-no-color", path], capture_output=True, text=True, timeout=60, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_actions_are_pinned_as_in_our_workflows() -> None:
    used = re.findall(r"uses: (\S+ # \S+)", text(GITHUB))
    ours = {name for path in files(".github/workflows/*.yml") for name in re.findall(r"uses: (\S+ # \S+)", text(path))}
    assert used
    assert set(used) - ours == set()


def test_the_job_of_gitlab_follows_its_schema() -> None:
    command = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", "vendor.gitlab-ci", str(GITLAB)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
def test_the_objects_of_tekton_follow_its_schema() -> None:
    swagger = json.loads(text(tool("PERFSCALE_TEKTON_SCHEMA")))
    objects = list(yaml.safe_load_all(text(TEKTON)))
    problems = [error.message for found in objects for error in jsonschema.Draft4Validator(tekton_schema(found["kind"], swagger)).iter_errors(found)]
    assert [found["kind"] for found in objects] == ["Task", "Task", "Pipeline"]
    assert problems == []


def test_the_pipeline_uses_the_tasks_with_their_parameters() -> None:
    objects = {(found["kind"], found["metadata"]["name"]): found["spec"] for found in yaml.safe_load_all(text(TEKTON))}
    pipeline = objects["Pipeline", "mlflow-load-test"]
    for used in (*pipeline["tasks"], *pipeline["finally"]):
        task = objects["Task", used["taskRef"]["name"]]
        given = {item["name"] for item in used["params"]}
        assert given <= {item["name"] for item in task["params"]}
        assert {item["name"] for item in task["params"] if "default" not in item} <= given
        assert {item["name"] for item in task["workspaces"]} == {item["name"] for item in used["workspaces"]}


@each_example
def test_the_command_is_one_of_this_repository(path: Path) -> None:
    commands = SUITE.findall(text(path))
    inputs = (ROOT / "docs" / "inputs.md").read_text(encoding="utf-8")
    assert commands
    assert [name for command in commands for name in re.findall(r"-e (\w+)=", command) if f"`{name}`" not in inputs] == []


@each_example
def test_the_presets_exist(path: Path) -> None:
    named = re.findall(r"(?:default|PRESET): ([a-z_]+)$", text(path), re.MULTILINE)
    named += [name for options in re.findall(r"options: \[(.*)\]", text(path)) for name in options.split(", ")]
    assert named
    assert [name for name in named if not (ROOT / "files" / "matrices" / f"{name}.yml").is_file()] == []


@each_example
def test_the_test_cases_are_collected(path: Path) -> None:
    assert "report/junit.xml" in text(path)
