# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are either complete or absent: atomic writes, checksums, sealed records, and error messages for a full or read-only disk.

A sealed record is a JSON file with its own checksum as its last field: the SHA-256 of the bytes of the file while the digits of the
checksum are zeros. So every byte counts, white space included, and any program can verify it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

_REMEDIES = {
    errno.ENOSPC: "the disk is full. Free space there, or choose another results directory; finished cells stay",
    errno.EDQUOT: "the disk quota is used up. Free space there, or choose another results directory; finished cells stay",
    errno.EROFS: "the file system is read-only. Choose another results directory",
    errno.EACCES: "permission denied. Make the directory writable for this user, or choose another one",
    errno.EPERM: "permission denied. Make the directory writable for this user, or choose another one",
}


CHECKSUM = "checksum"
_NO_DIGEST = "0" * 64
_SEAL = re.compile(rb'(?<="checksum": ")[0-9a-f]{64}(?="\n}\n\Z)')
_ORIGIN = "It is damaged or of another origin; restore it from a copy, remove it, or choose another folder"


class FileWriteError(Exception):
    """A file could not be written; the text is one sentence with cause and remedy."""


def explain(path: Path | str, error: OSError) -> str:
    """Return one sentence for an error of the file system at `path`."""
    remedy = _REMEDIES.get(error.errno or 0, f"{error.strerror or error}. Check the path and the file system")
    return f"File {path}: {remedy}."


def write_atomic(path: Path | str, write: Callable[[IO[bytes]], None], mode: int | None = None) -> None:
    """Write a file through a temporary one in the same directory, synced and renamed.

    `write` gets the binary stream. Without a mode the file gets what the umask leaves of 0666, as any new file; a mode, such as 0600 for a
    secret, is set before anything is written, and a missing directory is created for those who may read the file. Raises FileWriteError; then an
    existing file is unchanged.
    """
    path = Path(path)
    temporary = ""
    try:
        # Who may read the file may search its directory.
        path.parent.mkdir(0o777 if mode is None else mode | (mode & 0o444) >> 2, parents=True, exist_ok=True)
        descriptor, temporary = _create_temporary(path, 0o666 if mode is None else 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            if mode is not None:
                os.fchmod(stream.fileno(), mode)
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise FileWriteError(explain(path, error)) from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def _create_temporary(path: Path, mode: int) -> tuple[int, str]:
    """Return the descriptor and the name of a new file beside `path`. tempfile.mkstemp would not leave the mode to the umask."""
    name = str(path.with_name(f".{path.name}.{secrets.token_hex(8)}"))
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode), name


def write_bytes(path: Path | str, content: bytes, mode: int | None = None) -> None:
    """Write a file with this content atomically."""

    def write(stream: IO[bytes]) -> None:
        stream.write(content)

    write_atomic(path, write, mode)


def write_text(path: Path | str, text: str, mode: int | None = None) -> None:
    """Write a text file atomically as UTF-8."""
    write_bytes(path, text.encode("utf-8"), mode)


def write_json(path: Path | str, document: Any, mode: int | None = None) -> None:
    """Write a JSON file atomically. Raises ValueError for NaN and infinities: they are not JSON."""
    write_text(path, json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n", mode)


def write_sealed(path: Path | str, document: dict[str, Any]) -> None:
    """Write a JSON file with its own checksum as its last field, atomically. Raises FileWriteError, and ValueError for what is not JSON."""
    unsealed = {**{key: value for key, value in document.items() if key != CHECKSUM}, CHECKSUM: _NO_DIGEST}
    blank = (json.dumps(unsealed, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()
    write_bytes(path, _SEAL.sub(hashlib.sha256(blank).hexdigest().encode(), blank))


def read_json(path: Path | str) -> Any:
    """Return the content of a JSON file. Raises ValueError with one sentence when it is absent, truncated or not JSON."""
    return _parsed(path, _content(path))


def read_sealed(path: Path | str) -> Any:
    """Return the content of a JSON file whose checksum, if it has one, is that of its bytes. Raises ValueError with one sentence."""
    data = _content(path)
    document = _parsed(path, data)
    if isinstance(document, dict) and CHECKSUM in document:
        blank, seals = _SEAL.subn(_NO_DIGEST.encode(), data)
        if not seals or hashlib.sha256(blank).hexdigest() != document[CHECKSUM]:
            raise ValueError(f"File {path}: at {CHECKSUM}: does not match the content, which was changed after it was written. {_ORIGIN}.")
    return document


def _content(path: Path | str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"File {path}: cannot be read ({error.strerror}). Check the path.") from error


def _parsed(path: Path | str, data: bytes) -> Any:
    try:
        text = data.decode()
        document = json.loads(text, parse_float=_finite, parse_constant=_finite)
        if "\\u" in text:
            # An escape may be half of a character, which no file can hold.
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ValueError(f"File {path}: is not valid JSON ({error}). {_ORIGIN}.") from error
    return document


def _finite(text: str) -> float:
    """Return a number. Raises ValueError for one that is too large for a float, and for NaN and infinities, which are not JSON."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def file_digest(path: Path | str) -> dict[str, Any]:
    """Return {sha256, bytes} of a file, read in blocks."""
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return {"sha256": digest.hexdigest(), "bytes": size}
