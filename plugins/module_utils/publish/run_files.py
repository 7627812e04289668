# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a run are published, and their checksums, computed once for each state of a file."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, file_digest, read_json, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.console.run_directory import LOG
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import RECORDS, Altered, Upload

# What was summed and scanned before, and what record sinks have; never published, as no name with a dot in front is.
STATE = ".publish.json"


class RunFiles:
    """The files of one run directory, with a private memory of their checksums."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self._state = _state_of(self.directory / STATE)
        self._known: dict[str, dict[str, Any]] = self._state.setdefault("files", {})

    def uploads(self, only: Sequence[str], exclude: Sequence[str], inspect: Callable[[Path], str | None]) -> tuple[list[Upload], dict[str, str]]:
        """Returns the files to publish, records last, and what `inspect` finds in which of them ({path: finding}).

        `only` and `exclude` are patterns (`*` also matches slashes); without `only` all files are meant. A file that was inspected without a
        finding is not inspected again until it changes. Raises Altered when a file is written meanwhile.
        """
        chosen, findings = [], {}
        for path in listed(self.directory, only, exclude):
            entry = self._entry(path)
            if not entry.get("clean"):
                finding = inspect(self.directory / path)
                if finding:
                    findings[path] = finding
                entry["clean"] = not finding
            chosen.append(Upload(path, self.directory / path, entry["sha256"], entry["bytes"]))
        return sorted(chosen, key=lambda upload: (_rank(upload.path), upload.path)), findings

    def _entry(self, path: str) -> dict[str, Any]:
        file = self.directory / path
        try:
            stamp = _stamp(file)
            entry = self._known.get(path)
            if entry is None or entry["stamp"] != stamp:
                entry = {"stamp": stamp, **file_digest(file)}
                if _stamp(file) != stamp:
                    raise Altered(path)
                self._known[path] = entry
        except OSError:
            raise Altered(path) from None
        return entry

    def memory(self, sink: str) -> dict[str, Any]:
        """Returns what was remembered about a sink, to be changed in place."""
        return self._state.setdefault("sinks", {}).setdefault(sink, {})

    def remember(self) -> None:
        """Keeps the memory; where that cannot be done everything is summed anew next time."""
        there = set(listed(self.directory, (), ()))
        self._state["files"] = {path: entry for path, entry in self._known.items() if path in there}
        try:
            write_json(self.directory / STATE, self._state, mode=0o600)
        except FileWriteError:
            return


def listed(directory: Path, only: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """Return the paths of the regular files below a directory that are wanted; hidden ones, links and the log of Ansible never are."""
    found = []
    for root, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(root) / name
            if not name.startswith(".") and file.is_file() and not file.is_symlink():
                found.append(file.relative_to(directory).as_posix())
    return [path for path in found if path != LOG and (not only or _matches(path, only)) and not _matches(path, exclude)]


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _rank(path: str) -> int:
    name = path.rsplit("/", 1)[-1]
    return RECORDS.index(name) + 1 if name in RECORDS else 0


def _stamp(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _state_of(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path) if path.exists() else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("schema_version", 1) == 1 else {}
