# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations as k6 and Go write them (`10m`, `1h30m`, `90s`, `500ms`) or as plain seconds."""

from __future__ import annotations

import re
from typing import Any

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(value: Any, name: str = "duration") -> float:
    """Return seconds.

    Accepts a number of seconds (also as text) and a sequence of number and unit (ms, s, m, h, d).
    Raises ValueError with one sentence for anything else, for zero length also when it is text.
    """
    text = str(value).strip().lower()
    if isinstance(value, bool) or not text:
        raise ValueError(_sentence(name, value))
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return float(text)
    if not _WHOLE.fullmatch(text):
        raise ValueError(_sentence(name, value))
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def _sentence(name: str, value: Any) -> str:
    return f"{name} {value!r}: is not a duration. Write seconds or a number with a unit, such as 90s, 10m or 1h30m."


def format_duration(seconds: float) -> str:
    """Return a short text such as `1 h 5 min`, `2 min 10 s` or `45 s`."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"
