# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a running k6 has come, read from the raw file while k6 writes it: only the bytes added since the last look."""

from __future__ import annotations

import os
from typing import NamedTuple

_REQUEST = b"\nhttp_reqs,"
_FAILURE = b"\nhttp_req_failed,"
_BLOCK = 1 << 22


class Progress(NamedTuple):
    """Requests and failures added since `offset` was last taken; pass the new offset next time."""

    requests: int
    failures: int
    offset: int


def read_progress(path: str | os.PathLike[str], offset: int = 0) -> Progress:
    """Count what was added to a plain raw file after `offset` bytes.

    Only whole lines are counted, so that the next call finds the rest; a file that does not exist yet, or that is
    shorter than offset (a new attempt), counts as empty.
    """
    requests = failures = 0
    try:
        with open(path, "rb") as raw:
            if raw.seek(0, os.SEEK_END) < offset:
                offset = 0
            # The newline before the first new line belongs to the markers below.
            raw.seek(max(0, offset - 1))
            rest = b""
            while block := raw.read(_BLOCK):
                lines, newline, rest = (rest + block).rpartition(b"\n")
                requests += lines.count(_REQUEST)
                failures += _failed(lines)
                rest = newline + rest
            return Progress(requests, failures, raw.tell() - max(0, len(rest) - 1))
    except FileNotFoundError:
        return Progress(0, 0, 0)


def _failed(lines: bytes) -> int:
    """Count rows like `http_req_failed,1795474537372,1.000000,…`: the value is the third field."""
    count, at = 0, lines.find(_FAILURE)
    while at >= 0:
        value = lines.find(b",", at + len(_FAILURE)) + 1
        count += lines[value:value + 1] == b"1"
        at = lines.find(_FAILURE, value)
    return count
