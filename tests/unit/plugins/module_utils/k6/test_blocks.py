# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts, failures, rates and latencies of the window."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import (
    block,
    category_blocks,
    failure,
    fairness,
    operation_blocks,
    pools_by_tenant,
    slow_tenants,
    tenant_blocks,
    wrong_answers,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import read_raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import Kind
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import Counted
from fakes.k6_raw_rows import HEADER, request

GOOD = Kind("get_run", "browsing", "tenant-10", 200, "")
BAD = Kind("get_run", "browsing", "tenant-2", 500, "1500")
NO_CONNECTION = Kind("create_run", "training", "tenant-2", 0, "1212")


def pools_of(latencies):
    """Return pools of latencies (1/100 ms) that come in any order."""
    return {kind: Counted.of(values) for kind, values in latencies.items()}


def test_block_counts_every_outcome():
    result = block(pools_of({GOOD: [100 * n for n in range(1, 21)], BAD: [9000, 9100], NO_CONNECTION: [0]}), 10)
    assert {name: result[name] for name in ("n", "ok", "failed", "failed_by", "rate_per_s", "goodput_per_s", "ci95")} == {
        "n": 23,
        "ok": 20,
        "failed": 3,
        "failed_by": {"connection": 1, "http_500": 2},
        "rate_per_s": 2.3,
        "goodput_per_s": 2.0,
        "ci95": {},
    }
    assert result["latency_ms"] == {"mean": pytest.approx(17.0, abs=0.001), "p50": 11.0, "p90": 19.8, "p95": 83.0, "p99": None, "max": 91.0}
    assert result["latency_ok_ms"] == {"mean": 10.5, "p50": 10.5, "p90": 18.1, "p95": 19.05, "p99": None, "max": 20.0}
    assert result["low_n"] == ["p90", "p95"]
    assert result["suppressed"] == {"p99": "n=23: p99 needs n(1-0.99) >= 1"}


def test_successful_requests_have_their_own_limits():
    result = block(pools_of({GOOD: [100] * 12, BAD: [200] * 10}), 1)
    assert result["suppressed"] == {"p99": "n=22: p99 needs n(1-0.99) >= 1", "ok_p95": "n=12: p95 needs n(1-0.95) >= 1"}
    assert result["low_n"] == ["p90", "p95", "ok_p50"]


def test_block_of_nothing():
    result = block({}, 10)
    assert (result["n"], result["rate_per_s"], result["failed_by"]) == (0, 0, {})
    assert set(result["latency_ms"].values()) == {None}
    assert block({}, 0)["rate_per_s"] is None


def test_every_required_operation_is_present_and_others_follow():
    blocks = operation_blocks(pools_of({GOOD: [100], NO_CONNECTION: [0]}), ("search_runs", "get_run"), 10)
    assert {name: entry["n"] for name, entry in blocks.items()} == {"search_runs": 0, "get_run": 1, "create_run": 1}


def test_categories_pool_their_operations():
    blocks = category_blocks(pools_of({GOOD: [100, 300], BAD: [500], NO_CONNECTION: [0]}), 10)
    assert {name: entry["n"] for name, entry in blocks.items()} == {"read": 3, "search": 0, "write": 1}
    assert blocks["read"]["latency_ms"]["mean"] == 3


def test_tenants_come_in_natural_order():
    blocks = tenant_blocks(pools_of({GOOD: [100], BAD: [200], NO_CONNECTION: [0], Kind("x", "", "", 200, ""): [1]}), 10)
    assert {tenant: entry["n"] for tenant, entry in blocks.items()} == {"": 1, "tenant-2": 2, "tenant-10": 1}


