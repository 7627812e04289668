# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real MLflow servers for the tests of this directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.running_mlflow import executable, running_mlflow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory):
    with running_mlflow(tmp_path_factory.mktemp("mlflow"), "--enable-workspaces") as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_without_workspaces(tmp_path_factory):
    with running_mlflow(tmp_path_factory.mktemp("mlflow-plain")) as server:
        yield server


@pytest.fixture(scope="session")
def playbook():
    """Run a playbook of this directory; return (exit code, output)."""

    def run(name: str, **variables: object) -> tuple[int, str]:
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(Path(__file__).parent / name), "-e", json.dumps(variables)]
        # The recap of the default callback counts the changes.
        settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, timeout=600, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture(scope="session")
def k6():
    return executable("k6")
