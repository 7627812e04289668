# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k6.log: the line with the window, and the last error.

k6 writes logfmt (`time=… level=error msg="…"`) or, with --log-format json, one object per line; console.log of a
script is the same with source=console.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_TEXT = r'"(?P<{0}>(?:[^"\\]|\\.)*)"'
_MESSAGE = re.compile(r"\bmsg=(?:" + _TEXT.format("quoted") + r"|(?P<bare>\S+))")
_CAUSE = re.compile(r"\berror=" + _TEXT.format("quoted"))
_SEVERE = re.compile(r'\blevel=(?:error|fatal|panic)\b|"level":"(?:error|fatal|panic)"')
_TAIL_BYTES = 65536
_SHOWN = 300


def window_line(path: Path) -> dict[str, Any] | None:
    """Return the object that the load script logged about its window, or None."""
    if not path.is_file():
        return None
    with path.open("rb") as log:
        for line in log:
            if b"perfscale" in line:
                window = _window(line.decode("utf-8", "replace"))
                if window is not None:
                    return window
    return None


def _window(line: str) -> dict[str, Any] | None:
    text = line[line.index("{"):line.rindex("}") + 1] if "{" in line and "}" in line else ""
    for candidate in (text, _message(line) or ""):
        try:
            found = json.loads(candidate)
        except json.JSONDecodeError:
            continue
        if isinstance(found, dict) and found.get("perfscale") == "window":
            return found
    return None


def last_error(path: Path) -> str | None:
    """Return the text of the last error line (at most 300 characters), or None; a panic counts as one."""
    if not path.is_file():
        return None
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = log.read().decode("utf-8", "replace").splitlines()
    for line in reversed(lines):
        if line.startswith("panic:"):
            return line[:_SHOWN]
        if _SEVERE.search(line):
            return _one_line(_message(line) or line)[:_SHOWN]
    return None


def _one_line(text: str) -> str:
    """Join the lines of a message without the script's stack trace."""
    return " ".join(part.strip() for part in text.splitlines() if not part.lstrip().startswith("at ")).strip()


def _message(line: str) -> str | None:
    if line.startswith("{"):
        try:
            return str(json.loads(line).get("msg"))
        except json.JSONDecodeError:
            return None
    match = _MESSAGE.search(line)
    if not match:
        return None
    cause = _CAUSE.search(line)
    text = match["bare"] or _unquote(match["quoted"])
    return f"{text}: {_unquote(cause['quoted'])}" if cause else text


def _unquote(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except json.JSONDecodeError:
        return text
