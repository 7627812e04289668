# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

LIMIT_S = 30.0
POLL_S = 0.02


def wait_until(condition: Callable[[], Any], what: str = "") -> None:
    """Wait until a condition holds, at most 30 s. Raises AssertionError."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {LIMIT_S:g} s in vain: {what}"
        time.sleep(POLL_S)
