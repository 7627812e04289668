# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets that a run knows: those of the environment, of the files that target.json names, and of the cluster's configuration."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json

# Environment variables that hold a secret, or (with _FILE) the path of one.
_NAMES = re.compile(r"(TOKEN|PASSWORD|PASSWD|SECRET|SECRET_KEY|API_KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS)$")
_FILES = re.compile(r"(TOKEN|PASSWORD|SECRET|KEY|DSN|CREDENTIALS)_FILE$")
# Fields of target.json that name a file with a secret.
_FIELDS = ("token_file", "token_map_file", "dsn_file", "password_file")
# Private files that lie beside those.
_PRIVATE = re.compile(r"token|secret|password|dsn|\.key$", re.IGNORECASE)
_KUBECONFIG = re.compile(r"^\s*(?:token|password|client-key-data):\s*[\"']?([^\s\"']+)", re.MULTILINE)
_LARGEST = 1 << 20


def of_run(directory: Path | str, environment: Mapping[str, str] | None = None) -> set[str]:
    """Returns every secret value that the run of a directory and the environment (ours unless given) may know; what cannot be read is left out."""
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
    """Yields the secrets that a private file holds: its only line, the texts of a JSON document, the password of a URI."""
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
    """Yields the paths of private files that a document names, at any depth."""
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
