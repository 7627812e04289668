# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users' machines and containers: another locale, no home, a user id that no file names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT

# An id without an entry in passwd and without a home.
UNNAMED = 54321
MINIMAL = {"PATH": os.environ["PATH"]}


def exported_variables(**environment: str) -> list[str]:
    """Return LC_ALL and HOME as a recipe of the Makefile sees them."""
    show = 'show:;@echo "$$LC_ALL"; echo "$$HOME"'
    shown = subprocess.run(
        [shutil.which("make") or "make", "--no-print-directory", "--eval", show, "show"],
        cwd=ROOT, env={**MINIMAL, **environment}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return shown.stdout.splitlines()


@pytest.mark.parametrize(("given", "seen"), [({"LC_ALL": "C"}, "C.UTF-8"), ({}, "C.UTF-8"), ({"LC_ALL": "C.UTF-8"}, "C.UTF-8")], ids=str)
def test_make_sets_a_locale_that_ansible_takes(given: dict[str, str], seen: str, tmp_path: Path) -> None:
    assert exported_variables(HOME=str(tmp_path), **given)[0] == seen


@pytest.mark.parametrize("given", [{}, {"HOME": "/"}, {"HOME": ""}, {"HOME": "/nowhere"}], ids=str)
def test_make_gives_a_home_where_there_is_none(given: dict[str, str]) -> None:
    assert exported_variables(**given)[1] == f"{ROOT}/.perfscale/home"


def test_a_home_that_is_there_stays(tmp_path: Path) -> None:
    assert exported_variables(HOME=str(tmp_path))[1] == str(tmp_path)


@pytest.mark.parametrize("home", [{}, {"HOME": "/"}], ids=str)
def test_no_directory_is_called_after_the_home(home: dict[str, str], tmp_path: Path) -> None:
    """With the ansible.cfg of the repository; by an id without an entry in passwd where a user namespace may be created."""
    unnamed = ["unshare", "--user", f"--map-user={UNNAMED}", f"--map-group={UNNAMED}"]
    prefix = unnamed if subprocess.run([*unnamed, "true"], check=False, capture_output=True).returncode == 0 else []
    play = "- name: Play\n  hosts: localhost\n  gather_facts: false\n  tasks:\n    - name: Run a module\n      ansible.builtin.ping:\n"
    (tmp_path / "play.yml").write_text(play, encoding="utf-8")
    settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "LC_ALL": "C.UTF-8"}
    program = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    finished = subprocess.run(
        [*prefix, *program, "play.yml"], cwd=tmp_path, env={**MINIMAL, **settings, **home}, capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["play.yml"]
