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
from typing import Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest

# A file up to this size (bytes) is read once, so that what was scanned and summed is what is sent.
WHOLE = 8 << 20
# Who reads these finds the files that they name: they come after them, in this order.
RECORDS = ("cell.json", "run.json")
# How a sink knows that a file arrived as it is.
READ_BACK, DIGEST_TOLD, ACCEPTED, COUNTED = "read back", "checksum told by the server", "accepted, not verified", "counted"


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

    @property
    def is_record(self) -> bool:
        """Whether this is a record that names other files, and so has to come after them."""
        return self.path.rsplit("/", 1)[-1] in RECORDS

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
            is_same = file_digest(self.file) == {"sha256": self.sha256, "bytes": self.bytes}
        except OSError:
            is_same = False
        if not is_same:
            raise Altered(self.path)


class Sink(ABC):
    """A place for results."""

    kind = ""

    def __init__(self, name: str) -> None:
        self.name = name

    def open(self) -> None:  # noqa: B027 - most sinks need no preparation
        """Makes the sink ready, before anything is read or sent. Raises SinkError."""

    @abstractmethod
    def reach(self) -> None:
        """Reads something, whatever it is, so that a sink which cannot be used is known. Raises SinkError."""

    @abstractmethod
    def location(self, run_id: str) -> str:
        """Returns where a run lies, for people."""

    def close(self, for_good: bool = False) -> None:  # noqa: B027 - most sinks hold nothing
        """Gives back what the sink holds; `for_good` also what waits for the next publication."""

    def error(self, what: str) -> SinkError:
        """Returns the error that names this sink; `what` says what happened and what to do."""
        return SinkError(f"Sink {self.name} ({self.kind}): {what}")


class FileSink(Sink):
    """A place that keeps the files of runs, so that they can be brought back. Keys are paths with slashes, `<run_id>/<path in the run>`."""

    # False once the place has shown that it takes files and gives none.
    is_readable = True

    def reach(self) -> None:
        self.get("latest")

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


class RecordSink(Sink):
    """A place that takes documents made from the records of a run."""

    @abstractmethod
    def index(self, run_id: str, uploads: Sequence[Upload], memory: dict[str, Any]) -> dict[str, Any]:
        """Sends the documents of the records among the files, and returns {sent, bytes, unchanged, verified}. Raises SinkError and Altered.

        `memory` is kept from one publication to the next, to tell what is new.
        """


def joined(*parts: str) -> str:
    """Returns parts of a key joined by slashes; empty ones are left out."""
    return "/".join(part.strip("/") for part in parts if part.strip("/"))


def secret_from(variable: str) -> str:
    """Returns a secret from the environment of ansible-playbook, which is also the modules', or an empty text."""
    return os.environ.get(variable, "").strip()
