# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress: lines with the figures that a bar needs, and the last line of a terminal, where it is drawn."""

from __future__ import annotations

import os
import shutil
from typing import TextIO

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.duration import format_duration

BAR_CELLS = 20
BAR_MINIMUM = 5
_ERASE = "\r\x1b[K"


class ProgressLine(str):
    """A line of progress. Any callback prints it as text; `perfscale.mlflow.summary` draws its figures on a terminal.

    It crosses from the worker of a task to the controller's process, hence a text with attributes and not a message of its own kind.
    """

    label: str = ""
    detail: str = ""
    expected_s: float = 0.0
    left_s: float | None = None
    run_left_s: float = 0.0

    @classmethod
    def of_load(cls, label: str, detail: str, expected_s: float = 0.0, left_s: float | None = None, run_left_s: float = 0.0) -> ProgressLine:
        """Return the line of a load. `left_s` is the time left of `expected_s`, `run_left_s` the load of the run after it; None means unknown."""
        times = ""
        if left_s is not None:
            left_s = max(0.0, left_s)
            times = f"{format_duration(left_s)} left in the cell, {format_duration(left_s + run_left_s)} of load left in the run, "
        line = cls(f"{label}: {times}{detail}")
        line.label, line.detail, line.expected_s, line.left_s, line.run_left_s = label, detail, expected_s, left_s, run_left_s
        return line

    def drawn(self, age_s: float, width: int, filled: str = "#", empty: str = "-") -> str:
        """Return the line as a bar with the time left, at most `width` columns wide, `age_s` seconds after it was created."""
        if self.left_s is None or not self.expected_s:
            return (f"{self.label}: {self.detail}" if self.label else str(self))[:width]
        left = max(0.0, self.left_s - age_s)
        share = min(1.0, max(0.0, 1 - left / self.expected_s))
        head, tail = f"{self.label} ", f" {share:4.0%}, {format_duration(left)} left"
        room = width - len(head) - len(tail) - 2
        if room < BAR_MINIMUM:
            return f"{head.rstrip()}{tail}"[:width]
        cells = min(BAR_CELLS, room)
        done = round(share * cells)
        text = f"{head}[{filled * done}{empty * (cells - done)}]{tail}"
        for more in (f", {format_duration(left + self.run_left_s)} in the run", f", {self.detail}"):
            if len(text) + len(more) <= width:
                text += more
        return text


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
    """One line below everything that was printed; it never scrolls and never remains."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_shown = False

    def width(self) -> int:
        """Return the columns that a text may have: a full line would wrap."""
        return max(1, shutil.get_terminal_size().columns - 1)

    def show(self, text: str) -> None:
        """Replace the line."""
        shown = one_line(text, self.width())
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
