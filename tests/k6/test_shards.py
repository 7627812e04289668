# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same load by one k6 and by four that share it, against what a simulated MLflow logged about the same requests."""

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.log import window_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import quantile
from fakes.k6_configs import load_config
from programs.k6 import LOAD, run_k6
from programs.measurement import measure, measure_shards, verdict_of

pytestmark = pytest.mark.alone
SHARDS = 4
SLOW_SHARD, SLOW_WAY, SLOWNESS = 3, "/slow", 3.0
# Long enough that what a busy test machine adds to a request is less than a percent of it.
LATENCY = {"*": {"lognormal": [1200, 0.3]}}
CLOSED = {"profile": {"kind": "closed", "concurrency": 120}, "training_share": 0.5, "think_time_s": 0.1, "warmup_s": 2, "window_s": 15}
OPEN = {
    "profile": {"kind": "open", "rate": 5, "users_max": 40}, "training_share": 0.2, "warmup_s": 0, "window_s": 10, "isolation_per_s": 2,
    "tenants": {"prefix": "tenant-", "count": 20, "choice": {"distribution": "zipf", "exponent": 1}},
}  # fmt: skip


@pytest.fixture(name="alone", scope="module")
def fixture_alone(any_k6, tmp_path_factory):
    """A hundred and twenty VUs of one k6."""
    return measure(any_k6, tmp_path_factory.mktemp("alone"), {"latency": LATENCY}, **CLOSED)


@pytest.fixture(name="shared", scope="module")
def fixture_shared(any_k6, tmp_path_factory):
    """The same load of four k6, and the directory of their attempt."""
    directory = tmp_path_factory.mktemp("shared")
    return measure_shards(any_k6, directory, {"latency": LATENCY}, SHARDS, **CLOSED), directory


@pytest.fixture(name="uneven", scope="module")
def fixture_uneven(any_k6, tmp_path_factory):
    """The same load of four k6, of which one has a slow way to the server."""
    programmed = {"latency": LATENCY, "slow_paths": {SLOW_WAY: SLOWNESS}}
    return measure_shards(any_k6, tmp_path_factory.mktemp("uneven"), programmed, SHARDS, {SLOW_SHARD: SLOW_WAY}, **CLOSED)


@pytest.fixture(name="measured", params=["alone", "shared", "uneven"])
def fixture_measured(request):
    found = request.getfixturevalue(request.param)
    return found[0] if request.param == "shared" else found


def logged(measurement):
    """Return what the server logged about the requests of the window, in milliseconds."""
    window = measurement.result["window"]
    return sorted(request.duration_ms for request in measurement.served if window["start"] * 1000 <= request.start_ms < window["end"] * 1000)


def test_each_request_is_counted(measured):
    served = Counter((request.operation, request.tenant, request.status) for request in measured.served)
    assert Counter((row["operation"], row["tenant"], int(row["status"])) for row in measured.samples) == served


@pytest.mark.parametrize("percent", [50, 95, 99])
def test_percentiles_of_the_pool_are_those_of_the_log(measured, percent):
    assert measured.result["total"]["latency_ms"][f"p{percent}"] == pytest.approx(quantile(logged(measured), percent), rel=0.01)


def test_a_mean_of_the_percentiles_of_shards_is_not(uneven):
    members = uneven.result["shards"]["members"]
    mean = sum(member["p95_ms"] for member in members) / len(members)
    assert abs(mean / quantile(logged(uneven), 95) - 1) > 0.1


def test_rates_are_those_of_the_log(measured):
    window = measured.result["window"]
    rate = len(logged(measured)) / (window["end"] - window["start"])
    assert measured.result["total"]["rate_per_s"] == pytest.approx(rate, rel=0.01)


def test_complete_shards_are_one_complete_load(measured):
    assert (measured.result["partial_reason"], measured.result["samples"]["lost"]) == (None, 0)


def test_the_slow_shard_is_named(uneven):
    assert [text.partition(" had ")[0] for text in uneven.result["shards"]["deviations"]] == [f"shard {SLOW_SHARD}"]


def test_shards_that_are_alike_are_not_named(shared):
    assert shared[0].result["shards"]["deviations"] == []


def test_a_verdict_names_the_slow_shard(uneven):
    assert [warning for warning in verdict_of(uneven)["warnings"] if warning.startswith(f"shard_deviation: shard {SLOW_SHARD} had ")]


def test_all_shards_plan_the_same_window(shared):
    windows = [window_line(shared[1] / "shards" / str(number) / "k6.log") for number in range(1, SHARDS + 1)]
    assert windows == [windows[0]] * SHARDS


def test_each_shard_has_its_part_of_the_virtual_users(shared):
    # Thirty of the load and the heartbeat.
    assert [member["vus_max"] for member in shared[0].result["shards"]["members"]] == [31] * SHARDS


def test_each_shard_measures_its_scheduling_delay(shared):
    assert all(member["lateness_ms_p99"] is not None for member in shared[0].result["shards"]["members"])


@pytest.fixture(name="open_loads", scope="module")
def fixture_open_loads(any_k6, tmp_path_factory):
    """An open load with the trickle of isolation requests, of one k6 and of four."""
    programmed = {"latency": {"*": {"constant": 5}}, "apart": "kept"}
    one = measure(any_k6, tmp_path_factory.mktemp("one"), programmed, **OPEN)
    return one, measure_shards(any_k6, tmp_path_factory.mktemp("four"), programmed, SHARDS, **OPEN)


def choices_of(measurement):
    """Return how often each tenant was chosen for a journey: the first requests of both journeys."""
    first = ("create_experiment", "list_workspaces")
    return Counter((row["operation"], row["tenant"]) for row in measurement.samples if row["operation"] in first)


def test_shards_choose_together_what_one_generator_chooses(open_loads):
    one, four = map(choices_of, open_loads)
    # At the end of the window one journey more or less may start.
    assert ((one - four) + (four - one)).total() <= 2


def test_the_rate_stays_whole(open_loads):
    one, four = (sum(journey["started"] for journey in load.result["journeys"].values()) for load in open_loads)
    assert abs(one - four) <= 2


def test_the_trickle_of_isolation_requests_stays_whole(open_loads):
    # Two requests of each pair ask for another tenant's objects.
    one, four = (load.result["isolation"]["n"] / 2 for load in open_loads)
    assert abs(one - four) <= 2


def test_a_load_whose_window_is_over_ends_with_a_sentence(any_k6, tmp_path):
    ended = run_k6(any_k6, LOAD, tmp_path, config=load_config("http://127.0.0.1:9", start_at=1000.5))
    assert "start_at 1000.5: the window is over. Start the load earlier" in ended.log
