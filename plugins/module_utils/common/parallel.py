# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounded parallelism: many small tasks that wait for a server, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item], parallelism: int) -> list[Result]:
    """Return function(item) of every item in their order, at most `parallelism` at once.

    The first exception is raised as soon as it is reached; items that have not begun by then are not started.
    """
    pool = ThreadPoolExecutor(max_workers=parallelism)
    try:
        return list(pool.map(function, items))
    finally:
        pool.shutdown(cancel_futures=True)
