# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attempts of a load in one directory: their files, which one to resume, state.json, and the command of k6."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.proxies import proxy_variables
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import has_user_information, redact_url
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import ERRORS
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.exit_codes import is_complete
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import has_samples

if TYPE_CHECKING:
    from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import Backend, Load

# k6 finishes the requests under way and writes its summary on SIGTERM (seconds).
STOP_TIMEOUT_S = 20


# Where k6's live metrics can go (option `live` of k6_load).
LIVE_KINDS = ("prometheus_rw",)
# Of the whole load so far; k6 keeps every value of a series for them.
LIVE_STATISTICS = "med,p(95),p(99),max"


def live_url(kind: str | None, url: str | None) -> str:
    """Return the URL to which k6 sends its metrics while it runs, an empty text without a kind. Raises ValueError with a sentence."""
    if not kind:
        return ""
    if not url:
        raise ValueError(f"Live metrics {kind}: no URL to send them to. Set k6_runner_live_url, such as http://127.0.0.1:9090/api/v1/write.")
    if has_user_information(url):
        raise ValueError(f"Live metrics {kind}: user information in the URL {redact_url(url)}. Remove it; an agent that adds it may stand between.")
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"Live metrics {kind}: {url} is no URL. Write it as http://127.0.0.1:9090/api/v1/write.")
    return url


def k6_command(
    binary: str, script: str, directory: PurePath, ca_file: str | None, proxy: str | None = None, live: str = ""
) -> dict[str, Any]:  # fmt: skip
    """Return the command of k6, with the paths of the machine that runs it. It contains no secret: the configuration names the file of the token.

    `proxy` is for a k6 that inherits none, `live` the remote-write endpoint of a Prometheus, if k6 sends its metrics there beside writing them. Only
    flags that both k6 1.1 and k6 2 support are used. Together with an environment of which k6 inherits nothing else, this is all that decides the load.
    """
    environment = {
        "PERFSCALE_CONFIG": str(directory / "load_config.json"),
        # k6 reads settings such as rps from .config/k6/config.json there (and from loadimpact/ before k6 1); the attempt's directory has none.
        "HOME": str(directory),
        "XDG_CONFIG_HOME": str(directory),
        "K6_CSV_TIME_FORMAT": "unix_milli",
        "K6_AUTO_EXTENSION_RESOLUTION": "false",
        # k6 holds the samples of one interval in memory before it writes them: a tenth of its default saves about 20 MB at 5,000 requests/s, at no CPU cost.
        "K6_CSV_SAVE_INTERVAL": "100ms",
        # Collecting garbage less often makes up for the CPU time that the samples cost k6. Both together stay below 90 MB (tests/benchmarks/k6_cpu.py).
        "GOGC": "200",
        **proxy_variables(proxy),
    }
    if ca_file:
        environment["SSL_CERT_FILE"] = ca_file
    if live:
        environment |= {"K6_PROMETHEUS_RW_SERVER_URL": live, "K6_PROMETHEUS_RW_TREND_STATS": LIVE_STATISTICS, "K6_PROMETHEUS_RW_STALE_MARKERS": "true"}
    argv = [binary, "run", "--quiet", "--address", "", *k6_arguments(directory, live), script]
    return {"argv": argv, "env": environment, "chdir": str(directory), "user": None}


def k6_arguments(directory: PurePath, live: str) -> list[str]:
    """Return the arguments of `k6 run` that are the same whatever starts it: its outputs, and that it reports nothing to its makers."""
    # https://grafana.com/docs/k6/latest/results-output/real-time/prometheus-remote-write/
    return ["--no-usage-report", "--out", f"csv={directory / 'raw.csv'}", *(["--out", "experimental-prometheus-rw"] if live else [])]


def read_state(directory: Path) -> dict[str, Any]:
    """Return state.json of the directory, or {} when there is none that can be used here.

    A restored run names the directory of that time. The files of a load in a cluster are fetched to any directory; a process of this machine
    writes where it was started, so its files are not available here.
    """
    state = _read_json(directory)
    if not state:
        return {}
    here = str(attempt_directory(directory, state["attempt"]))
    if "pid" in state["handle"] and os.path.realpath(state["directory"]) != os.path.realpath(here):
        return {}
    return {**state, "directory": here}


