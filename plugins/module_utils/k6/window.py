# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measured window of a load: where it comes from, and which phase a request belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError

PHASES = ("warmup", "window", "tail")


@dataclass(frozen=True)
class Window:
    """Warm-up, window and graceful stop (phase `tail`) of a load; a request belongs to the phase in which it started.

    start_ms and end_ms are epoch milliseconds, the end exclusive; users maps a journey to the virtual users that run it,
    where the load script logs them.
    """

    start_ms: float
    end_ms: float
    users: dict[str, int] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end_ms - self.start_ms) / 1000

    def phase(self, start_ms: float) -> str:
        """Name the phase of a request that started then."""
        if start_ms < self.start_ms:
            return "warmup"
        return "window" if start_ms < self.end_ms else "tail"


def find_window(directory: Path, explicit: tuple[float, float] | None, *logged: dict[str, Any] | None) -> Window:
    """Return the first known window: the explicit one (epoch seconds), else the one of k6.log or the summary.

    Raises K6ResultError when none is known, or when it is empty.
    """
    source = next((window for window in logged if window and "start_ms" in window and "end_ms" in window), None)
    users = source.get("users") or {} if source else {}
    if explicit:
        window = Window(explicit[0] * 1000, explicit[1] * 1000, users)
    elif source:
        window = Window(source["start_ms"], source["end_ms"], users)
    else:
        raise K6ResultError(
            f"Window of {directory}: missing in k6.log and in the setup_data of the summary. "
            "Set window_start and window_end, or use a load script that logs its window."
        )
    if window.end_ms <= window.start_ms:
        raise K6ResultError(
            f"Window of {directory}: end {window.end_ms / 1000:.3f} not after its start {window.start_ms / 1000:.3f}. "
            "Set window_end > window_start."
        )
    return window
