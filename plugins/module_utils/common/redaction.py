# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""User information and query tokens of URLs (https://www.rfc-editor.org/rfc/rfc3986, 3.2.1 and 3.4), removed before anything is shown or recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

MASK = "***"
# A URL in a text. Quotes, brackets and a backslash (of JSON) end it.
_URL = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{1,30}:(?:/|\\/){2})([^\s\"'<>\\]+)")
# User information of a text that was meant as a URL, as its name says, and is none: without a scheme, or with a blank in the password. Each part is
# bounded, so that the time grows with the length of a text and not with its square.
_MEANT = re.compile(
    r"""(\b(?:[\w.-]{0,60}[_.-])?ur[li]["']?\s*[:=]\s*["']?)  # the name: url, mlflow_url, uri
    (?!\w[\w+.-]{0,30}://[^\s"']{0,4096}(?:["'\n]|$))         # _URL finds it
    (?:\w{1,30}:?/{0,9})?[^\s"':@]{0,256}:                    # scheme or not, user
    (?!\d{0,9}(?:[\s/,;)]|$))[^"'\n]{0,4096}@                 # password, no port""",
    re.IGNORECASE | re.VERBOSE,
)
# Names of parameters whose value gives access, as OAuth, AWS, Google, Azure and libpq have them.
_QUERY = re.compile(
    r"([?&;#](?:[\w.-]*(?:token|secret|password|passwd|pwd|signature|credential|api[_-]?key|access[_-]?key)|sig|auth|key|code)=)[^&;#\s\"'<>]+", re.IGNORECASE
)
# What a remedy writes where a user fills in their own.
_PLACEHOLDER = re.compile(r"(?:user:password|USER:PASSWORD|\{user\}:\{password\})@")
# What stands behind the colon of host:port, as opposed to user:password.
_PORT = re.compile(r"\d{0,5}(?=[/?#,;)\]]|$)")


def redact_url(url: str) -> str:
    """Return a URL without user information, the values of query tokens masked; a text that is no URL as redact_text returns it."""
    return redact_text(url, "")


def redact_text(text: str, mask: str = f"{MASK}@") -> str:
    """Return a text in which each URL has `mask` instead of its user information, and MASK instead of the values of query tokens."""
    if "@" in text:
        text = _MEANT.sub(lambda match: match[1] + mask, text)
    if ":/" not in text and ":\\/" not in text:
        return text
    return _URL.sub(lambda match: match[1] + _QUERY.sub(rf"\1{MASK}", _redacted(match[2], mask)), text)


def has_user_information(text: str) -> bool:
    """Return whether a text holds a URL with user information."""
    return any(_end_of_user_information(match[2]) for match in _URL.finditer(text))


def user_information_in(document: Any, path: str = "") -> Iterator[str]:
    """Yield the names of the fields of a document, joined by dots, that hold a URL with user information."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            yield from user_information_in(value, f"{path}.{key}" if path else str(key))
    elif isinstance(document, (list, tuple)):
        for number, value in enumerate(document):
            yield from user_information_in(value, f"{path}[{number}]")
    elif isinstance(document, str) and has_user_information(document):
        yield path


def _redacted(rest: str, mask: str) -> str:
    end = _end_of_user_information(rest)
    return f"{mask}{rest[end:]}" if end else rest


def _end_of_user_information(rest: str) -> int:
    """Return where the user information of what follows `scheme://` ends, behind its @, or 0 without any.

    A placeholder is none. A slash in a password ends the authority by the standard, but people write it, and libraries take it.
    """
    if _PLACEHOLDER.match(rest):
        return 0
    authority = re.match(r"[^/?#]*", rest)
    within = authority[0].rfind("@") + 1 if authority else 0
    if within:
        return within
    host, colon, behind = rest.partition(":")
    if not colon or "/" in host or _PORT.match(behind) or "@" not in behind:
        return 0
    return rest.rfind("@") + 1
