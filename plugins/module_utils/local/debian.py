# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages that are downloaded and unpacked into the cache, never installed: no root, no service, no change of the system."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError, run


def available() -> bool:
    """Tells whether this system can download and unpack Debian packages."""
    return bool(shutil.which("apt-get") and shutil.which("dpkg-deb"))


def cached(directory: Path, package: str) -> Path | None:
    """Returns the directory into which a package was unpacked before, or None."""
    return cache.complete(directory, f"deb-{package}")


def ensure(directory: Path, package: str) -> tuple[Path, bool]:
    """Returns the directory into which a package was unpacked and whether that happened now. Raises ToolError."""

    def build(target: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="deb-", dir=directory) as folder:
            _download(package, Path(folder), directory / "apt")
            found = sorted(Path(folder).glob("*.deb"))
            if not found:
                raise ToolError(f"Package {package}: apt-get brought no file. Install {package} and put it on PATH.")
            run(["dpkg-deb", "-x", str(found[0]), str(target)], f"Package {package}", f"Install {package} and put it on PATH")

    return cache.entry(directory, f"deb-{package}", build)


def _download(package: str, folder: Path, private: Path) -> None:
    """Downloads with the lists of the system, or, where they are missing or old, with lists of our own (which needs no root)."""
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