def latest_attempt(directory: Path) -> dict[str, Any]:
    """Return state.json of the directory. Raises ValueError when no load was started for it."""
    state = read_state(directory)
    if not state:
        raise ValueError(f"Directory {directory}: no state.json, so no load was started for it. Start one first.")
    return state


def write_state(load: Load, n: int, handle: Mapping[str, Any], started: float | None = None) -> dict[str, Any]:
    """Write state.json of an attempt that was `started` (epoch seconds; else now) and return it. Raises FileWriteError."""
    state = {
        "schema_version": 1,
        "phase": "started",
        "attempt": n,
        "plan_digest": load.plan_digest,
        "directory": str(attempt_directory(load.directory, n)),
        "started": time.time() if started is None else started,
        "handle": dict(handle),
    }
    check(state, "state", load.schema_dir)
    write_json(load.directory / "state.json", state)
    return state


def attempt_directory(directory: Path, n: int) -> Path:
    """Return the directory of an attempt."""
    return directory / "attempts" / str(n)


def recorded_attempts(directory: Path) -> list[int]:
    """Return the numbers of the attempts in cell.json."""
    try:
        return [entry["n"] for entry in read_json(directory / "cell.json")["attempts"]]
    except (ValueError, KeyError):
        return []


def next_attempt(directory: Path) -> int:
    """Return the number of a new attempt: one more than any that left a trace."""
    traces = [int(path.name) for path in (directory / "attempts").glob("*") if path.name.isdigit()]
    return max([0, *traces, *recorded_attempts(directory), int(_read_json(directory).get("attempt", 0))]) + 1


def started_attempt(state: Mapping[str, Any], attached: bool) -> dict[str, Any]:
    """Return what `Backend.start` returns: {n, directory, handle, started, attached}."""
    return {"n": state["attempt"], "directory": state["directory"], "handle": state["handle"], "started": state["started"], "attached": attached}


def usable_attempt(load: Load, is_running: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    """Return the state of the attempt to resume, or None when a new one is needed.

    A running attempt of the same plan is attached to; `is_running` decides by its state. A finished one is used when it is not recorded yet (the
    controller was lost meanwhile) and its window is complete, whether its output is still raw or was repacked before the raw one was removed.
    """
    state = unrecorded_attempt(load.directory, load.plan_digest)
    if state is None or is_running(state):
        return state
    return state if load.is_finished_reusable and is_whole(Path(state["directory"])) else None


def unrecorded_attempt(directory: Path, plan_digest: str) -> dict[str, Any] | None:
    """Return the state of the latest attempt of a plan, or None when there is none, or the cell's record has it already."""
    state = read_state(directory)
    is_of_plan = bool(state) and state["plan_digest"] == plan_digest
    return state if is_of_plan and state["attempt"] not in recorded_attempts(directory) else None


def is_whole(attempt: Path) -> bool:
    """Return whether the load of an attempt ended well and left its samples."""
    record = read_exit(attempt)
    return has_samples(attempt) and record is not None and is_complete(record["exit_code"])


def stop_all(backend: Backend, directory: Path) -> bool:
    """Stop the load of a directory, or of every cell when it is that of a run; return whether one ran.

    Loads are found by state.json, and those of this machine by the directories of their attempts too, since state.json may be damaged. Each is
    tried. Raises what Backend.stop does, or ValueError with the sentences of all that failed.
    """
    root = directory.resolve()
    loads: dict[str, dict[str, Any]] = {str(path): {"directory": str(path), "handle": {}} for path in sorted(root.rglob("attempts/*")) if path.is_dir()}
    for state in (read_state(path.parent) for path in sorted(root.rglob("state.json"))):
        if state:
            loads[state["directory"]] = state
    ran, problems = False, []
    for load in loads.values():
        try:
            ran = backend.stop(load) or ran
        except ERRORS as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ValueError(" ".join(map(str, problems)))
    return ran


def read_exit(attempt: Path) -> dict[str, Any] | None:
    """Return the exit record that the generator wrote (exit code, CPU seconds, memory), or None before its end.

    A generator that died of a signal has 128 + the signal's number as its exit code, as shells count.
    """
    record = handles.read(attempt / "k6.exit.json")
    if record is not None and record.get("exit_code") is None:
        record["exit_code"] = 128 + int(record.get("signal") or 0)
    return record


def _read_json(directory: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = read_json(directory / "state.json")
    except ValueError:
        return {}
    return state
