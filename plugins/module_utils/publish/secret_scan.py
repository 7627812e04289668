# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in files before they are published: the values that a run knows, and texts that have the form of a secret.

A finding names its kind and place, never the value. Archives and UTF-16 are scanned too.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import hmac
import html
import inspect
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import secret_forms, unpacking
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_forms import Hit, find
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.unpacking import Limits, UnpackError, contents

# Shorter values occur by chance.
SHORTEST = 8
# The kind of a value that the run knows; it can never be allowed.
KNOWN = "a secret of this run"
# A match may span two blocks; no searched text is longer (bytes).
_OVERLAP = 1 << 13

# Environment variables that hold a secret, or (with _FILE) the path of one.
_NAMES = re.compile(r"(TOKEN|PASSWORD|PASSWD|SECRET|SECRET_KEY|API_KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS)$")
_FILES = re.compile(r"(TOKEN|PASSWORD|SECRET|KEY|DSN|CREDENTIALS)_FILE$")
# Environment variables with the URL of a server.
_URLS = ("MLFLOW_URL", "MLFLOW_TRACKING_URI", "PROMETHEUS_URL")
# Fields of target.json that name a file with a secret.
_FIELDS = ("token_file", "token_map_file", "dsn_file", "password_file")
# Private files beside those.
_PRIVATE = re.compile(r"token|secret|password|dsn|\.key$", re.IGNORECASE)
_KUBECONFIG = re.compile(r"(?<![\w-])[\"']?(?:token|password|client-key-data|id-token|refresh-token|access-token)[\"']?\s*:\s*[\"']?([^\s\"',}]+)")
_KUBECONFIG_FILE = re.compile(r"(?<![\w-])[\"']?(?:tokenFile|client-key)[\"']?\s*:\s*[\"']?([^\s\"',}]+)")
# Where Kubernetes mounts the token of a pod, such as an automation controller's job.
_MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_LARGEST = 1 << 20


def rules_digest() -> str:
    """Return a checksum of everything that decides what is found: the sources of the scan, and the version of the library."""
    sources = [inspect.getsource(module) for module in (sys.modules[__name__], secret_forms, unpacking)]
    return hashlib.sha256("\n".join([*sources, version(secret_forms.LIBRARY)]).encode()).hexdigest()


class AllowedError(ValueError):
    """An entry of the allowed findings that cannot be used; the text is one sentence."""


class Finding(NamedTuple):
    """A secret in a file: what it is and where, as (line) or (line of a member of the archive)."""

    kind: str
    line: int | None = None
    member: str = ""

    def __str__(self) -> str:
        """Return the finding for people, such as `a JSON web token (line 3 of log.txt)`."""
        place = " of ".join([f"line {self.line}"] * bool(self.line) + [self.member] * bool(self.member))
        return f"{self.kind} ({place})" if place else self.kind


class Scanner:
    """Finds secrets in files. Reuse it: it prepares the known values once."""

    def __init__(self, known: Iterable[str] = (), allowed: Sequence[Mapping[str, str]] = (), limits: Limits | None = None) -> None:
        """`known` are secret values in plain text; they are also found in base64, in URLs, in JSON and in HTML.

        `allowed` are findings that are none: {path: a pattern of the path in the run, kind}. Raises AllowedError for an entry of another shape.
        """
        self._values = sorted({value for value in known if len(value) >= SHORTEST})
        forms = {form for value in self._values for form in _written(value)}
        self._known = re.compile(b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))) if forms else None
        self._allowed = [_allowed(entry) for entry in allowed]
        self._limits = limits

    def digest(self, key: bytes) -> str:
        """Return a keyed digest of what decides whether a file is clean: the known secrets, the rules, and what is allowed."""
        return hmac.new(key, json.dumps([rules_digest(), self._values, self._allowed]).encode(), hashlib.sha256).hexdigest()

    def findings(self, path: Path, name: str = "") -> list[Finding]:
        """Return the secrets in a file that are not allowed, each kind once for each line; `name` is its path in the run. Raises OSError.

        An archive that cannot be unpacked to its end, or a file that takes too long, is a finding as well.
        """
        found: dict[Finding, None] = {}
        try:
            for member, blocks in contents(path, self._limits):
                for finding in self._in_blocks(member, blocks):
                    found[finding] = None
        except UnpackError as error:
            found[Finding(str(error))] = None
        return [finding for finding in found if not self.is_allowed(finding, name)]

    def is_allowed(self, finding: Finding, name: str) -> bool:
        """Return whether a finding in the file of this path in the run is allowed."""
        return finding.kind != KNOWN and any(finding.kind == kind and fnmatch.fnmatchcase(name, pattern) for pattern, kind in self._allowed)

    def hits(self, text: bytes) -> Iterator[Hit]:
        """Yield the secrets in a text."""
        if self._known:
            for match in self._known.finditer(text):
                yield Hit(KNOWN, match.start(), match[0])
        yield from find(text)

    def _in_blocks(self, member: str, blocks: Iterator[bytes]) -> Iterator[Finding]:
        """Yield the findings of blocks. What begins near the end of a block is judged with the next one, and with some text before it."""
        lines, text, done = 1, b"", 0
        for block in chain(blocks, [None]):
            text += block or b""
            end = len(text) + 1 if block is None else max(done, len(text) - _OVERLAP)
            zeros = text.count(b"\0")
            for hit in self.hits(text):
                if done <= hit.start < end:
                    yield Finding(hit.kind, None if zeros else lines + text.count(b"\n", 0, hit.start), member)
            if zeros:
                # Without its zeros UTF-16 and UTF-32 are ASCII, as far as secrets are; zeros also separate texts, as in /proc/<pid>/environ.
                is_text = zeros * 3 > len(text)
                narrow = text.replace(b"\0", b"")
                for hit in self.hits(narrow):
                    yield Finding(hit.kind, lines + narrow.count(b"\n", 0, hit.start) if is_text else None, member)
            cut = max(0, min(end, len(text)) - _OVERLAP)
            lines += text.count(b"\n", 0, cut)
            text, done = text[cut:], min(end, len(text)) - cut


