# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of a load generator that returns the statuses of the test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import Status


class FakeBackend:
    """Returns one status after the other, the last one again and again; `stop_error` is raised by `stop`."""

    def __init__(self, *statuses: Status, stop_error: Exception | None = None) -> None:
        self.statuses = list(statuses)
        self.stop_error = stop_error
        self.is_stopped = False

    def status(self, _attempt: Mapping[str, Any], with_progress: bool) -> Status:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def poll_interval_s(self, _left_s: float | None) -> float:
        return 0.01

    def stop(self, _attempt: Mapping[str, Any]) -> bool:
        if self.stop_error:
            raise self.stop_error
        self.is_stopped = True
        return True
