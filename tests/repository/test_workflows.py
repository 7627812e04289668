# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workflows of GitHub and the hooks of pre-commit run what people and `.ci/run` run, with no more permissions than they need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT, files, load_yaml, relative

WORKFLOWS = files(".github/workflows/*.yml")
# What a workflow may run beside `make`: collecting logs after a failure.
COMMANDS = {"make", "mkdir", "sudo"}
PINNED = re.compile(r"^\s*uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
DEVELOPER_TOOLS = {"ansible-lint", "mypy", "python", "ruff", "yamllint"}

each_workflow = pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in WORKFLOWS])


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def make_targets(text: str) -> list[str]:
    """Return the targets that the lines of a script build, in their order."""
    return re.findall(r"(?:^|\s)make ([a-z][a-z-]*)", text, re.MULTILINE)


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the steps of all jobs of a workflow."""
    for job in load_yaml(path)["jobs"].values():
        yield from job["steps"]


def test_there_are_workflows_and_hooks() -> None:
    assert {path.name for path in WORKFLOWS} == {"cluster.yml", "tests.yml"}
    assert hooks()


@each_workflow
def test_a_workflow_is_complete(path: Path) -> None:
    workflow = load_yaml(path)
    # YAML 1.1 reads the key `on` as true.
    assert {"name", True, "permissions", "concurrency", "jobs"} <= workflow.keys()
    assert [name for name, job in workflow["jobs"].items() if not job.get("timeout-minutes")] == []
    assert [step for step in steps(path) if not step.get("name")] == []


@each_workflow
def test_a_workflow_may_only_read(path: Path) -> None:
    workflow = load_yaml(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in workflow["jobs"].items() if "permissions" in job] == []
    assert "secrets." not in path.read_text(encoding="utf-8")
    assert "pull_request_target" not in path.read_text(encoding="utf-8")


@each_workflow
def test_actions_are_pinned_by_commit_and_name_their_version(path: Path) -> None:
    used = [line for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.match(line)] == []


def test_an_action_has_one_version_in_all_workflows() -> None:
    used = {line.strip().removeprefix("uses: ") for path in WORKFLOWS for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line}
    assert len(used) == len({item.partition("@")[0] for item in used})


@each_workflow
def test_a_workflow_runs_make_targets_that_exist(path: Path) -> None:
    scripts = [step["run"] for step in steps(path) if "run" in step]
    lines = [line.strip() for script in scripts for line in re.sub(r"\\\n\s*", "", script).splitlines()]
    assert [line for line in lines if line.split()[0] not in COMMANDS] == []
    assert sorted({target for script in scripts for target in make_targets(script)} - targets()) == []


def test_workflows_run_what_ci_runs() -> None:
    """Every target of `.ci/run` is run by a workflow, and a workflow runs nothing but those and `make check`, which `make test` contains."""
    continuous = set(make_targets((ROOT / ".ci" / "run").read_text(encoding="utf-8")))
    run = {target for path in WORKFLOWS for step in steps(path) for target in make_targets(step.get("run", ""))}
    assert continuous
    assert run == continuous | {"check"}


@each_workflow
def test_files_that_a_workflow_names_exist(path: Path) -> None:
    named = re.findall(r"\.github/[\w.-]+\.txt", path.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_files_that_replace_ansible_name_the_next_versions() -> None:
    """requirements.txt caps ansible at the version before the first of them."""
    cap = re.search(r"^ansible>=[\d.]+,<(\d+)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert cap
    replaced = [path.read_text(encoding="utf-8") for path in files(".github/ansible-core-*.txt")]
    versions = [int(major) for text in replaced for major in re.findall(r"^ansible>=(\d+),<\d+$", text, re.MULTILINE)]
    assert versions == [int(cap[1]) + number for number in range(len(replaced))]


def hooks() -> list[dict[str, Any]]:
    """Return the hooks of pre-commit."""
    return [hook for repository in load_yaml(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]]


def test_hooks_are_local() -> None:
    """A repository of hooks cannot be fetched where only a package index is within reach."""
    assert {repository["repo"] for repository in load_yaml(ROOT / ".pre-commit-config.yaml")["repos"]} == {"local"}


def test_hooks_run_programs_that_developers_have() -> None:
    entries = [hook["entry"].split()[0] for hook in hooks() if hook["language"] == "system"]
    assert {entry.removeprefix(".venv/bin/") for entry in entries} <= DEVELOPER_TOOLS


@pytest.mark.parametrize(
    ("message", "too_long"),
    [
        pytest.param("x" * 72 + "\n\n" + "y" * 90 + "\n", False, id="long body"),
        pytest.param("x" * 73 + "\n", True, id="long subject"),
    ],
)
def test_the_subject_of_a_commit_is_short(message: str, too_long: bool) -> None:
    pattern = next(hook["entry"] for hook in hooks() if hook["id"] == "commit-subject")
    assert bool(re.search(pattern, message, re.MULTILINE)) == too_long


@pytest.mark.parametrize("path", [pytest.param(path, id=relative(path)) for path in files(".github/*.yml", ".github/ISSUE_TEMPLATE/*.yml")])
def test_forms_and_settings_are_valid_yaml(path: Path) -> None:
    assert load_yaml(path)
