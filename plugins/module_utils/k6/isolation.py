# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether tenants are kept apart: what the requests for objects of another tenant were given."""

from __future__ import annotations

from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import Raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import summarize

_EXAMPLES = 3
_HOW = {"by_id": "by id", "by_search": "by search"}


def isolation(raw: Raw, window: Window) -> dict[str, Any] | None:
    """Return {n, answered, p50_ms, p95_ms, leaks, examples} of the requests for objects of another tenant; None where none was sent.

    Latencies are of those that started in the window, leaks of the whole load: one is one too many. `answered` has how many requests asked for the
    other tenant's objects with this tenant's identity and had a response.
    """
    if not raw.aside:
        return None
    asked = [request for request in raw.aside if request.operation != "isolation_own"]
    found = summarize(sorted(request.duration_ms for request in asked if window.phase(request.start_ms) == "window"), (50, 95))["values"]
    leaks = [f"{leak.tenant} was given an object of {leak.other} {_HOW.get(leak.how, leak.how)}" for leak in raw.leaks]
    return {
        "n": len(asked),
        "answered": sum(request.status > 0 for request in asked),
        "p50_ms": found["p50"],
        "p95_ms": found["p95"],
        "leaks": len(leaks),
        "examples": list(dict.fromkeys(leaks))[:_EXAMPLES],
    }
