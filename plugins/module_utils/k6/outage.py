# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long nothing succeeded. Users whose requests fail make few of them, so a share of failed requests understates an outage."""

from __future__ import annotations

from bisect import bisect_left

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.outcome import failure
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import Raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window


def longest_outage_s(raw: Raw, order: list[int], window: Window) -> float:
    """Returns the seconds of the longest stretch of the window in which requests failed and none succeeded; 0 when none failed.

    It goes from the start of a failed request to the start of the next successful one, or to the end of the window. `order` sorts the requests by
    start.
    """
    is_failed = [failure(kind.status, kind.error_code) is not None for kind in raw.kind_table]
    first, end = (bisect_left(order, edge, key=raw.starts.__getitem__) for edge in (window.start_ms, window.end_ms))
    longest, begun = 0.0, None
    for i in order[first:end]:
        if is_failed[raw.kinds[i]]:
            begun = raw.starts[i] if begun is None else begun
        elif begun is not None:
            longest, begun = max(longest, raw.starts[i] - begun), None
    if begun is not None:
        longest = max(longest, window.end_ms - begun)
    return longest / 1000
