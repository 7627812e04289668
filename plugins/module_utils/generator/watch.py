# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching a running load, whatever runs it: one look, how long to pause before the next, how it ended."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol


class Look(NamedTuple):
    """What one look found. `age_s`: how long the load has run, None when nobody could be asked; `note`: what stands in the way of asking."""

    is_running: bool
    age_s: float | None = None
    requests: int = 0
    failures: int = 0
    note: str = ""


class Watch(Protocol):
    """One load of one kind of generator."""

    def look(self, with_progress: bool) -> Look:
        """Looks once; `with_progress` also counts the requests, and failed ones, that were added since the last such look."""

    def pause_s(self, left_s: float | None) -> float:
        """Returns how long to pause before the next look, when `left_s` seconds are left as far as anybody knows."""

    def stop(self) -> None:
        """Stops the load; it gets time to write its summary."""

    def ended(self) -> dict[str, Any] | None:
        """Returns the exit record, or None when there is none."""

    def loss(self) -> tuple[str, bool]:
        """Returns why there is no exit record that counts, as a sentence's end, and whether the same load may be tried again."""
