# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks as a user runs them, in a working directory of their own; the tests of the cluster use it too."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
STEERING = (
    *("MLFLOW_URL", "MLFLOW_TOKEN", "DB_BACKEND", "TEST_DURATION", "RESULTS_DIR"),
    *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"),
    *("PROMETHEUS_URL", "PROMETHEUS_TOKEN_FILE", "CONCURRENCY", "MAX_DURATION", "GITHUB_STEP_SUMMARY"),
)
PLAYBOOK_LIMIT_S = 900
# Drawing takes a third of the processor time of a short run; only few tests look at charts.
WITHOUT_CHARTS = ("csv", "markdown", "html")
# What --check prints of the default matrix.
PLANNED = "4 cells in this order: t1-c5-r1"


class Suite:
    """One working directory with its results and its local stack."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.results = directory / "results"
        # None stands for all.
        self.report_formats: tuple[str, ...] | None = WITHOUT_CHARTS
        self.playing: subprocess.Popen[str] | None = None
        self.config = ROOT / "ansible.cfg"

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if key not in STEERING and not key.startswith("ANSIBLE_")}
        path = f"{ANSIBLE_PLAYBOOK.parent}{os.pathsep}{inherited['PATH']}"
        return {**inherited, "PATH": path, "PWD": str(self.directory), "ANSIBLE_CONFIG": str(self.config), "ANSIBLE_NOCOLOR": "1", **(extra or {})}

    def command(self, playbook: str, variables: dict[str, Any] | None = None, *options: str) -> list[str]:
        name = playbook if "." in playbook else str(ROOT / "playbooks" / f"{playbook}.yml")
        formats = {} if self.report_formats is None else {"report_formats": self.report_formats}
        return [str(ANSIBLE_PLAYBOOK), name, "-e", json.dumps({**formats, **(variables or {})}), *options]

    def play(
        self, playbook: str, variables: dict[str, Any] | None = None, *options: str, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook to its end and return it with its whole output; pytest shows the output when a test fails."""
        finished = subprocess.run(
            self.command(playbook, variables, *options),
            cwd=self.directory,
            env=self.environment(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PLAYBOOK_LIMIT_S,
            check=False,
        )
        print(finished.stdout)
        return finished

    def start(self, playbook: str, variables: dict[str, Any] | None = None, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a playbook in a session of its own, its output in play.log."""
        with open(self.directory / "play.log", "a", encoding="utf-8") as log:
            self.playing = subprocess.Popen(
                self.command(playbook, variables),
                cwd=self.directory,
                env=self.environment(env),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                text=True,
            )
        return self.playing

    def may_load(self, deadline: float) -> bool:
        """Return whether the playbook that was started last may still make a load."""
        return time.monotonic() < deadline and self.playing is not None and self.playing.poll() is None

    def run_json(self, run_id: str = "latest") -> dict[str, Any]:
        return json.loads((self.results / run_id / "run.json").read_text(encoding="utf-8"))

    def cell(self, cell_id: str, run_id: str = "latest") -> dict[str, Any]:
        return json.loads((self.results / run_id / "cells" / cell_id / "cell.json").read_text(encoding="utf-8"))

    def target(self, run_id: str = "latest") -> dict[str, Any]:
        return json.loads((self.results / run_id / "target.json").read_text(encoding="utf-8"))

    def processes(self) -> list[psutil.Process]:
        """Return the living processes whose command line names this directory."""
        found = []
        for process in psutil.process_iter():
            try:
                if any(str(self.directory) in part for part in process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def wait_for_load(self, run_id: str, cell_id: str, requests: int = 50, limit_s: float = 300) -> dict[str, Any]:
        """Wait until k6 of the cell has sent some requests, and return its state.json."""
        state_file = self.results / run_id / "cells" / cell_id / "state.json"
        deadline = time.monotonic() + limit_s
        while self.may_load(deadline):
            if state_file.exists():
                state = json.loads(state_file.read_text(encoding="utf-8"))
                raw = Path(state["directory"]) / "raw.csv"
                if raw.exists() and raw.read_bytes().count(b"\nhttp_reqs,") >= requests:
                    return state
            time.sleep(0.2)
        printed = (self.directory / "play.log").read_text(encoding="utf-8")[-3000:]
        raise AssertionError(f"cell {cell_id} made no load within {limit_s} s or before its playbook ended: {printed}")


def check_from_an_empty_place(suite: Suite, playbook: str) -> str:
    """Check that --check prints what would be deployed and leaves an empty directory empty, and return its output in one line."""
    elsewhere = copy.copy(suite)
    elsewhere.directory = suite.directory / "empty"
    elsewhere.directory.mkdir()
    checked = elsewhere.play(playbook, {}, "--check", "--diff")
    output = " ".join(checked.stdout.split())
    assert checked.returncode == 0
    assert f"Would start MLflow with sqlite (state in {elsewhere.directory}/.perfscale/local_stack" in output
    assert "Running now: nothing." in output
    assert list(elsewhere.directory.iterdir()) == []
    return output
