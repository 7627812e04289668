# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of a load against what a simulated MLflow logged about the same requests."""

from __future__ import annotations

import math
from collections import Counter
from itertools import chain

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import BODILESS, OPERATIONS, READ, READ_SHARE
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import quantile
from fakes.simulated_mlflow import fault
from programs.measurement import measure

pytestmark = pytest.mark.alone
JSON_OPERATIONS = [name for name in OPERATIONS if name not in ("log_artifact", "fetch_artifact")]

# Long enough that what a busy test machine adds to a request is little beside it.
LATENCY = {
    "*": {"lognormal": [200, 0.5]},
    "create_run": {"constant": 300},
    "search_runs": {"bimodal": [150, 600, 0.2]},
    "search_prompts": {"pareto": [200, 2.5]},
}


@pytest.fixture(name="healthy", scope="module")
def fixture_healthy(any_k6, tmp_path_factory):
    """Twenty VUs of both journeys on a server whose latencies are programmed by operation."""
    shape = {"profile": {"kind": "closed", "concurrency": 20}, "training_share": 0.5, "think_time_s": 0.1, "warmup_s": 2, "window_s": 15}
    return measure(any_k6, tmp_path_factory.mktemp("healthy"), {"latency": LATENCY}, **shape)


def test_each_request_is_counted(healthy):
    served = Counter((request.operation, request.tenant, request.status) for request in healthy.served)
    assert Counter((row["operation"], row["tenant"], int(row["status"])) for row in healthy.samples) == served


def durations_of(measurement):
    """Return what the server logged about the requests of the window, in milliseconds by operation."""
    window = measurement.result["window"]
    by_operation = {}
    for request in measurement.served:
        if window["start"] * 1000 <= request.start_ms < window["end"] * 1000:
            by_operation.setdefault(request.operation, []).append(request.duration_ms)
    return by_operation


def test_the_requests_of_the_window_are_those_that_started_in_it(healthy):
    # A request that the server read a moment after the window's edge was sent before it.
    assert abs(healthy.result["total"]["n"] - sum(map(len, durations_of(healthy).values()))) <= 2


@pytest.mark.parametrize("percent", [50, 95, 99])
def test_percentiles_are_those_of_the_log(healthy, percent):
    logged = quantile(sorted(chain.from_iterable(durations_of(healthy).values())), percent)
    assert healthy.result["total"]["latency_ms"][f"p{percent}"] == pytest.approx(logged, rel=0.03, abs=1)


@pytest.mark.parametrize("operation", ["get_run", "search_runs", "log_parameter"])
def test_medians_of_operations_are_those_of_the_log(healthy, operation):
    logged = quantile(sorted(durations_of(healthy)[operation]), 50)
    assert healthy.result["operations"][operation]["latency_ms"]["p50"] == pytest.approx(logged, rel=0.03, abs=1)


def test_rates_are_those_of_the_log(healthy):
    window = healthy.result["window"]
    logged = sum(map(len, durations_of(healthy).values())) / (window["end"] - window["start"])
    assert healthy.result["total"]["rate_per_s"] == pytest.approx(logged, rel=0.03)


# Distributions that all operations have, with their true mean, P50 and P95 in milliseconds.
PROGRAMMED = (
    ({"lognormal": [200, 0.3]}, (200 * math.exp(0.3**2 / 2), 200, 200 * math.exp(1.64485 * 0.3))),
    ({"lognormal": [200, 0.5]}, (200 * math.exp(0.5**2 / 2), 200, 200 * math.exp(1.64485 * 0.5))),
    ({"lognormal": [150, 0.8]}, (150 * math.exp(0.8**2 / 2), 150, 150 * math.exp(1.64485 * 0.8))),
    ({"bimodal": [150, 500, 0.2]}, (0.8 * 150 + 0.2 * 500, 150, 500)),
    ({"pareto": [150, 3.5]}, (150 * 3.5 / 2.5, 150 * 2 ** (1 / 3.5), 150 * 20 ** (1 / 3.5))),
)
INTERVALS = 60
COVERED = 48
# What the client adds to the latency of the server.
CLIENT_MS = 1.0


@pytest.fixture(name="intervals", scope="module")
def fixture_intervals(any_k6, tmp_path_factory):
    """Return (low, high, programmed value) of each mean, P50 and P95 that a window is long enough for, of five loads side by side."""
    directory = tmp_path_factory.mktemp("programmed")
    shape = {"profile": {"kind": "closed", "concurrency": 40}, "training_share": 0.5, "think_time_s": 0, "warmup_s": 2, "window_s": 16}

    def one(number):
        distribution, truth = PROGRAMMED[number]
        result = measure(any_k6, directory / str(number), {"latency": {"*": distribution}, "seed": number}, **shape).result
        blocks = [result["total"], *result["categories"].values(), *result["operations"].values()]
        known = [(block["ci95"][name], value) for block in blocks for name, value in zip(("mean", "p50", "p95"), truth, strict=True)]
        return [(*interval, value) for interval, value in known if interval is not None]

    return list(chain.from_iterable(in_parallel(one, range(len(PROGRAMMED)), len(PROGRAMMED))))


