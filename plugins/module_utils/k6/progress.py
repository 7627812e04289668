# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress of a running k6, read from the raw file while k6 writes it: only the bytes added since the last call."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import NamedTuple

# k6 writes one row http_req_failed per request, whose value is 1 for a failed one, and the load script one for each wrong answer.
_REQUEST = re.compile(rb"\nhttp_req_failed,[^,\n]*,([01])|\n(wrong_answers),")
_BLOCK = 1 << 22


class Progress(NamedTuple):
    """Requests, and failed ones among them, that were added; pass the new offset (bytes) next time."""

    requests: int
    failures: int
    offset: int


def read_progress(path: str | os.PathLike[str], offset: int = 0) -> Progress:
    """Count what was added to a plain raw file after `offset` bytes.

    Only complete lines are counted, so that the next call finds the rest; a file that does not exist yet, or that is
    shorter than offset (a new attempt), counts from its beginning.
    """
    requests = failures = 0
    try:
        with open(path, "rb") as raw:
            if raw.seek(0, os.SEEK_END) < offset:
                offset = 0
            # The newline before the first new line is part of the pattern.
            offset = max(0, offset - 1)
            raw.seek(offset)
            rest = b""
            while block := raw.read(_BLOCK):
                lines, newline, partial = (rest + block).rpartition(b"\n")
                values = Counter(_REQUEST.findall(lines))
                wrong = values.pop((b"", b"wrong_answers"), 0)
                requests += values.total()
                failures += values[b"1", b""] + wrong
                offset += len(lines)
                rest = newline + partial
            return Progress(requests, failures, offset + rest.startswith(b"\n"))
    except FileNotFoundError:
        return Progress(0, 0, 0)
