# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""results/latest: a symbolic link to the latest run, or, where the file system has no links, a file with its run id, as sinks have it."""

from __future__ import annotations

import os
import re
import time
import uuid
from contextlib import suppress
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, explain, write_text

NAME = "latest"
_RUN_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\n?")
# A temporary link that is older (seconds) was left by a process that was killed.
_LEFTOVER_S = 60.0


def run_id_of(results: Path) -> str:
    """Return the run that `latest` names, whether or not it is there; an empty text when it names none."""
    path = results / NAME
    if path.is_symlink():
        name = Path(os.readlink(path)).name
        return name if _RUN_ID.fullmatch(name) else ""
    return _content(path)


def point(results: Path, run_id: str) -> str:
    """Let `latest` name a run. Return why it does not, as a sentence, or an empty text. Raises FileWriteError.

    Links and files of ours are replaced, also dangling ones, and an empty directory; anything else of that name stays.
    """
    path = results / NAME
    _remove_leftovers(results)
    if path.is_dir() and not path.is_symlink():
        with suppress(OSError):
            path.rmdir()
    if os.path.lexists(path) and not path.is_symlink() and not (path.is_file() and _content(path)):
        return f"File {path}: is in the way of the link to the latest run, and stays. Move it away, or name runs by run_id."
    temporary = results / f".{NAME}.{uuid.uuid4().hex}"
    try:
        temporary.symlink_to(run_id)
    except OSError:
        # FAT, some network file systems, and Windows have none.
        write_text(path, f"{run_id}\n")
        return ""
    try:
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FileWriteError(explain(path, error)) from error
    return ""


def _content(path: Path) -> str:
    """Return the run id in a file of ours, or an empty text."""
    try:
        with path.open(encoding="ascii") as stream:
            text = stream.read(100)
    except (OSError, ValueError):
        return ""
    return text.strip() if _RUN_ID.fullmatch(text) else ""


def _remove_leftovers(results: Path) -> None:
    for path in results.glob(f".{NAME}.*"):
        with suppress(OSError):
            if path.is_symlink() and time.time() - path.lstat().st_mtime > _LEFTOVER_S:
                path.unlink()
