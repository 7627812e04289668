# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything on this machine that would stop a run, found before anything is started: one sentence each, with the remedy."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import commands, state_lock, tools
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.server import mlflow_problems, read_server
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient, PrometheusError
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.probe import probe
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import ResponseError

BACKENDS = ("sqlite", "postgres")
TIMEOUT_S = 10.0


def package_problems(names: list[str]) -> list[str]:
    """Return the problem of Python packages that this interpreter lacks."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if not missing:
        return []
    return [f"Python packages {', '.join(missing)}: missing beside {sys.executable}. Install the collection's requirements.txt there (make venv does)."]


def directory_problems(path: str, wanted_bytes: int) -> list[str]:
    """Return why files cannot be written at or below a path that may not exist yet, or that the disk is too small."""
    existing = Path(os.path.abspath(path))
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        return [f"Results directory {path}: {existing} is a file. Choose another results_dir."]
    try:
        # Only writing a file shows it: root bypasses permission bits, and a read-only or full disk has them too.
        with tempfile.NamedTemporaryFile(prefix=".preflight-", dir=existing) as probe:
            probe.write(b"x")
    except OSError as error:
        return [f"Results directory {path}: not writable ({error.strerror}). Make {existing} writable, or choose another results_dir."]
    free = shutil.disk_usage(existing).free
    if free < wanted_bytes:
        return [
            f"Results directory {path}: {free // 2**20} MiB free, the run may need {wanted_bytes // 2**20} MiB. "
            "Free space, choose another results_dir, or plan fewer repeats or shorter windows."
        ]
    return []


def settings_problems(settings: dict[str, Any]) -> list[str]:
    """Return the problems of settings that are unknown or contradict each other.

    `settings` has db_backend, mlflow_url, prometheus_url, metrics_profile and profiles_dir; empty texts count as not set.
    """
    problems = []
    backend, profile = settings["db_backend"], settings["metrics_profile"]
    if backend not in BACKENDS:
        problems.append(f"Database {backend}: unknown. Set DB_BACKEND or local_stack_db_backend to {' or '.join(BACKENDS)}.")
    if settings["mlflow_url"] and not settings["prometheus_url"] and profile != "none":
        problems.append(
            f"Metrics of {settings['mlflow_url']}: no Prometheus is given for an existing MLflow. "
            "Set PROMETHEUS_URL (and PROMETHEUS_TOKEN_FILE), or choose metrics_profile=none."
        )
    shipped = sorted(path.stem for path in Path(settings["profiles_dir"]).glob("*.yml"))
    if profile and profile != "none" and profile not in shipped and not Path(profile).is_file():
        problems.append(f"Metrics profile {profile}: unknown. Allowed: none, {', '.join(shipped)}, or the path of a file.")
    return problems


def program_problems(settings: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Find the programs that the run needs; return (problems, {k6: {path, version}}).

    `settings` has cache (a path), k6 and the other named programs in `paths`, names of wanted programs in `names`, and mlflow_version.
    """
    problems: list[str] = []
    facts: dict[str, Any] = {}
    try:
        facts["k6"] = tools.find_k6(settings["paths"].get("k6", ""))
    except ToolError as error:
        problems.append(str(error))
    try:
        if "mlflow" in settings["names"]:
            tools.mlflow_requirement(settings["mlflow_version"])
    except ToolError as error:
        problems.append(str(error))
    if "postgres" in settings["names"]:
        try:
            commands.unprivileged()
        except KeyError as error:
            problems.append(f"PostgreSQL: root may not run it, and no user {error.args[0]} exists. Create one of them, or choose DB_BACKEND=sqlite.")
    return problems, facts


def stack_problems(state_dir: str) -> list[str]:
    """Return whether another run uses the local stack's state directory."""
    try:
        state_lock.check(Path(state_dir))
    except state_lock.StateDirectoryBusyError as error:
        return [str(error)]
    return []


def server_problems(server: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Query an existing MLflow; return (problems, {version, …}).

    `server` has url, token, token_file, ca_file and validate_certs; anonymous sends only requests that need no token.
    """
    with _token_file(server) as token_file:
        arguments = (server["url"], token_file, server.get("ca_file"), server.get("validate_certs", True))
        problems = mlflow_problems(*arguments, anonymous=server.get("anonymous", False))
        if problems:
            return problems, {}
        try:
            return [], read_server(*arguments)
        except MlflowError as error:
            return [str(error)], {}


def sample_spacing_s(server: dict[str, Any]) -> float | None:
    """Return the seconds between two samples of a cluster's Prometheus, None when they are unknown. `server` is as in prometheus_problems."""
    try:
        return probe(_prometheus(server), {}, time.time()).spacing_s
    except (PrometheusError, ResponseError):
        return None


def prometheus_problems(server: dict[str, Any]) -> list[str]:
    """Query a Prometheus for a constant. `server` has url, token_file, ca_file and validate_certs."""
    try:
        _prometheus(server).instant("vector(1)", time.time(), "preflight")
    except PrometheusError as error:
        return [str(error)]
    return []


def _prometheus(server: dict[str, Any]) -> PrometheusClient:
    return PrometheusClient(
        server["url"],
        token_file=server.get("token_file"),
        ca_file=server.get("ca_file"),
        validate_certs=server.get("validate_certs", True),
        timeout=TIMEOUT_S,
        retries=0,
        time_limit=TIMEOUT_S,
    )


@contextmanager
def _token_file(server: dict[str, Any]) -> Iterator[str | None]:
    """Yield the token's file; a token given as a value is written to a private one for as long as it is needed."""
    if server.get("token_file") or not server.get("token"):
        yield server.get("token_file")
        return
    with tempfile.NamedTemporaryFile("w", prefix="perfscale-", encoding="utf-8") as stream:
        stream.write(server["token"])
        stream.flush()
        yield stream.name
