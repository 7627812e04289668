# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How evenly tenants are served: Jain's index (Jain, Chiu, Hawe, A quantitative measure of fairness, DEC-TR-301, 1984)."""

from __future__ import annotations

import math
from collections.abc import Sequence


def jain_index(values: Sequence[float]) -> float | None:
    """Return (sum x)^2 / (n sum x^2) of values from 0 up: 1 where all are equal, 1/n where one has everything; None without any above 0."""
    squares = math.fsum(value * value for value in values)
    return math.fsum(values) ** 2 / (len(values) * squares) if squares > 0 else None
