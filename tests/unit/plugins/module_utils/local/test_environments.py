# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the virtual environments in the cache, with a uv that only notes what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import environments

NOTE = 'echo "$@" >> "{log}"'


@pytest.fixture
def uv(program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A uv beside the interpreter; returns the file of its notes."""
    log = tmp_path / "uv.log"
    path = program("uv", NOTE.format(log=log))
    monkeypatch.setattr(environments, "beside_interpreter", lambda _name: str(path))
    return log


def test_an_environment_is_built_with_uv_once(uv: Path, tmp_path: Path) -> None:
    directory, is_new = environments.ensure(tmp_path / "cache", "mlflow", "# comment\nmlflow>=3.17\n\n")
    assert is_new
    assert (directory / "requirements.txt").read_text() == "mlflow>=3.17\n"
    notes = uv.read_text().splitlines()
    assert [note.split()[0] for note in notes] == ["venv", "pip"]
    assert environments.ensure(tmp_path / "cache", "mlflow", "mlflow>=3.17") == (directory, False)
    assert uv.read_text().splitlines() == notes


def test_other_requirements_make_another_environment(uv: Path, tmp_path: Path) -> None:
    first, _new = environments.ensure(tmp_path, "mlflow", "mlflow==3.17.1")
    second, is_new = environments.ensure(tmp_path, "mlflow", "mlflow==3.17.2")
    assert is_new
    assert first != second
    assert uv.exists()


def test_without_uv_pip_fetches_it_first(program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    # A Python whose `-m venv TARGET` makes a pip and a uv that note what they were asked.
    body = f"""
        echo "python $@" >> {log}
        if [ "$2" = venv ]; then
            mkdir -p "$3/bin"
            printf '#!/bin/sh\\necho "inner $@" >> {log}\\n' > "$3/bin/python"
            printf '#!/bin/sh\\necho "uv $@" >> {log}\\n' > "$3/bin/uv"
            chmod +x "$3/bin/python" "$3/bin/uv"
        fi
    """
    python = program("python", body)
    monkeypatch.setattr(environments.sys, "executable", str(python))
    monkeypatch.setattr(environments.shutil, "which", lambda *_args, **_more: None)
    environments.ensure(tmp_path / "cache", "mlflow", "mlflow")
    assert [line.split()[:3] for line in log.read_text().splitlines()] == [["python", "-m", "venv"], ["inner", "-m", "pip"], ["uv", "pip", "install"]]


def test_a_program_beside_the_interpreter(program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = program("k6", "exit 0")
    monkeypatch.setattr(environments.sys, "executable", str(path.with_name("python")))
    assert environments.beside_interpreter("k6") == str(path)
    assert environments.beside_interpreter("nothing") is None
