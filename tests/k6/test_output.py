# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What k6 of every supported version writes is read: samples, summary, window, errors."""

from __future__ import annotations

import re

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.log import last_error, window_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from fakes.k6_configs import load_config
from fakes.simulated_mlflow import failing, simulated_url
from programs.k6 import LOAD, run_k6

WINDOW_S = 3


@pytest.fixture(name="ended", scope="module")
def fixture_ended(each_k6, tmp_path_factory):
    """A short load at a simulation that fails every fifth request of one operation."""
    directory = tmp_path_factory.mktemp("output")
    with simulated_url(faults=[failing(503, operations=["search_runs"], every=5)]) as url:
        config = load_config(url, window_s=WINDOW_S, think_time_s=0.05, profile={"kind": "closed", "concurrency": 10}, training_share=0.5)
        return run_k6(each_k6, LOAD, directory, config=config, samples=True)


@pytest.fixture(name="built", scope="module")
def fixture_built(ended):
    return build_result(Attempt(ended.directory, ended.directory / "kept", exit_code=ended.code))["result"]


def test_every_request_is_a_sample(ended, built):
    requests = [row for row in ended.rows() if row["metric_name"] == "http_req_duration"]
    assert built["samples"]["rows"] == len(requests) > 100
    assert built["partial_reason"] is None
    assert [text for text in built["warnings"] if "fewer than 5 samples" not in text] == []


def test_failures_are_counted_by_their_status(built):
    failed = built["operations"]["search_runs"]["failed_by"]
    assert set(failed) == {"http_503"}
    assert built["total"]["failed"] == failed["http_503"] > 0


def test_the_window_is_the_planned_one(ended, built):
    assert built["window"]["end"] - built["window"]["start"] == pytest.approx(WINDOW_S)
    assert window_line(ended.directory / "k6.log")["perfscale"] == "window"


def test_journeys_and_virtual_users_are_counted(built):
    assert all(journey["started"] > 0 for journey in built["journeys"].values())
    # One more writes the heartbeat.
    assert built["generator"]["vus_max"] == 10 + 1


def test_the_last_error_is_named(each_k6, tmp_path):
    ended = run_k6(each_k6, LOAD, tmp_path, config=load_config("http://127.0.0.1:9", profile={"kind": "spike"}), samples=True, timeout=30)
    assert "Use one of: closed, open." in last_error(tmp_path / "k6.log")
    with pytest.raises(K6ResultError, match=re.escape("k6 ended with exit code 107 (the script threw an exception). Its last error:")):
        build_result(Attempt(tmp_path, tmp_path / "kept", exit_code=ended.code))
