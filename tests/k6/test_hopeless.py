# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load that cannot hold any more is stopped at once, and one that can is not."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from fakes.k6_configs import load_config
from fakes.simulated_mlflow import simulated_mlflow
from programs.k6 import LOAD, run_k6

LIMITS = {"after_s": 3, "p95_ms": 400, "failed_share": 0.5, "served_share": 0.25}
OPEN = {"profile": {"kind": "open", "rate": 2, "users_max": 40}, "warmup_s": 1, "window_s": 20, "stop_when": LIMITS}


def load(k6, directory, programmed, **config):
    """Return the exit code of k6 and the result of its load."""
    with simulated_mlflow(**programmed) as simulation:
        ended = run_k6(k6, LOAD, directory, config=load_config(simulation.url, **config), samples=True)
    return ended.code, build_result(Attempt(directory=directory, dest=directory, exit_code=ended.code))["result"]


@pytest.mark.parametrize(
    "programmed",
    [
        pytest.param({"latency": {"*": {"constant": 900}}}, id="latency"),
        pytest.param({"faults": [{"kind": "status", "status": 500, "operations": None, "share": 1.0, "every": 0, "between": None}]}, id="failures"),
        pytest.param({"latency": {"*": {"constant": 60}}, "workers": 1}, id="backlog"),
    ],
)
def test_a_hopeless_load_is_stopped_early_and_is_no_partial_one(k6, tmp_path, programmed):
    code, result = load(k6, tmp_path, programmed, **OPEN)
    assert code == 99
    assert result["stopped_after_s"] < 12
    assert (result["partial"], result["warnings"]) == (False, [])


def test_a_load_that_holds_reaches_the_end_of_its_window(k6, tmp_path):
    code, result = load(k6, tmp_path, {"latency": {"*": {"constant": 5}}}, **{**OPEN, "window_s": 5})
    assert (code, result["stopped_after_s"]) == (0, None)
