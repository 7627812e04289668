# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as an automation controller runs them, by ansible-runner: each has a fresh copy of the project, which is thrown away when it ends.

What a controller adds is all there: survey answers as extra variables (what is not answered as an empty text), the environment of its
credentials, and the inventory as it was imported. Of its container only the files are played: what a job leaves running is ended by hand.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
# What AWX passes on to ansible-runner unasked, and what changes a run from the shell of the person who runs the tests.
INHERITED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME")
NOT_IN_A_PROJECT = ("tests/", "docs/", "changelogs/", ".ci/", ".github/")
JOB_LIMIT_S = 600
END_LIMIT_S = 30
POLL_S = 0.2
# Charts take longer than the rest of a report.
WITHOUT_CHARTS = {"report_formats": "csv,markdown,html"}


def synced(destination: Path) -> None:
    """Copy the project as a sync creates it: only files that git tracks or would add."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        source = ROOT / name
        if name.startswith(NOT_IN_A_PROJECT) or not (source.exists() or source.is_symlink()):
            continue
        (destination / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, destination / name, follow_symlinks=False)


@functools.cache
def imported(inventory: str) -> str:
    """Return the inventory as a controller imports and hands it on: a program that prints it."""
    command = [str(BIN / "ansible-inventory"), "-i", str(ROOT / "inventories" / inventory), "--list", "--export"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return f"#!{sys.executable}\nprint({listed.stdout!r})\n"


def unanswered(playbook: str) -> dict[str, str]:
    """Return every survey question of a playbook's job template with an empty answer."""
    templates = yaml.safe_load((ROOT / "files" / "awx" / "job_templates.yml").read_text(encoding="utf-8"))["job_templates"]
    [survey] = [template["survey"] for template in templates if template["playbook"] == f"playbooks/{playbook}.yml"]
    return dict.fromkeys(survey, "")


def credentials() -> dict[str, str]:
    """Return the environment of a credential whose fields are all empty."""
    [kind] = yaml.safe_load((ROOT / "files" / "awx" / "credential_types.yml").read_text(encoding="utf-8"))["credential_types"]
    return dict.fromkeys(kind["injectors"]["env"], "")


class Job:
    """One launch of a job template."""

    def __init__(
        self,
        directory: Path,
        playbook: str,
        answers: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        inventory: str = "local",
        project: Path | None = None,
    ) -> None:
        """`settings` are those of ansible-runner; `project` is a project that was synced otherwise."""
        self.directory, self.playbook = directory, playbook
        self.project = directory / "project"
        self.artifacts = directory / "artifacts" / "job"
        if project:
            shutil.copytree(project, self.project, symlinks=True)
        else:
            synced(self.project)
        for name in ("env", "inventory"):
            (directory / name).mkdir()
        hosts = directory / "inventory" / "hosts"
        hosts.write_text(imported(inventory), encoding="utf-8")
        hosts.chmod(0o755)
        variables = {"awx_job_id": 7, "awx_job_template_name": playbook, **unanswered(playbook), **answers}
        texts = {"envvars": {**credentials(), "ANSIBLE_NOCOLOR": "1", **(environment or {})}, "extravars": variables, "settings": settings or {}}
        for name, text in texts.items():
            (directory / "env" / name).write_text(json.dumps(text), encoding="utf-8")
        inherited = {key: value for key, value in os.environ.items() if key in INHERITED}
        self.process = subprocess.Popen(
            [str(BIN / "ansible-runner"), "run", str(directory), "--playbook", f"playbooks/{playbook}.yml", "--ident", "job", "--quiet"],
            # No PWD: nothing in a container needs to set it.
            env={**inherited, "PATH": f"{BIN}{os.pathsep}{inherited['PATH']}"},
            cwd=directory,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        self._events: dict[int, dict[str, Any]] = {}

    @property
    def status(self) -> str:
        """Return the status of the job according to ansible-runner."""
        return (self.artifacts / "status").read_text(encoding="utf-8")

    @property
    def output(self) -> str:
        """Return what the job printed so far, in one line: long sentences are broken."""
        path = self.artifacts / "stdout"
        return " ".join(path.read_text(encoding="utf-8").split()) if path.exists() else ""

    def events(self) -> Iterator[dict[str, Any]]:
        """Return the job's events in their order."""
        paths = {int(path.name.split("-")[0]): path for path in self.artifacts.glob("job_events/*.json") if "partial" not in path.name}
        for number in sorted(paths):
            if number not in self._events:
                with contextlib.suppress(ValueError):  # being written
                    self._events[number] = json.loads(paths[number].read_text(encoding="utf-8"))
            if number in self._events:
                yield self._events[number]

    def tasks(self) -> list[str]:
        """Return the names of the tasks that the job has started."""
        return [event["event_data"]["task"] for event in self.events() if event["event"] == "playbook_on_task_start"]

    def stats(self) -> dict[str, Any]:
        """Return what the job passes to its controller (set_stats)."""
        [event_data] = [event["event_data"] for event in self.events() if event["event"] == "playbook_on_stats"]
        return event_data["artifact_data"]

    def until(self, what: str, seen: Callable[[], Any], limit_s: float = 240) -> Any:
        """Wait until something can be seen while the job runs, and return it."""
        deadline = time.monotonic() + limit_s
        while not (found := seen()):
            assert self.process.poll() is None, f"the job ended before {what}: {self.output[-3000:]}"
            assert time.monotonic() < deadline, f"no {what} within {limit_s} s: {self.output[-3000:]}"
            time.sleep(POLL_S)
        return found

    def cancel(self) -> int:
        """Cancel the job as a controller does, first kindly; then its container is ended. Returns ansible-runner's exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self.end()

    def end(self) -> int:
        """Wait for the end of the job, then end what survived it and throw its place away, as the end of a container does."""
        deadline = time.monotonic() + JOB_LIMIT_S
        while self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_S)
        code = self.process.wait(1)
        print((self.artifacts / "stdout").read_text(encoding="utf-8"))
        self.reap()
        while self.project.exists():
            shutil.rmtree(self.project, ignore_errors=True)
        return code

    def reap(self) -> list[int]:
        """Kill, by process id, the tasks that outlived their ansible-playbook, and return their ids. Loads and servers are not tasks and continue to run."""
        orphans = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                # ansible-runner gives it to every process of the job; what the collection detaches does not inherit it.
                if process.environ().get("AWX_ISOLATED_DATA_DIR") == str(self.artifacts):
                    orphans.append(process)
        for process in orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(orphans, timeout=10)
        return [process.pid for process in orphans]
