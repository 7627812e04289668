# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every document that is a good answer but for one part: gone, null, or of another type; and bodies that are no document at all."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

OTHERS: tuple[Any, ...] = (None, True, -1, 1e400, "x\x1b[31m", [], [None], {}, {"a": 1}, [[1]])
NO_DOCUMENTS = (
    b"", b" ", b"null", b"[]", b"0", b'"x"', b"{", b'{"status": "success"', b"<html>Log in</html>", b"\xff\xfe\x00", b"NaN", b"[" * 100_000,
    b'{"status": "success"}', b'{"status": "error"}', b'{"status": "success", "data": null}',
)  # fmt: skip


def paths(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every part of a document, the document itself first."""
    yield path
    items = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    for key, value in items:
        yield from paths(value, (*path, key))


def mutations(document: Any) -> Iterator[bytes]:
    """Yield the bodies."""
    yield from NO_DOCUMENTS
    for path in paths(document):
        for other in OTHERS:
            yield json.dumps(_with(document, path, other)).encode()
        if path:
            changed = copy.deepcopy(document)
            parent = _at(changed, path[:-1])
            del parent[path[-1]]
            yield json.dumps(changed).encode()


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def _with(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(document)
    _at(changed, path[:-1])[path[-1]] = value
    return changed
