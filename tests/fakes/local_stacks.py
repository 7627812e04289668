# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real local stack below a temporary directory, driven by the playbooks as a user drives them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK_LIMIT_S = 600
# Variables that would change the role from outside.
STEERING = (
    "MLFLOW_URL", "MLFLOW_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "DB_BACKEND", "RESULTS_DIR", "PROMETHEUS_URL",
    "PROMETHEUS_TOKEN_FILE",
)  # fmt: skip


class Stack:
    """One working directory with its local stack and its results."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / ".perfscale" / "local_stack"
        self.env: dict[str, str] = {}

    def play(self, playbook: str | Path, **variables: Any) -> subprocess.CompletedProcess[str]:
        """Run a playbook to its end; pytest shows its output when the test fails."""
        path = playbook if isinstance(playbook, Path) else ROOT / "playbooks" / f"{playbook}.yml"
        inherited = {key: value for key, value in os.environ.items() if key not in STEERING}
        # The recap of the default callback counts the changes.
        settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), str(path), "-e", json.dumps({"run_id": "run", **variables})],
            cwd=self.directory,
            env={**inherited, "PWD": str(self.directory), **settings, **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PLAYBOOK_LIMIT_S,
            check=False,
        )
        print(done.stdout)
        return done

    def deploy(self, **variables: Any) -> dict[str, Any]:
        """Deploy and return target.json."""
        assert self.play("deploy", **variables).returncode == 0
        return self.target()

    def target(self, run_id: str = "run") -> dict[str, Any]:
        return json.loads((self.directory / "results" / run_id / "target.json").read_text())

    def processes(self) -> list[psutil.Process]:
        """Return every living process that names the working directory in its command line or carries our mark for it."""
        found = []
        for process in psutil.process_iter():
            try:
                mark = process.environ().get("PERFSCALE_HANDLE", "")
                if str(self.directory) in " ".join(process.cmdline()) + mark and process.pid != os.getpid():
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def listening(self) -> set[tuple[str, int]]:
        """Return the addresses on which our processes listen."""
        sockets = [item for process in self.processes() for item in process.net_connections(kind="tcp") if item.status == psutil.CONN_LISTEN]
        return {(item.laddr.ip, item.laddr.port) for item in sockets}


def fetch(url: str, **query: str) -> Any:
    """Return the JSON document at a URL."""
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", timeout=10) as response:
        return json.load(response)
