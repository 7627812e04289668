# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run k6 with the scripts of the collection and return what it left and used."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import k6_command, read_exit
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "files" / "k6"
LOAD = SCRIPTS / "mlflow_scale_test.js"
PREFILL = SCRIPTS / "mlflow_prefill_tenants.js"
LOAD_LIMIT_S = 60


def executable(name: str, *variables: str) -> str:
    """Return the path of an executable: from the first of the environment variables that is set, else from PATH."""
    for variable in variables:
        if os.environ.get(variable):
            path = shutil.which(os.environ[variable])
            if not path:
                raise FileNotFoundError(f"{variable} {os.environ[variable]}: is not an executable. Name the {name} to use.")
            return path
    path = shutil.which(name)
    if not path:
        raise FileNotFoundError(f"executable {name}: is not on PATH. Set {variables[0]} to it, or run make venv.")
    return path


@dataclass
class FinishedK6:
    """A finished k6: exit code, output, CPU seconds, peak memory in bytes, its directory."""

    code: int
    log: str
    cpu_seconds: float
    memory_bytes: int
    directory: Path

    def rows(self) -> list[dict[str, str]]:
        """Return the rows of raw.csv."""
        with (self.directory / "raw.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def json(self, name: str) -> dict[str, Any]:
        """Return a JSON file that the script wrote."""
        return json.loads((self.directory / name).read_text())


def run_k6(k6: str, script: Path, directory: Path, *, config: dict[str, Any] | None = None, samples: bool = False,
           env: dict[str, str] | None = None, timeout: float = 400, options: Sequence[str] = ()) -> FinishedK6:
    """Run one script in `directory` with further `options` and wait for it, at most `timeout` seconds.

    With `config` it is written to a file that PERFSCALE_CONFIG names. `samples` writes raw.csv.
    """
    directory.mkdir(parents=True, exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "K6_", "PERFSCALE_"))}
    environment |= {"K6_CSV_TIME_FORMAT": "unix_milli", "K6_AUTO_EXTENSION_RESOLUTION": "false"} | (env or {})
    if config is not None:
        path = directory / "config.json"
        path.write_text(json.dumps({**config, "out_dir": str(directory)}))
        environment["PERFSCALE_CONFIG"] = str(path)
    command = [k6, "run", "--quiet", "--no-usage-report", "--address", "", *options]
    if samples:
        command += ["--out", f"csv={directory / 'raw.csv'}"]
    with (directory / "k6.log").open("w+") as log:
        process = subprocess.Popen([*command, str(script)], cwd=directory, env=environment, stdout=log, stderr=log)
        try:
            usage = _wait(process, timeout)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        log.seek(0)
        text = log.read()
    return FinishedK6(process.returncode, text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, directory)


def run_detached(k6: str, directory: Path, config: dict[str, Any], **options: Any) -> int:
    """Run a load to its end as a run of this machine starts it, and return its exit code; `options` are those of k6_command."""
    _configure(directory, config)
    DetachedProcess("k6", str(directory), k6_command(k6, str(LOAD), directory, None, **options)).start(may_end=True)
    _wait_for(lambda: read_exit(directory))
    return read_exit(directory)["exit_code"]


def run_as_in_a_pod(k6: str, directory: Path, config: dict[str, Any], **options: Any) -> int:
    """Run a load to its end by the script of the pod, and return its exit code; `options` are those of k6_command."""
    body = _configure(directory, config)
    command = k6_command(k6, str(LOAD), directory, None, **options)
    total = hashlib.sha256(body).hexdigest()
    words = ["start", str(directory), str(len(body)), total, *(f"{name}={value}" for name, value in command["env"].items()), "--", *command["argv"]]
    # The script finds a k6 of other tests by its name; this one has a name of its own.
    own = directory.parent / f"k6-{os.getpid()}"
    shutil.copy(k6, own)
    words[words.index("--") + 1] = str(own)
    started = subprocess.run(["sh", str(SCRIPTS / "pod/load.sh"), *words], input=body, capture_output=True, check=True, timeout=30).stdout
    if b"started=now" not in started:
        raise RuntimeError(f"k6: not started. {started.decode()}")
    _wait_for((directory / "exit.json").exists)
    return json.loads((directory / "exit.json").read_text())["exit_code"]


def requests_of(directory: Path) -> int:
    """Return how many requests raw.csv has."""
    return sum(row.startswith("http_req_failed,") for row in (directory / "raw.csv").read_text().splitlines())


def _configure(directory: Path, config: dict[str, Any]) -> bytes:
    body = json.dumps({**config, "out_dir": str(directory)}).encode()
    (directory / "load_config.json").write_bytes(body)
    return body


def _wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LOAD_LIMIT_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def _wait(process: subprocess.Popen, timeout: float):
    """Return the resource usage of the ended process (wait4 gives that of this child alone)."""
    watchdog = subprocess.Popen([sys.executable, "-c", f"import os, sys, time; time.sleep({timeout}); os.kill({process.pid}, 9)"])
    try:
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return usage
    finally:
        watchdog.kill()
        watchdog.wait()
