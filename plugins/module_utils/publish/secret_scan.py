# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in files before they are published: the values that a run knows, and texts that have the form of a secret.

A finding names its kind and place, never the value. Compressed files are scanned too.
"""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json

# Shorter values occur by chance.
SHORTEST = 8
_BLOCK = 1 << 20
# A match may lie across two blocks; nothing that is searched for is longer (bytes).
_OVERLAP = 1 << 13
_GZIP = b"\x1f\x8b"

# Kind of secret: words one of which every match has (searched in lower case, since that is quick), and the form.
_FORMS: dict[str, tuple[tuple[bytes, ...], re.Pattern[bytes]]] = {
    # https://www.rfc-editor.org/rfc/rfc7519: base64url of '{"', twice, and a signature.
    "a JSON web token": ((b"eyj",), re.compile(rb"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}")),
    # https://www.rfc-editor.org/rfc/rfc7468
    "a private key": ((b"private key-----",), re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")),
    "a URI with a password": ((b"://",), re.compile(rb"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"'<>\\]{0,128}:[^\s/@\"'<>\\]{3,256}@[A-Za-z0-9\[]")),
    "a bearer token in a header": ((b"bearer",), re.compile(rb"(?i)\bbearer[\"']?[ :=]+[\"']?[A-Za-z0-9._~+/-]{16,}")),
    "a password in a header": ((b"basic",), re.compile(rb"(?i)\bauthorization[\"']?\s*[:=]\s*[\"']?basic\s+[A-Za-z0-9+/]{8,}")),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    "an AWS access key": ((b"akia", b"asia"), re.compile(rb"(?<![A-Za-z0-9/+])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9/+])")),
    # OpenShift's OAuth server.
    "an OpenShift token": ((b"sha256~",), re.compile(rb"\bsha256~[A-Za-z0-9_-]{40,}")),
    "a GitHub token": (
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})"),
    ),
    "a password in a field": (
        (b"password", b"passwd", b"secret", b"api_key", b"api-key", b"apikey"),
        re.compile(
            rb"(?i)(?:password|passwd|secret[_-]?key|client[_-]?secret|api[_-]?key)[\"']?\s*[:=]\s*(?:\"(?!\{\{)[^\"\s]{6,}\"|'(?!\{\{)[^'\s]{6,}')"
        ),
    ),
}

# Environment variables that hold a secret, or (with _FILE) the path of one.
_NAMES = re.compile(r"(TOKEN|PASSWORD|PASSWD|SECRET|SECRET_KEY|API_KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS)$")
_FILES = re.compile(r"(TOKEN|PASSWORD|SECRET|KEY|DSN|CREDENTIALS)_FILE$")
# Fields of target.json that name a file with a secret.
_FIELDS = ("token_file", "token_map_file", "dsn_file", "password_file")
# Private files beside those.
_PRIVATE = re.compile(r"token|secret|password|dsn|\.key$", re.IGNORECASE)
_KUBECONFIG = re.compile(r"^\s*(?:token|password|client-key-data):\s*[\"']?([^\s\"']+)", re.MULTILINE)
_LARGEST = 1 << 20


class Scanner:
    """Finds secrets in files. Reuse it: it prepares the known values once."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        """`known` are secret values in plain text; they are also found in base64, in URLs and in JSON."""
        forms = {form for value in known if len(value) >= SHORTEST for form in _written(value)}
        self._known = re.compile(b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))) if forms else None

    def file(self, path: Path) -> str | None:
        """Return what secret a file holds, such as `a JSON web token (line 3)`, or None. Raises OSError."""
        lines = 1
        rest = b""
        for block in _blocks(path):
            text = rest + block
            found = self.text(text)
            if found:
                kind, at = found
                line = lines + text.count(b"\n", 0, at)
                return f"{kind} (line {line})" if _is_text(text) else kind
            cut = max(0, len(text) - _OVERLAP)
            lines += text.count(b"\n", 0, cut)
            rest = text[cut:]
        return None

    def text(self, text: bytes) -> tuple[str, int] | None:
        """Return the kind of the first secret in a text and where it begins, or None."""
        if self._known and (match := self._known.search(text)):
            return "a secret of this run", match.start()
        lowered = text.lower()
        for kind, (words, form) in _FORMS.items():
            if any(word in lowered for word in words) and (match := form.search(text)):
                return kind, match.start()
        return None


def _written(value: str) -> set[bytes]:
    """Return how a value may be written: as it is, in JSON, in a URL, in base64."""
    plain = value.encode()
    encoded = base64.b64encode(plain).rstrip(b"=")
    # The last character depends on what follows.
    return {plain, json.dumps(value)[1:-1].encode(), quote(value, safe="").encode(), encoded[:-1] if len(encoded) > SHORTEST else encoded}


def _is_text(data: bytes) -> bool:
    return b"\0" not in data[:4096]


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield the content of a file in blocks; of a compressed one what it holds."""
    with path.open("rb") as stream:
        packed = stream.read(2) == _GZIP
        stream.seek(0)
        raw = iter(lambda: stream.read(_BLOCK), b"")
        yield from _unpacked(raw) if packed else raw


