# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measured time of a collection, and how long to wait until a monitoring system has seen all of it."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from typing import Any

# A clock of this machine read twice may step a little; more than this is a window that is not over.
_CLOCK_SLACK_S = 1.0


class WindowError(ValueError):
    """A window that cannot be measured; the text is one sentence."""


@dataclass(frozen=True)
class Window:
    """A closed interval of epoch seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.end - self.start


def parse_time(value: Any, name: str) -> float:
    """Return epoch seconds.

    Accepts epoch seconds (number or text), ISO 8601 (with `T` or a space, with or without zone; `Z` too).
    A time without a zone is local time of this machine, as `date` reads it. Raises WindowError.
    """
    text = str(value).strip()
    if not isinstance(value, bool):
        try:
            number = float(text)
            if math.isfinite(number) and number > 0:
                return number
        except ValueError:
            pass
        try:
            return datetime.datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError):
            pass
    raise WindowError(f"Window {name} {value!r}: not a time. Write epoch seconds, 2026-11-23T18:11:36Z, or '2026-11-23 18:11:36' (local time).")


def parse_window(start: Any, end: Any, now: float) -> Window:
    """Return the window between two times. Raises WindowError when it is empty, reversed, or not over at `now`."""
    window = Window(parse_time(start, "start"), parse_time(end, "end"))
    if window.seconds <= 0:
        raise WindowError(f"Window {start} to {end}: ends before it starts, or is empty. Give an end that is later than the start.")
    if window.end > now + _CLOCK_SLACK_S:
        raise WindowError(
            f"Window {start} to {end}: ends {window.end - now:.0f} s in the future. Collect a window after it is over, or check the clock of this machine."
        )
    return window


def remaining_wait(window: Window, wait_after: float, now: float) -> float:
    """Return the seconds (0 or more) left until `wait_after` seconds have passed since the end of the window."""
    return max(0.0, window.end + wait_after - now)
