# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of tools: each entry is a directory that counts only with its marker, built by one process at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError

MARKER = ".complete"
NAME = "perfscale.mlflow"


def default_directory() -> Path:
    """Returns the cache directory of the user (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / NAME


def key_of(*parts: str) -> str:
    """Returns the first 12 hex digits of the SHA-256 of the parts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()[:12]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a file lock; the kernel gives it back when the holder dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ToolError(f"Directory {path.parent}: cannot be written ({error.strerror}). Make it writable, or choose another one.") from error
    with os.fdopen(descriptor, "r+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def complete(cache: Path, name: str) -> Path | None:
    """Returns an entry that was built to its end, or None."""
    return cache / name if (cache / name / MARKER).exists() else None


def entry(cache: Path, name: str, build: Callable[[Path], None]) -> tuple[Path, bool]:
    """Returns a complete entry and whether it was built now.

    It is built under its final name, since virtual environments know their own path; the marker is written last, so a build that
    was cut off is thrown away by the next one.
    """
    directory = cache / name
    if complete(cache, name):
        return directory, False
    with locked(cache / f"{name}.lock"):
        if complete(cache, name):
            return directory, False
        shutil.rmtree(directory, ignore_errors=True)
        try:
            directory.mkdir(parents=True)
            build(directory)
            (directory / MARKER).touch()
        except OSError as error:
            raise ToolError(f"Cache {directory}: cannot be written ({error.strerror}). Free space there or set XDG_CACHE_HOME.") from error
    return directory, True