def test_intervals_cover_what_was_programmed(intervals):
    assert len(intervals) >= INTERVALS
    covered = sum(low - CLIENT_MS <= value <= high + CLIENT_MS for low, high, value in intervals)
    assert covered / len(intervals) >= COVERED / INTERVALS


def test_intervals_are_not_wide_enough_for_any_truth(intervals):
    """Latencies that were longer by a quarter would be noticed."""
    covered = sum(low - CLIENT_MS <= 1.25 * value <= high + CLIENT_MS for low, high, value in intervals)
    assert covered / len(intervals) <= 0.1


@pytest.fixture(name="lying", scope="module")
def fixture_lying(any_k6, tmp_path_factory):
    """A gateway that shows its login page for two of six seconds, and a server that sends half of every tenth response otherwise."""
    faults = [fault("login_page", between=[2, 4]), fault("half_json", every=10, operations=JSON_OPERATIONS)]
    shape = {"profile": {"kind": "closed", "concurrency": 20}, "training_share": 0.5, "think_time_s": 0.1, "warmup_s": 0, "window_s": 6}
    return measure(any_k6, tmp_path_factory.mktemp("lying"), {"latency": {"*": {"constant": 20}}, "faults": faults}, **shape)


def failures_of(measurement, error_code):
    return Counter((row["operation"], row["tenant"]) for row in measurement.samples if row["error_code"] == error_code)


def served_with(measurement, kind):
    return Counter((request.operation, request.tenant) for request in measurement.served if request.fault == kind)


def test_each_login_page_is_a_failed_request(lying):
    pages = served_with(lying, "login_page")
    assert pages.total() > 20
    assert failures_of(lying, "answer_type") == pages


def test_each_half_response_that_a_journey_reads_is_a_failed_request(lying):
    halves = {key: count for key, count in served_with(lying, "half_json").items() if key[0] in READ}
    assert {key: count for key, count in failures_of(lying, "answer_body").items() if key[0] in READ} == halves


def test_of_other_half_responses_a_share_is_seen(lying):
    seen = sum(count for (operation, _tenant), count in failures_of(lying, "answer_body").items() if operation not in READ)
    halves = sum(count for (operation, _tenant), count in served_with(lying, "half_json").items() if operation not in READ)
    # Drawn from a seed, but which requests there are depends on the machine: 1 of 20, within four standard deviations.
    assert abs(seen - halves * READ_SHARE) <= 4 * math.sqrt(halves * READ_SHARE) + 1


def test_a_login_page_is_an_outage(lying):
    assert lying.result["outage_s"] == pytest.approx(2, abs=0.5)


def test_the_causes_are_counted(lying):
    assert lying.result["total"]["failed_by"] == {"answer": lying.result["total"]["failed"]}


def test_journeys_with_wrong_answers_are_not_complete(lying):
    journeys = lying.result["journeys"].values()
    assert sum(journey["failed"] for journey in journeys) >= 20


def test_the_summary_of_k6_counts_them_too(lying):
    metrics = lying.k6.json("summary.json")["data"]["metrics"]
    failed = sum(metrics[f"{operation}_failed"]["values"]["count"] for operation in OPERATIONS)
    assert failed == sum(1 for row in lying.samples if row["error_code"])


def test_the_log_names_what_was_wrong(lying):
    assert "answer with content type text/html; charset=utf-8, expected JSON" in lying.k6.log


@pytest.fixture(name="resetting", scope="module")
def fixture_resetting(any_k6, tmp_path_factory):
    """A server that ends the connection of one in ten requests without a body instead of responding."""
    shape = {"profile": {"kind": "closed", "concurrency": 10}, "training_share": 0.2, "think_time_s": 0.1, "warmup_s": 0, "window_s": 8}
    programmed = {"latency": {"*": {"constant": 30}}, "faults": [fault("reset", share=0.1, operations=sorted(BODILESS))]}
    return measure(any_k6, tmp_path_factory.mktemp("resetting"), programmed, **shape)


def test_each_reset_is_a_failed_request_or_a_silent_repeat(resetting):
    resets = Counter(request.operation for request in resetting.served if request.fault == "reset")
    failed = Counter(row["operation"] for row in resetting.samples if row["status"] == "0")
    assert resets.total() > 20
    found = failed + Counter(resetting.result["silent_repeats"])
    assert not resets - found
    # On a busy machine a few other requests look like a repeat.
    assert (found - resets).total() <= len(resetting.samples) / 500


def test_no_row_is_lost(resetting):
    assert resetting.result["samples"]["lost"] == 0
