# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of short commands, and of the unprivileged accounts that run them."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import commands
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError

UNPRIVILEGED = pwd.getpwnam("nobody")


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


def test_without_root_no_other_account_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert commands.unprivileged() is None
    assert commands.identity(None) == {}


def test_root_uses_the_first_existing_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = commands.unprivileged(("no-such-user", "nobody"))
    assert found == UNPRIVILEGED
    assert commands.identity(found) == {"user": UNPRIVILEGED.pw_uid, "group": UNPRIVILEGED.pw_gid, "extra_groups": []}
    with pytest.raises(KeyError, match="no-such-user or neither"):
        commands.unprivileged(("no-such-user", "neither"))


@pytest.mark.parametrize(
    ("mode", "owner", "group", "reached"),
    [
        pytest.param(0o711, 1, 1, True, id="others may enter"),
        pytest.param(0o770, 1, 1, False, id="others may not"),
        pytest.param(0o700, UNPRIVILEGED.pw_uid, 1, True, id="owner"),
        pytest.param(0o077, UNPRIVILEGED.pw_uid, 1, False, id="owner shut out"),
        pytest.param(0o710, 1, UNPRIVILEGED.pw_gid, True, id="group"),
        pytest.param(0o701, 1, UNPRIVILEGED.pw_gid, False, id="group shut out"),
    ],
)
def test_reaching_a_directory(monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, group: int, reached: bool) -> None:
    def stat(path: Path, **_more: Any) -> SimpleNamespace:
        return SimpleNamespace(st_mode=0o40000 | (mode if path.name == "closed" else 0o755), st_uid=owner, st_gid=group)

    monkeypatch.setattr(Path, "is_dir", lambda _path: True)
    monkeypatch.setattr(Path, "stat", stat)
    assert commands.reaches(UNPRIVILEGED, Path("/somewhere/closed/inside")) is reached


def test_the_present_account_reaches_everything() -> None:
    assert commands.reaches(None, Path("/closed/anything"))