def _unpacked(raw: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what compressed blocks hold: of one that is cut as far as it goes, of what is no archive after all the bytes themselves."""
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for block in raw:
        waiting = block
        while waiting:
            try:
                yield member.decompress(waiting, _BLOCK)
            except zlib.error:
                yield waiting
                yield from raw
                return
            waiting = member.unconsumed_tail
            if member.eof:
                waiting = member.unused_data
                member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    yield member.flush()


def secrets_of_run(directory: Path | str, environment: Mapping[str, str] | None = None) -> set[str]:
    """Return every secret value that the run of a directory and the environment (ours unless given) may know; unreadable files are left out."""
    environment = os.environ if environment is None else environment
    named = [Path(path) for path in _named(_target(Path(directory) / "target.json"))]
    named += [Path(value) for name, value in environment.items() if _FILES.search(name) and value]
    beside = {file for folder in {path.parent for path in named} for file in _private_files(folder)}
    values = {value for file in {*named, *beside} for value in in_file(file)}
    # Not Path.is_file(): of a token that is too long for a name it raises an error, with the token in it.
    values |= {value.strip() for name, value in environment.items() if _NAMES.search(name) and not os.path.isfile(value)}
    for variable in ("KUBECONFIG", "K8S_AUTH_KUBECONFIG"):
        for path in environment.get(variable, "").split(os.pathsep):
            values |= set(_KUBECONFIG.findall(_text(Path(path)))) if path else set()
    return {value for value in values if value}


def in_file(path: Path) -> Iterator[str]:
    """Yield the secrets that a private file holds: its only line, the texts of a JSON document, the password of a URI."""
    text = _text(path).strip()
    if not text:
        return
    try:
        values = list(_texts(json.loads(text)))
    except ValueError:
        values = [text] if "\n" not in text else []
    for value in values:
        yield value
        if "://" in value:
            yield from _passwords(value)


def _passwords(uri: str) -> Iterator[str]:
    try:
        password = urlsplit(uri).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, (dict, list)):
        for value in document.values() if isinstance(document, dict) else document:
            yield from _texts(value)


def _named(document: Any) -> Iterator[str]:
    """Yield the paths of private files that a document names, at any depth."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key in _FIELDS and isinstance(value, str) and value:
                yield value
            else:
                yield from _named(value)


def _target(path: Path) -> Any:
    try:
        return read_json(path) if path.exists() else {}
    except ValueError:
        return {}


def _private_files(folder: Path) -> Iterable[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file() and _PRIVATE.search(path.name) and not path.stat().st_mode & 0o077]
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.stat().st_size <= _LARGEST else ""
    except (OSError, UnicodeDecodeError):
        return ""
