# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of tools: unpacked Debian packages and Python virtual environments.

Each entry is a directory that counts only with its marker, built by one process at a time. Debian packages are downloaded and unpacked, never
installed: no root, no service, no change of the system. Environments are named by a digest of their requirements.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import COMMAND_LIMIT_S, ToolError, run

MARKER = ".complete"
NAME = "perfscale.mlflow"
# A build is a few commands, each with a limit of its own.
LOCK_LIMIT_S = 3 * COMMAND_LIMIT_S
POLL_S = 0.1
INDEX_REMEDY = "Check the connection to the package index (or its mirror), then start again"


def default_directory() -> Path:
    """Return the cache directory of the user (XDG base directory specification).

    A user without a home (a container with any user id: no entry in passwd, HOME unset or /) has one among the temporary files.
    Raises ToolError if that one belongs to another user.
    """
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / NAME
    home = Path(os.path.expanduser("~"))
    if home.is_absolute() and home != Path("/") and os.access(home, os.W_OK):
        return home / ".cache" / NAME
    directory = Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.is_symlink() or directory.stat().st_uid != os.getuid():
        raise ToolError(f"Cache {directory}: belongs to another user. Set HOME or XDG_CACHE_HOME to a directory of yours.")
    return directory


def key_of(*parts: str) -> str:
    """Return the first 12 hex digits of the SHA-256 of the parts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()[:12]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock; the kernel releases it when the holder ends. Raises ToolError where another process holds it longer than LOCK_LIMIT_S."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ToolError(f"Directory {path.parent}: not writable ({error.strerror}). Make it writable, or choose another one.") from error
    with os.fdopen(descriptor, "r+") as stream:
        deadline = time.monotonic() + LOCK_LIMIT_S
        while not _is_ours(stream):
            if time.monotonic() > deadline:
                raise ToolError(f"File {path}: locked by another process for more than {LOCK_LIMIT_S:g} s. End the run that still builds there.")
            time.sleep(POLL_S)
        yield


def _is_ours(stream: IO[str]) -> bool:
    """Try to lock a file and return whether that worked."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def complete(cache: Path, name: str) -> Path | None:
    """Return an entry that was built to its end, or None."""
    return cache / name if (cache / name / MARKER).exists() else None


def entry(cache: Path, name: str, build: Callable[[Path], None]) -> tuple[Path, bool]:
    """Return a complete entry and whether it was built now.

    It is built under its final name, since virtual environments contain their own path; the marker is written last, so a build that
    was interrupted is deleted by the next one.
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
            raise ToolError(f"Cache {directory}: not writable ({error.strerror}). Free space there or set XDG_CACHE_HOME.") from error
    return directory, True


def can_unpack_debian() -> bool:
    """Return whether this system can download and unpack Debian packages."""
    return bool(shutil.which("apt-get") and shutil.which("dpkg-deb"))


def debian_package(directory: Path, package: str) -> Path | None:
    """Return the directory into which a package was unpacked before, or None."""
    return complete(directory, f"deb-{package}")


def ensure_debian_package(directory: Path, package: str) -> tuple[Path, bool]:
    """Return the directory into which a package was unpacked and whether that happened now. Raises ToolError."""

    def build(target: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="deb-", dir=directory) as folder:
            _download(package, Path(folder), directory / "apt")
            found = sorted(Path(folder).glob("*.deb"))
            if not found:
                raise ToolError(f"Package {package}: apt-get downloaded no file. Install {package} and put it on PATH.")
            run(["dpkg-deb", "-x", str(found[0]), str(target)], f"Package {package}", f"Install {package} and put it on PATH")

    return entry(directory, f"deb-{package}", build)


def _download(package: str, folder: Path, private: Path) -> None:
    """Download with the package lists of the system, or, where they are missing or old, with our own lists (which needs no root)."""
    what = f"Package {package}"
    remedy = f"Check the connection to the package mirror, or install {package} and put it on PATH"
    try:
        run(["apt-get", "-q", "download", package], what, remedy, chdir=folder)
        return
    except ToolError:
        for part in ("state/lists/partial", "cache/archives/partial"):
            (private / part).mkdir(parents=True, exist_ok=True)
    options = ["-q", "-o", f"Dir::State={private}/state", "-o", f"Dir::Cache={private}/cache", "-o", "APT::Sandbox::User="]
    options += ["-o", "Dir::State::status=/var/lib/dpkg/status"]
    run(["apt-get", *options, "update"], what, remedy)
    run(["apt-get", *options, "download", package], what, remedy, chdir=folder)


def ensure_environment(directory: Path, name: str, requirements: str) -> tuple[Path, bool]:
    """Return a virtual environment that holds the requirements (the text of a requirements file) and whether it was built now.

    Raises ToolError.
    """
    wanted = _wanted(requirements)

    def build(target: Path) -> None:
        listed = target / "requirements.txt"
        listed.write_text(wanted + "\n", encoding="utf-8")
        what = f"Environment {name}"
        uv = beside_interpreter("uv") or shutil.which("uv")
        if uv:
            run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(target)], what, INDEX_REMEDY)
        else:
            # uv installs in seconds what takes pip minutes, so it is installed first.
            run([sys.executable, "-m", "venv", str(target)], what, "Install the venv module of this Python")
            run([str(target / "bin/python"), "-m", "pip", "install", "--quiet", "uv"], what, INDEX_REMEDY)
            uv = str(target / "bin/uv")
        run([uv, "pip", "install", "--quiet", "--python", str(target / "bin/python"), "-r", str(listed)], what, INDEX_REMEDY)

    return entry(directory, environment_name(name, requirements), build)


def environment_name(name: str, requirements: str) -> str:
    """Return the name of the cache entry of a virtual environment that holds the requirements."""
    return f"{name}-{key_of(_wanted(requirements), platform.python_version(), platform.machine())}"


def _wanted(requirements: str) -> str:
    """Return the lines of a requirements file that matter."""
    return "\n".join(line.strip() for line in requirements.splitlines() if line.strip() and not line.startswith("#"))


def beside_interpreter(name: str) -> str | None:
    """Return the program of that name in the directory of the running interpreter, or None."""
    return shutil.which(name, path=str(Path(sys.executable).parent))