def _allowed(entry: Mapping[str, str]) -> tuple[str, str]:
    if not isinstance(entry, Mapping) or set(entry) != {"path", "kind"} or not all(isinstance(value, str) and value for value in entry.values()):
        raise AllowedError(f"Allowed finding {entry!r}: not a path and a kind. Write {{path: report/*.html, kind: a cookie}}.")
    if entry["kind"] == KNOWN:
        raise AllowedError(f"Allowed finding {entry['path']}: {KNOWN} can never be allowed. Remove the entry, and the secret from the file.")
    return entry["path"], entry["kind"]


def _written(value: str) -> set[bytes]:
    """Return how a value may be written: as it is, in JSON, HTML and URLs, in base64 at each of its three offsets."""
    in_url = quote(value, safe="")
    texts = (value, json.dumps(value)[1:-1], html.escape(value), in_url, re.sub("%..", lambda part: part[0].lower(), in_url))
    found = {text.encode() for text in texts}
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + value.encode()).rstrip(b"=")
        # The characters at both ends depend on what stands beside the value.
        within = encoded[(0, 2, 3)[offset] : len(encoded) - ((offset + len(value.encode())) % 3 > 0)]
        if len(within) >= SHORTEST:
            found |= {within, within.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def secrets_of_run(directory: Path | str, environment: Mapping[str, str] | None = None) -> set[str]:
    """Return every secret value that the run of a directory and the environment (ours unless given) may know; unreadable files are left out."""
    environment = os.environ if environment is None else environment
    named = [Path(path) for path in _named(_target(Path(directory) / "target.json"))]
    named += [Path(value) for name, value in environment.items() if _FILES.search(name) and value]
    beside = {file for folder in {path.parent for path in named} for file in _private_files(folder)}
    values = {value for file in {*named, *beside} for value in in_file(file)}
    # Not Path.is_file(): of a token that is too long for a name it raises an error, with the token in it.
    given = {value.strip() for name, value in environment.items() if _NAMES.search(name) and not os.path.isfile(value)}
    values |= given | {password for value in given for password in _passwords(value)}
    for path in _kubeconfigs(environment):
        text = _text(path)
        values |= set(_KUBECONFIG.findall(text))
        values |= {value for file in _KUBECONFIG_FILE.findall(text) for value in in_file(path.parent / file)}
    values |= set(in_file(Path(_MOUNTED)))
    for name, value in environment.items():
        if name.lower().endswith("_proxy") or name in _URLS:
            values |= set(_passwords(value))
    return {value for value in values if value}


def secrets_of_connection(options: Mapping[str, Any]) -> set[str]:
    """Return the secrets among the connection options of a module: the API key, passwords, those of a kubeconfig and of the proxy's URL."""
    headers = options.get("proxy_headers") or {}
    values = {options.get("api_key"), options.get("password"), *(value for key, value in headers.items() if key.endswith("auth"))}
    for value in headers.values():
        values |= {str(value).partition(":")[2]}
    kubeconfig = options.get("kubeconfig")
    text = _text(Path(kubeconfig)) if isinstance(kubeconfig, str) else json.dumps(kubeconfig or {})
    values |= {*_KUBECONFIG.findall(text), *_passwords(str(options.get("proxy") or ""))}
    return {value for value in values if isinstance(value, str) and value}


def _kubeconfigs(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the kubeconfigs that the clients of Kubernetes read, the default one included."""
    paths = [path for variable in ("KUBECONFIG", "K8S_AUTH_KUBECONFIG") for path in environment.get(variable, "").split(os.pathsep) if path]
    if environment.get("HOME"):
        paths.append(os.path.join(environment["HOME"], ".kube", "config"))
    yield from (Path(path) for path in paths)


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
        yield from _passwords(value)


def _passwords(text: str) -> Iterator[str]:
    """Yield the password of a URI, as it is and decoded; of user:password and of a line of a password file what is behind a colon."""
    if "://" not in text:
        if ":" in text and not text.startswith("{"):
            yield from {text.partition(":")[2], text.rpartition(":")[2]}
        return
    try:
        password = urlsplit(text).password
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
