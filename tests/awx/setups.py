# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The set-up of AWX as the tests see it: its data, and its playbooks run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "awx"
TOOLS = Path(sys.executable).parent
# Variables of a user's shell that a test must not see.
OURS = re.compile(r"^(CONTROLLER_|TOWER_|K8S_AUTH_|MLFLOW_|PROMETHEUS_|PERFSCALE_(S3|UPLOAD|OPENSEARCH)_)")


def load(path: Path) -> Any:
    """Return the content of a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def described() -> dict[str, list[dict[str, Any]]]:
    """Return the objects of files/awx by kind, templates as they are written."""
    return {kind: objects for path in sorted((ROOT / "files" / "awx").glob("*.yml")) for kind, objects in load(path).items()}


def tasks() -> list[dict[str, Any]]:
    """Return the tasks of the role, those of blocks included."""

    def flat(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [inner for task in found for inner in [task, *flat(task.get("block", []))]]

    return [task for path in sorted((ROLE / "tasks").glob("*.yml")) for task in flat(load(path))]


def play(playbook: str | Path, *arguments: str, variables: dict[str, Any] | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook; only the environment given here names the AWX."""
    clean = {name: value for name, value in os.environ.items() if not OURS.match(name)}
    command = [str(TOOLS / "ansible-playbook"), str(playbook), "-e", json.dumps(variables or {}), *arguments]
    # Its recap counts the changes.
    settings = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
    return subprocess.run(command, cwd=ROOT, env={**clean, **settings, **environment}, capture_output=True, text=True, timeout=900, check=False)


def output(result: subprocess.CompletedProcess[str]) -> str:
    """Return what a playbook printed, with its wrapped lines put together."""
    return " ".join((result.stdout + result.stderr).split())


def changed(result: subprocess.CompletedProcess[str]) -> int:
    """Return how many tasks changed something."""
    return int(re.findall(r"changed=(\d+)", result.stdout)[-1])
