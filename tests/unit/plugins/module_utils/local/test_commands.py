# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of short commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import commands
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError


def test_output_and_input(program: Callable[..., Path], tmp_path: Path) -> None:
    echo = program("echo", 'cat; echo "$GIVEN" >&2; pwd')
    output = commands.run([str(echo)], "Echo", "Nothing", chdir=tmp_path, text="hello\n", env={"GIVEN": "yes"})
    assert output.split() == ["hello", "yes", str(tmp_path)]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param("echo first; echo last.; exit 2", r"Tool: tool ended with exit code 2 \(last\). Do this.", id="last line"),
        pytest.param("echo E: no package; echo trailer; exit 100", r"exit code 100 \(E: no package\)", id="error line"),
        pytest.param("exit 1", r"\(no output\)", id="silent"),
    ],
)
def test_a_failure_is_a_sentence(program: Callable[..., Path], body: str, sentence: str) -> None:
    with pytest.raises(ToolError, match=sentence):
        commands.run([str(program("tool", body))], "Tool", "Do this")


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(ToolError, match=r"Tool: /no/where not executable \(No such file or directory\). Do this."):
        commands.run(["/no/where"], "Tool", "Do this")


def test_a_command_that_does_not_end(program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "COMMAND_LIMIT_S", 0.1)
    with pytest.raises(ToolError, match=r"did not end within 0.1 s"):
        commands.run([str(program("tool", "exec sleep 30"))], "Tool", "Do this")
    with pytest.raises(ToolError, match=r"did not end within 0.2 s"):
        commands.run([str(program("tool", "exec sleep 30"))], "Tool", "Do this", limit_s=0.2)


def test_the_version_is_the_first_dotted_number(program: Callable[..., Path]) -> None:
    assert commands.version_of(program("k6", "echo 'k6 v1.8.1 (go1.26.8, linux/amd64)'"), "k6", "k6") == "1.8.1"


@pytest.mark.parametrize("text", [pytest.param("ls 9.1", id="another program"), pytest.param("k6 unknown", id="no version")])
def test_the_version_of_another_program_is_an_error(program: Callable[..., Path], text: str) -> None:
    with pytest.raises(ToolError, match="--version is not of k6"):
        commands.version_of(program("tool", f"echo {text}"), "k6", "k6")


@pytest.mark.parametrize(
    ("version", "minimum", "enough"), [("1.1.0", "1.1.0", True), ("1.10.0", "1.9.0", True), ("0.57.0", "1.1.0", False), ("2.0.0", "1.1.0", True)]
)
def test_versions_are_compared_as_numbers(version: str, minimum: str, enough: bool) -> None:
    assert commands.at_least(version, minimum) is enough
