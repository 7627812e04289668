# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cause of a limit, from what is programmed to break."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.cause import broken_operation, cause_of, uses_of


def test_one_saturated_worker_is_a_worker_limit_though_the_machine_has_more_cores(record):
    found = cause_of(record(cpu=0.98), record(cpu=0.8))
    assert (found["name"], found["sentence"]) == ("mlflow_cpu", "MLflow's worker is at 98 % of a core")


def test_the_same_cpu_is_no_limit_of_four_workers(record):
    at = record(cpu=0.98)
    at["spec"]["factors"]["workers"] = 4
    assert cause_of(at, None)["name"] == "unexplained"


def test_the_resources_stand_side_by_side(record):
    [row] = [row for row in cause_of(record(cpu=0.98), record(cpu=0.8))["figures"] if row["name"] == "mlflow_cpu"]
    assert (row["used_below"], row["used"], row["available"]) == (0.8, 0.98, 1.0)


def test_a_busy_database_is_named(record):
    at = record()
    at["resources"]["postgresql"]["cpu_cores_mean"] = 3.9
    assert cause_of(at, None)["sentence"] == "CPU of PostgreSQL is at 98 %"


def test_used_up_connections_are_named(record):
    at = record()
    at["resources"]["postgresql"] |= {"connections_max": 97.0, "limits": {"connections": 100.0}}
    assert cause_of(at, None)["sentence"] == "connections of PostgreSQL are at 97 %"


def test_access_reviews_stand_beside_and_are_no_cause(record):
    at, below = record(), record()
    at["resources"]["mlflow"]["access_reviews_per_s"] = 300.0
    below["resources"]["mlflow"]["access_reviews_per_s"] = 120.0
    found = cause_of(at, below)
    [row] = [row for row in found["figures"] if row["name"] == "mlflow_access_reviews"]
    assert (row["used_below"], row["used"], row["share"]) == (120.0, 300.0, None)
    assert found["name"] == "unexplained"


def test_throttling_is_named(record):
    at = record()
    at["resources"]["mlflow"]["throttled_ratio"] = 0.6
    assert cause_of(at, None)["sentence"] == "throttling of MLflow: the CPU limit is reached in 60 % of the periods"


def test_memory_near_its_limit_is_named(record):
    at = record()
    at["resources"]["mlflow"]["limits"] = {"memory_bytes": 5.1e8}
    assert cause_of(at, None)["name"] == "mlflow_memory"


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"generator": {"cpu_share": 0.95, "lateness_ms_p95": 1.0}}, id="its CPU"),
        pytest.param({"offered": {"dropped_share": 0.2, "limited_by": "generator"}}, id="its delay"),
    ],
)
def test_a_saturated_generator_comes_before_the_server(record, more):
    assert cause_of(record(cpu=0.98, **more), None)["name"] == "generator"


def test_an_error_storm_is_named_by_its_causes(record):
    found = cause_of(record(failed=600), None)
    assert (found["name"], found["sentence"]) == ("errors", "20 % of the requests fail (http_500 600)")


def test_a_slow_operation_is_named_where_no_resource_explains_it(record):
    found = cause_of(record(slow="search_prompts"), record())
    assert found["name"] == "operation"
    assert "none of the observed resources explains it; search_prompts takes 20.0 times as long" in found["sentence"]


def test_a_limit_that_no_resource_explains_has_no_cause(record):
    assert cause_of(record(), None)["sentence"] == "none of the observed resources explains it"


def test_without_metrics_it_says_that_nothing_was_measured(record):
    assert cause_of(record(resources={}), None)["name"] == "not_measured"


def test_a_component_without_samples_has_no_figures(record):
    at = record()
    at["resources"]["postgresql"]["status"] = "missing"
    assert not [use for use in uses_of(at) if use.name.startswith("postgresql")]


def test_the_operation_that_stands_out_breaks_first(record):
    assert broken_operation(record(slow="get_run"), record()) == "get_run"


def test_else_the_one_that_grew_most_breaks_first(record):
    at = record(p95=200.0)
    at["operations"]["create_run"]["latency_ms"]["p95"] = 500.0
    assert broken_operation(at, record()) == "create_run"
