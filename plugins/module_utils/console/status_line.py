# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last line of a terminal, which is rewritten while something runs."""

from __future__ import annotations

import os
import shutil
from typing import TextIO

_ERASE = "\r\x1b[K"


def is_terminal(stream: TextIO) -> bool:
    """Return whether lines of a stream can be rewritten."""
    try:
        return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    except ValueError:  # closed
        return False


def encodes(stream: TextIO, text: str) -> bool:
    """Return whether a stream can show a text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class StatusLine:
    """One line below everything that was printed; it never scrolls and never stays."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_shown = False

    def width(self) -> int:
        """Return the columns that a text may have: a full line would wrap."""
        return max(1, shutil.get_terminal_size().columns - 1)

    def show(self, text: str) -> None:
        """Replace the line."""
        shown = text.replace("\n", " ")[: self.width()]
        encoding = getattr(self._stream, "encoding", None) or "ascii"
        self._write(_ERASE + shown.encode(encoding, "replace").decode(encoding))
        self._is_shown = True

    def clear(self) -> None:
        """Remove the line, so that something else can be printed there."""
        if self._is_shown:
            self._write(_ERASE)
            self._is_shown = False

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            return
