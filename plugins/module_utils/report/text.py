# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and times as people read them."""

from __future__ import annotations

import datetime
import math
from typing import Any

NONE = "–"
_THIN_SPACE = "\u202f"


def is_known(value: Any) -> bool:
    """Return whether a value of a frame is there: not None, NaN or pandas' NA, which cannot be compared."""
    return value is not None and str(value) not in ("<NA>", "nan")


def number(value: float | None) -> str:
    """Return three significant digits, no exponent: 0.482, 7.12, 86.3, 1 240; a dash for what is missing."""
    if value is None or math.isnan(value):
        return NONE
    if value == 0:
        return "0"
    if abs(value) >= 999.5:
        return f"{value:,.0f}".replace(",", _THIN_SPACE)
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 4)}f}"


def count(value: Any) -> str:
    """Return a whole number with thin spaces; a dash for what is missing (None, NaN, pandas' NA)."""
    if not is_known(value):
        return NONE
    return f"{int(value):,}".replace(",", _THIN_SPACE)


def percent(value: float) -> str:
    """Return a number of percent."""
    return f"{number(value)} %"


def time_text(stamp: float | None) -> str:
    """Return epoch seconds as UTC."""
    if not stamp:
        return NONE
    try:
        return datetime.datetime.fromtimestamp(stamp, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        # A time beyond the years 1 to 9999.
        return NONE


def flat(document: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return a nested dictionary as (dotted key, text) pairs; the dictionaries of a list are numbered from 1, and what is not known is a dash."""
    rows: list[tuple[str, str]] = []
    for key, value in document.items():
        if isinstance(value, dict) and value:
            rows += flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            rows += [row for position, item in enumerate(value, 1) for row in flat(item, f"{prefix}{key}.{position}.")]
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            rows.append((f"{prefix}{key}", NONE if value is None else text))
    return rows
