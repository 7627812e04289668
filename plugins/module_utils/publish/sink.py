# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every place for results can do, and the file on its way there."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.record.atomic import describe

# A file up to this size (bytes) is read once, so that what was scanned and summed is what is sent.
WHOLE = 8 << 20
# How a sink knows that a file arrived as it is.
READ_BACK, DIGEST_TOLD, ACCEPTED = "read back", "digest told by the server", "accepted, not verified"


class SinkError(Exception):
    """A sink refused, filled up or could not be reached; the text is one sentence with cause and remedy."""


class Altered(Exception):
    """A file of the run was written while it was being published; the text is its path."""


class Upload(NamedTuple):
    """A file of the run: its path there (with slashes), where it is, its checksum and its size in bytes."""

    path: str
    file: Path
    sha256: str
    bytes: int

    def read(self) -> bytes:
        """Returns the content. Raises Altered when it is no longer what was summed."""
        try:
            data = self.file.read_bytes()
        except OSError:
            raise Altered(self.path) from None
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise Altered(self.path)
        return data

    def check(self) -> None:
        """Raises Altered when the file is no longer what was summed."""
        try:
            is_same = describe(self.file) == {"sha256": self.sha256, "bytes": self.bytes}
        except OSError:
            is_same = False
        if not is_same:
            raise Altered(self.path)


class Sink(ABC):
    """A place that keeps the files of runs. Keys are paths with slashes, `<run_id>/<path in the run>`."""

    kind = ""
    # Whether runs can be brought back from it.
    keeps_files = True

    def __init__(self, name: str) -> None:
        self.name = name

    def open(self) -> None:  # noqa: B027 - most sinks need no preparation
        """Makes the sink ready, before anything is read or sent. Raises SinkError."""

    @abstractmethod
    def location(self, run_id: str) -> str:
        """Returns where a run lies, for people."""

    @abstractmethod
    def send(self, run_id: str, uploads: Sequence[Upload]) -> list[str]:
        """Sends files and returns how each of them was verified. Raises SinkError and Altered; what arrived before stays."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Writes one small file. Raises SinkError."""

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """Returns one small file, or None when there is none. Raises SinkError."""

    @abstractmethod
    def fetch(self, key: str, destination: Path) -> bool:
        """Writes one file to the controller, and returns whether the sink has it. Raises SinkError and FileWriteError."""

    def close(self, for_good: bool = False) -> None:  # noqa: B027 - most sinks hold nothing
        """Gives back what the sink holds; `for_good` also what waits for the next publication."""

    def error(self, what: str) -> SinkError:
        """Returns the error that names this sink; `what` says what happened and what to do."""
        return SinkError(f"Sink {self.name} ({self.kind}): {what}")


def joined(*parts: str) -> str:
    """Returns parts of a key joined by slashes; empty ones are left out."""
    return "/".join(part.strip("/") for part in parts if part.strip("/"))


def secret_from(variable: str) -> str:
    """Returns a secret from the environment of ansible-playbook, which is also the modules', or an empty text."""
    return os.environ.get(variable, "").strip()
