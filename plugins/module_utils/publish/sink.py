# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface of all sinks, and the file that is sent."""

from __future__ import annotations

import builtins
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import redact_text

if TYPE_CHECKING:  # a sink without HTTP loads no HTTP client
    from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import HttpError, Response

# A file up to this size (bytes) is read once, so that what was scanned and summed is what is sent.
WHOLE = 8 << 20
# Records come after the files that they name, in this order, so that their readers find those.
RECORDS = ("cell.json", "run.json")
# How a sink verifies that a file arrived unchanged.
READ_BACK, SERVER_DIGEST, ACCEPTED, COUNTED = "read back", "checksum of the server", "accepted, not verified", "counted"


_REMEDIES = {
    401: "Set or correct the secret in the environment of ansible-playbook (in AWX: in the credential)",
    403: "Give the user of that secret write and read permission there",
    404: "Correct the URL",
    405: "The server does not accept this method; correct the URL, or choose a server that accepts PUT",
    409: "The parent folder may be missing; let the server create folders, or create it",
    413: "Raise the server's limit for the size of a file",
    507: "Free space on the server",
}


class SinkError(Exception):
    """A sink that rejects files, is full or cannot be reached; the text is one sentence with cause and remedy."""


class FileChangedError(Exception):
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

    def read(self) -> builtins.bytes:
        """Return the content. Raises FileChangedError when it is no longer what was summed."""
        try:
            data = self.file.read_bytes()
        except OSError:
            raise FileChangedError(self.path) from None
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise FileChangedError(self.path)
        return data

    def check(self) -> None:
        """Raise FileChangedError when the file is no longer what was summed."""
        try:
            is_same = file_digest(self.file) == {"sha256": self.sha256, "bytes": self.bytes}
        except OSError:
            is_same = False
        if not is_same:
            raise FileChangedError(self.path)


class Sink(ABC):
    """A destination of results."""

    kind = ""

    def __init__(self, name: str) -> None:
        self.name = name

    def open(self) -> None:  # noqa: B027 - most sinks need no preparation
        """Prepare the sink, before anything is read or sent. Raises SinkError."""

    @abstractmethod
    def check_access(self) -> None:
        """Read anything, to detect a sink that cannot be used. Raises SinkError."""

    @abstractmethod
    def location(self, run_id: str) -> str:
        """Return the location of a run, in readable form."""

    def close(self, for_good: bool = False) -> None:  # noqa: B027 - most sinks hold nothing
        """Release the resources of the sink; with `for_good` also those that wait for the next publication."""

    def error(self, what: str) -> SinkError:
        """Return the error that names this sink; `what` is the problem with its remedy, without the user information of proxies that libraries name."""
        return SinkError(redact_text(f"Sink {self.name} ({self.kind}): {what}"))

    def rejected(self, request: str, response: Response) -> SinkError:
        """Return the error for a response that is no success."""
        if response.is_redirect:
            return self.error(f"{request}: status {response.status}, a redirect to {response.redirect_target()}, which is not followed. Give the final URL.")
        remedy = _REMEDIES.get(response.status, "Check the server, then publish again")
        return self.error(f"{request}: status {response.status} ({response.text() or 'no text'}). {remedy}.")

    def unreachable(self, url: str, error: HttpError) -> SinkError:
        """Return the error for a request without a response."""
        server = urlsplit(url).netloc
        if error.kind == "certificate":
            return self.untrusted(server, error.reason)
        return self.error(f"server {server}: no response ({error.reason}). Check address, network and certificate, then publish again.")

    def untrusted(self, server: str, problem: str) -> SinkError:
        """Return the error for a certificate that is not trusted; `problem` is the reason."""
        return self.error(f"certificate of {server}: not trusted ({problem}). Give its CA bundle as ca_file, use a host name of the certificate, or renew it.")


class FileSink(Sink):
    """A sink that stores the files of runs, so that they can be restored. Keys are paths with slashes, `<run_id>/<path in the run>`."""

    # False once the sink has turned out to be write-only.
    is_readable = True

    def check_access(self) -> None:
        self.get("latest")

    @abstractmethod
    def send(self, run_id: str, uploads: Sequence[Upload]) -> list[str]:
        """Send files and return how each of them was verified. Raises SinkError and FileChangedError; files that arrived before remain."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Write one small file. Raises SinkError."""

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """Return one small file, or None when there is none. Raises SinkError."""

    @abstractmethod
    def fetch(self, key: str, destination: Path) -> bool:
        """Write one file to the controller, and return whether the sink has it. Raises SinkError and FileWriteError."""


class RecordSink(Sink):
    """A sink that stores documents created from the records of a run."""

    @abstractmethod
    def index(self, run_id: str, uploads: Sequence[Upload], memory: dict[str, Any]) -> dict[str, Any]:
        """Send the documents of the records among the files, and return {sent, bytes, unchanged, verified}. Raises SinkError and FileChangedError.

        `memory` is stored from one publication to the next, to detect what is new.
        """


def joined(*parts: str) -> str:
    """Return parts of a key joined by slashes; empty ones are left out."""
    return "/".join(part.strip("/") for part in parts if part.strip("/"))


def secret_from(variable: str) -> str:
    """Return a secret from the environment of ansible-playbook, which is also the modules', or an empty text."""
    return os.environ.get(variable, "").strip()
