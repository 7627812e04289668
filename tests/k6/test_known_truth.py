# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of a load against what a simulated MLflow logged about the same requests."""

from __future__ import annotations

from collections import Counter

import pytest

from programs.measurement import measure

LATENCY = {
    "*": {"lognormal": [20, 0.5]},
    "create_run": {"constant": 40},
    "search_runs": {"bimodal": [15, 90, 0.2]},
    "search_prompts": {"pareto": [20, 2.5]},
}


@pytest.fixture(name="healthy", scope="module")
def fixture_healthy(any_k6, tmp_path_factory):
    """Ten VUs of both journeys on a server whose latencies are programmed by operation."""
    shape = {"profile": {"kind": "closed", "concurrency": 10}, "training_share": 0.5, "think_time_s": 0.1, "warmup_s": 1, "window_s": 12}
    return measure(any_k6, tmp_path_factory.mktemp("healthy"), {"latency": LATENCY}, **shape)


def test_each_request_is_counted(healthy):
    served = Counter((request.operation, request.tenant, request.status) for request in healthy.served)
    assert Counter((row["operation"], row["tenant"], int(row["status"])) for row in healthy.samples) == served
