# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs k6 as the collection does, and starts what it runs against; shared by tests and benchmarks."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "files" / "k6"
LOAD = SCRIPTS / "mlflow_scale_test.js"
PREFILL = SCRIPTS / "mlflow_prefill_tenants.js"
STAND_IN = Path(__file__).with_name("mlflow_stand_in.py")


def executable(name: str, *variables: str) -> str:
    """Path of an executable: from the first of the environment variables that is set, else from PATH."""
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
class Ended:
    """A k6 that ended: exit code, everything it printed, CPU seconds, peak memory in bytes, its directory."""

    code: int
    log: str
    cpu_seconds: float
    memory_bytes: int
    directory: Path

    def rows(self) -> list[dict[str, str]]:
        """The rows of raw.csv."""
        with (self.directory / "raw.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def json(self, name: str) -> dict[str, Any]:
        """A JSON file that the script wrote."""
        return json.loads((self.directory / name).read_text())


def run_k6(k6: str, script: Path, directory: Path, *, config: dict[str, Any] | None = None, samples: bool = False,
           env: dict[str, str] | None = None, timeout: float = 400) -> Ended:
    """Runs one script in `directory` and waits for it, at most `timeout` seconds.

    With `config` it is written to a file that PERFSCALE_CONFIG names. `samples` writes raw.csv.
    """
    directory.mkdir(parents=True, exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "K6_", "PERFSCALE_"))}
    environment |= {"K6_CSV_TIME_FORMAT": "unix_milli", "K6_AUTO_EXTENSION_RESOLUTION": "false"} | (env or {})
    if config is not None:
        path = directory / "config.json"
        path.write_text(json.dumps({**config, "out_dir": str(directory)}))
        environment["PERFSCALE_CONFIG"] = str(path)
    command = [k6, "run", "--quiet", "--no-usage-report", "--address", ""]
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
    return Ended(process.returncode, text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, directory)


def _wait(process: subprocess.Popen, timeout: float):
    """Resource usage of the ended process (wait4 gives that of this child alone)."""
    watchdog = subprocess.Popen([sys.executable, "-c", f"import os, sys, time; time.sleep({timeout}); os.kill({process.pid}, 9)"])
    try:
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return usage
    finally:
        watchdog.kill()
        watchdog.wait()


@contextlib.contextmanager
def stand_in(**options: Any) -> Iterator[str]:
    """URL of a running stand-in for MLflow; options as in mlflow_stand_in.py."""
    arguments = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    process = subprocess.Popen([sys.executable, str(STAND_IN), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://{options.get('host', '127.0.0.1')}:{process.stdout.readline().strip()}"
    finally:
        process.stdin.close()
        process.wait(timeout=10)


def load_config(url: str, **changes: Any) -> dict[str, Any]:
    """A complete load configuration of a short test, with changes."""
    return {
        "schema_version": 1,
        "cell_id": "t3-c5-r1",
        "mlflow": {"url": url, "token_file": None, "tls_verify": True},
        "tenants": {"prefix": "tenant-", "count": 3, "choice": {"distribution": "uniform"}},
        "seed": 42,
        "profile": {"kind": "closed", "concurrency": 5},
        "training_share": 0.2,
        "think_time_s": 1,
        "warmup_s": 1,
        "window_s": 3,
        "tail_limit_s": 30,
        "request_timeout_s": 30,
        "summary_file": "summary.json",
    } | changes


def prefill_config(url: str, **changes: Any) -> dict[str, Any]:
    """A complete prefill configuration of a small data set, with changes."""
    return {
        "schema_version": 1,
        "mlflow": {"url": url, "token_file": None, "tls_verify": True},
        "tenants": {"prefix": "tenant-", "numbers": [1, 2, 3]},
        "data_set": {"digest": "0123456789ab", "experiments_per_tenant": 2, "runs_per_experiment": 2, "metrics_per_run": 3,
                     "params_per_run": 5, "artifacts_per_run": 2, "prompts_per_experiment": 2},
        "concurrency": 4,
        "max_duration_s": 300,
        "request_timeout_s": 60,
        "summary_file": "prefill_summary.json",
    } | changes
