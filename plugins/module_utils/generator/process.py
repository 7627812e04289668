# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k6 as a detached process of this machine: its command line, its environment, and attaching to one that runs."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import (
    attachable,
    attempt_directory,
    facts_of,
    next_attempt,
    read_state,
    write_state,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess

# k6 finishes the requests under way and writes its summary when it is told to stop (seconds).
STOP_TIMEOUT_S = 20


def command_of(binary: str, script: str, attempt: PurePath, ca_file: str | None) -> dict[str, Any]:
    """Returns the command of k6. No secret is in it: the configuration names the file that holds the token.

    Only flags that both k6 1.1 and k6 2 know are used.
    """
    environment = {
        "PERFSCALE_CONFIG": str(attempt / "load_config.json"),
        "K6_CSV_TIME_FORMAT": "unix_milli",
        "K6_AUTO_EXTENSION_RESOLUTION": "false",
        # Collecting garbage less often takes back what the samples cost k6, and stays below 90 MB (tests/benchmarks/k6_cpu.py).
        "GOGC": "150",
    }
    if ca_file:
        environment["SSL_CERT_FILE"] = ca_file
    argv = [binary, "run", "--quiet", "--no-usage-report", "--address", "", "--out", f"csv={attempt / 'raw.csv'}", script]
    return {"argv": argv, "env": environment, "chdir": str(attempt), "user": None}


def is_running(handle: dict[str, Any]) -> bool:
    """Returns whether the process of a handle lives; a load in a pod has none here."""
    return "pid" in handle and handles.process_of(handle) is not None


def start(directory: Path, config: dict[str, Any], launch: dict[str, Any], plan_digest: str, is_finished_reusable: bool, schema_dir: str) -> dict[str, Any]:
    """Starts a new attempt, or returns the one to go on with.

    `launch` has binary, script, ca_file and perhaps config_schema, the schema that the configuration follows.
    Returns {n, directory, handle, started, attached}. Raises ProcessError, FileWriteError, and ValueError for a configuration against its schema.
    """
    state = attachable(directory, plan_digest, is_finished_reusable, lambda known: is_running(known["handle"]))
    if state is not None:
        return facts_of(state, attached=True)
    stop_lost(directory)
    n = next_attempt(directory)
    attempt = attempt_directory(directory, n)
    whole = {**config, "out_dir": str(attempt)}
    if launch.get("config_schema"):
        check(whole, launch["config_schema"], schema_dir)
    write_json(attempt / "load_config.json", whole)
    process = DetachedProcess("k6", str(attempt), command_of(launch["binary"], launch["script"], attempt, launch["ca_file"]))
    # A k6 that ends at once, as with a broken script, is an attempt too: its exit code and log tell why.
    process.start(may_end=True)
    described = process.describe()
    handle = {key: described[key] for key in ("pid", "start_time")}
    return facts_of(write_state(directory, n, plan_digest, handle, schema_dir), attached=False)


def stop(directory: Path) -> bool:
    """Stops the k6 of the latest attempt, or of every cell when the directory is that of a run; returns whether one ran."""
    states = [read_state(path.parent) for path in sorted(directory.resolve().rglob("state.json"))]
    # Each is stopped, not only those up to the first that ran.
    stopped = [DetachedProcess("k6", state["directory"]).stop(STOP_TIMEOUT_S) for state in states if state]
    return any(stopped)


def stop_lost(directory: Path) -> bool:
    """Stops every k6 of the directory's run whose files are gone, as after a job whose place was thrown away; returns whether one ran.

    Nothing that it measured can be had any more, and its load would be added to the next one. `directory` is that of a cell or a prefill.
    """
    run_id = directory.resolve().parents[1].name
    lost = [mark.parent for mark in map(Path, handles.marks()) if _run_of(mark).name == run_id and not _run_of(mark).exists()]
    stopped = [DetachedProcess("k6", str(attempt)).stop(STOP_TIMEOUT_S) for attempt in lost]
    return any(stopped)


def _run_of(mark: Path) -> Path:
    """Returns the directory of the run whose k6 a mark names (RUN_ID/cells/CELL/attempts/N/k6.json); the root for other programs."""
    is_load = mark.name == "k6.json" and len(mark.parts) > 6 and mark.parts[-5] in ("cells", "prefill")
    return mark.parents[4] if is_load else Path("/")
