# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that others wrote (servers, files, names): read as editors save it, and made harmless for terminals, Markdown and spreadsheets."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

# All of C0 and C1 but tab and line feed, line separators, the marks that turn the direction of what follows (CVE-2021-42574), halves of characters,
# which no file takes, and the two that XML has no way to write (https://www.w3.org/TR/xml/#charsets).
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
# What GitHub's Markdown and CommonMark take for markup inside a line; underscores inside of a word are none.
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~$&]|(?<!\w)_|_(?!\w)")
# What begins a block at the beginning of a line.
_BLOCK = re.compile(r"([#+=-])|(\d{1,9})([.)])(?=\s|$)")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# The mark of UTF-32 begins like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def printable(text: str) -> str:
    r"""Return a text in which control characters are visible, ESC as \x1b; tabs and line feeds stay, CR LF becomes LF."""
    return _CONTROL.sub(_visible, text.replace("\r\n", "\n"))


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def printable_parts(value: Any) -> Any:
    """Return a document of JSON with `printable` texts, keys included."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(key) if isinstance(key, str) else key: printable_parts(part) for key, part in value.items()}
    return [printable_parts(part) for part in value] if isinstance(value, list) else value


def one_line(text: str, limit: int | None = None) -> str:
    """Return a text on one line without control characters, cut after `limit` characters."""
    return " ".join(printable(text).split())[:limit]


def markdown(text: str) -> str:
    """Return a text as Markdown that shows it: one line, every mark escaped."""
    escaped = _MARKDOWN.sub(r"\\\g<0>", one_line(text))
    found = _BLOCK.match(escaped)
    if not found:
        return escaped
    return f"\\{escaped}" if found[1] else f"{found[2]}\\{escaped[len(found[2]) :]}"


def markdown_code(text: str) -> str:
    """Return a text as a code span of Markdown, in a table too."""
    shown = one_line(text).replace("|", "\\|")
    if "`" not in shown:
        return f"`{shown}`"
    fence = "`" * (max(len(run) for run in re.findall("`+", shown)) + 1)
    return f"{fence} {shown} {fence}"


def csv_cell(value: Any) -> Any:
    """Return a cell of a CSV file that no spreadsheet runs as a formula: such texts begin with an apostrophe; numbers stay, negative ones too."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if value.startswith(_FORMULA) and not _NUMBER.fullmatch(value) else text


def decode(data: bytes) -> str:
    """Return the text of a file as editors save it: UTF-8, with or without a byte order mark, UTF-16 or UTF-32 with one; lines end with LF.

    Raises UnicodeDecodeError.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def read_text(path: str | Path) -> str:
    """Return the text of a file as `decode` does. Raises OSError and UnicodeDecodeError."""
    return decode(Path(path).read_bytes())