def test_only_requests_that_started_in_the_window_count(tmp_path):
    ends = {1_795_000_001_000: 1, 1_795_000_001_001: 1, 1_795_000_001_999: 100, 1_795_000_002_050: 51, 1_795_000_002_051: 51}
    (tmp_path / "raw.csv").write_text(HEADER + "".join(request(end, duration=duration) for end, duration in ends.items()))
    raw = read_raw(tmp_path / "raw.csv", 60_000)
    pools = pools_by_tenant(raw.requests, Window(1_795_000_001_000, 1_795_000_002_000))
    assert {kind: list(latencies) for kind, latencies in pools.items()} == {Kind("", "", "tenant-1", 200, ""): [100, 5100, 10000]}


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        pytest.param(200, "", None, id="200"),
        pytest.param(299, "", None, id="299"),
        pytest.param(302, "", "http_302", id="redirect"),
        pytest.param(200, "1701", "other", id="200 whose body could not be decoded"),
        pytest.param(200, "1050", "timeout", id="200 whose body did not arrive in time"),
        pytest.param(404, "1404", "http_404", id="404"),
        pytest.param(503, "1503", "http_503", id="503"),
        pytest.param(100, "", "http_100", id="100"),
        pytest.param(0, "1050", "timeout", id="timeout"),
        pytest.param(0, "1212", "connection", id="refused"),
        pytest.param(0, "1220", "connection", id="reset"),
        pytest.param(0, "1101", "dns", id="no such host"),
        pytest.param(0, "1310", "tls", id="unknown authority"),
        pytest.param(0, "1000", "other", id="generic"),
        pytest.param(0, "", "other", id="no code"),
    ],
)
def test_failure(status, code, cause):
    assert failure(status, code) == cause


def test_wrong_answers_are_estimated_from_those_that_were_read():
    wrong = {
        GOOD: [100] * 50,
        GOOD._replace(error_code="answer_type"): [100] * 3,
        GOOD._replace(error_code="answer_body"): [100],
        GOOD._replace(operation="create_run", error_code="answer_part"): [100] * 2,
    }
    assert wrong_answers(pools_of(wrong)) == {"seen": 6, "by_kind": {"body": 1, "part": 2, "type": 3}, "estimated": 3 + 20 + 2}


def test_a_wrong_answer_is_a_failure_of_its_own_cause():
    result = block(pools_of({GOOD: [100] * 8, GOOD._replace(error_code="answer_body"): [200] * 2}), 1)
    assert (result["ok"], result["failed_by"]) == (8, {"answer": 2})


def tenants_with(latencies):
    return tenant_blocks(pools_of({GOOD._replace(tenant=tenant): values for tenant, values in latencies.items()}), 10)


def test_the_slowest_tenant_is_named_with_its_ratio():
    found = slow_tenants(tenants_with({"tenant-1": [100] * 40, "tenant-2": [110] * 40, "tenant-3": [1000] * 30, "tenant-4": [9000] * 19}))
    assert found == {
        "judged": 3,
        "worst_p95": {"tenant": "tenant-3", "n": 30, "p95_ms": 10.0},
        "slowest": {"tenant": "tenant-3", "n": 30, "p50_ms": 10.0, "ratio": 9.091},
    }


@pytest.mark.parametrize(("tenants", "judged"), [({"tenant-1": [100] * 40, "tenant-2": [900] * 40}, 2), ({"tenant-1": [100] * 5}, 0)])
def test_few_tenants_are_not_compared(tenants, judged):
    found = slow_tenants(tenants_with(tenants))
    assert (found["judged"], found["slowest"]) == (judged, None)


def test_a_fair_server_is_called_fair_whatever_tenants_were_drawn():
    latencies = {f"tenant-{number}": [100 + number] * (20 + 9 * number) for number in range(10)}
    journeys = {f"tenant-{number}": (2 + number, 2 + number) for number in range(10)}
    found = fairness(tenants_with(latencies), journeys)
    assert found["p95"] > 0.99
    assert found["completed"] == 1
    assert found["worst_to_median"] < 1.1


def test_a_slow_tenant_shows_in_the_index_and_beside_the_median():
    latencies = {f"tenant-{number}": [1000 if number == 3 else 100] * 40 for number in range(10)}
    found = fairness(tenants_with(latencies), {})
    assert found == {"p95": pytest.approx(19**2 / (10 * 109), abs=1e-6), "completed": None, "median_p95_ms": 1.0, "worst_to_median": 10.0}


def test_a_tenant_whose_journeys_fail_shows_in_the_completed_ones():
    found = fairness({}, {"tenant-1": (10, 10), "tenant-2": (10, 0)})
    assert found["completed"] == 0.5


def test_one_tenant_is_not_compared_with_itself():
    assert fairness(tenants_with({"tenant-1": [100] * 40}), {"tenant-1": (5, 5)}) == dict.fromkeys(("p95", "completed", "median_p95_ms", "worst_to_median"))
