# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources from measurements: sums before maxima, instances, limits, and what is missing."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.measurement import Measurement, assign, merge
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import FIELDS, NUMBERS, Entry
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.resources import not_requested, resources
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import ResponseError, Series

SELECTORS = {"mlflow": {"pod": "mlflow-.*"}, "pg": {"pod": "pg-.*"}}


def measurement(field, series, since=0.0, optional=False, component=None, not_finite=(), failed=False):
    """A measurement of {pod: points}; the points of an instant query may be a number."""
    instant = FIELDS[field].instant
    entry = Entry("q", f"metric_{field}", instant, field=field, instance_label="pod", optional=optional, component=component)
    read = [Series({"pod": pod}, [(10.0, points)] if instant else points, list(not_finite)) for pod, points in series.items()]
    return Measurement(entry, "q", assign(entry, read, SELECTORS), since, failed)


def test_the_peak_is_the_maximum_of_the_sum_not_the_sum_of_maxima():
    rates = {"mlflow-0": [(1.0, 3.0), (2.0, 1.0)], "mlflow-1": [(1.0, 1.0), (2.0, 2.5)]}
    found, errors, _warnings = resources(["mlflow"], [measurement("cpu_cores_peak", rates)], 10)
    assert errors == []
    assert found["mlflow"]["cpu_cores_peak"] == 4.0
    assert {name: instance["cpu_cores_peak"] for name, instance in found["mlflow"]["instances"].items()} == {"mlflow-0": 3.0, "mlflow-1": 2.5}


def test_rates_from_before_the_window_do_not_count():
    rates = {"mlflow-0": [(1.0, 9.0), (5.0, 2.0), (6.0, 1.0)]}
    found, _errors, _warnings = resources(["mlflow"], [measurement("cpu_cores_peak", rates, since=5.0)], 10)
    assert found["mlflow"]["cpu_cores_peak"] == 2.0


def test_a_time_stamp_in_milliseconds_is_not_from_before_the_window():
    rates = {"mlflow-0": [(65.199, 2.0)]}
    found, _errors, _warnings = resources(["mlflow"], [measurement("cpu_cores_peak", rates, since=65.2)], 10)
    assert found["mlflow"]["cpu_cores_peak"] == 2.0


def test_a_window_shorter_than_the_rates_range_has_no_peak_with_a_reason():
    sent = [measurement("cpu_cores_mean", {"mlflow-0": 0.5}), measurement("cpu_cores_peak", {"mlflow-0": [(1.0, 9.0), (2.0, 2.0)]}, since=5.0)]
    found, errors, warnings = resources(["mlflow"], sent, 2)
    assert (found["mlflow"]["status"], found["mlflow"]["cpu_cores_mean"], found["mlflow"]["cpu_cores_peak"], errors) == ("ok", 0.5, None, [])
    assert warnings == [
        "Window: holds 2.0 scrapes, too few for cpu_cores_peak, whose rates look back four of them and must not look beyond its start. "
        "Make the window longer, or scrape more often."
    ]


@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        pytest.param("cpu_cores_mean", (0.5, 0.25), {"cpu_cores_mean": 0.75}, id="means add up"),
        pytest.param("restarts", (1.0, 0.0), {"restarts": 1.0}, id="restarts add up"),
        pytest.param("oom_kills", (1.0, 2.0), {"oom_kills": 3.0}, id="kills add up"),
        pytest.param("throttled_ratio", (0.1, 0.4), {"throttled_ratio": 0.4}, id="the worst ratio"),
        pytest.param("coverage", (20.0, 10.0), {"coverage": 0.75}, id="mean coverage"),
        pytest.param("coverage", (21.0, 21.0), {"coverage": 1.0}, id="no more than all"),
        pytest.param("limits.cpu_cores", (1.0, 1.0), {"limits": {"cpu_cores": 2.0}}, id="limits"),
    ],
)
def test_instances_are_combined_into_a_component(field, values, expected):
    found, errors, _warnings = resources(["mlflow"], [measurement(field, {"mlflow-0": values[0], "mlflow-1": values[1]})], 20)
    assert errors == []
    assert {key: found["mlflow"][key] for key in expected} == expected
    assert found["mlflow"]["status"] == "ok"


def test_ranges_fill_several_figures():
    memory = measurement("memory_bytes", {"mlflow-0": [(1.0, 10.0), (2.0, 30.0)]})
    count = measurement("instance_count", {"mlflow-0": [(1.0, 4.0), (2.0, 2.0), (3.0, 3.0)]})
    found, _errors, _warnings = resources(["mlflow"], [memory, count], 10)
    record = found["mlflow"]
    assert (record["memory_bytes_mean"], record["memory_bytes_peak"]) == (20.0, 30.0)
    assert (record["instance_count_min"], record["instance_count_max"], record["instance_count_last"]) == (2.0, 4.0, 3.0)


def test_one_query_serves_several_components():
    found, _errors, _warnings = resources(["mlflow", "pg"], [measurement("cpu_cores_mean", {"mlflow-0": 1.0, "pg-0": 0.25, "other": 9.0})], 10)
    assert (found["mlflow"]["cpu_cores_mean"], found["pg"]["cpu_cores_mean"]) == (1.0, 0.25)
    assert set(found) == {"mlflow", "pg"}


def test_a_missing_component_is_missing_and_an_error():
    found, errors, _warnings = resources(["mlflow", "pg"], [measurement("cpu_cores_mean", {"mlflow-0": 1.0})], 10)
    assert (found["mlflow"]["status"], found["pg"]["status"]) == ("ok", "missing")
    assert found["pg"]["cpu_cores_mean"] is None
    assert len(errors) == 1
    assert errors[0].startswith("Metric metric_cpu_cores_mean: has no samples in the window for component pg.")


def test_an_optional_figure_may_be_missing():
    found, errors, warnings = resources(["mlflow"], [measurement("cpu_cores_mean", {"mlflow-0": 1.0}), measurement("restarts", {}, optional=True)], 10)
    assert errors == []
    assert len(warnings) == 1
    assert (found["mlflow"]["status"], found["mlflow"]["restarts"]) == ("ok", None)


def test_what_is_no_number_is_reported():
    _found, errors, _warnings = resources(["mlflow"], [measurement("memory_bytes", {"mlflow-0": []}, not_finite=["NaN"])], 10)
    assert errors[0].startswith("Metric metric_memory_bytes: is NaN, not a number for component mlflow.")


def test_an_entry_that_failed_is_not_reported_twice():
    found, errors, warnings = resources(["mlflow"], [measurement("cpu_cores_mean", {}, failed=True)], 10)
    assert (found["mlflow"]["status"], errors, warnings) == ("missing", [], [])


def test_nothing_at_all_is_missing_even_when_all_is_optional():
    found, _errors, _warnings = resources(["mlflow"], [measurement("restarts", {}, optional=True)], 10)
    assert found["mlflow"]["status"] == "missing"


def test_an_entry_may_name_its_component():
    cluster = measurement("cpu_utilization", {"any": [(1.0, 0.5), (2.0, 0.7)]}, component="cluster")
    found, errors, _warnings = resources([], [cluster], 10)
    assert errors == []
    assert found["cluster"]["cpu_utilization_peak"] == 0.7
    assert found["cluster"]["cpu_utilization_mean"] == pytest.approx(0.6)


def test_low_coverage_is_left_to_the_rules_of_validity():
    found, _errors, warnings = resources(["mlflow"], [measurement("coverage", {"mlflow-0": 5.0})], 20)
    assert (found["mlflow"]["coverage"], warnings) == (0.25, [])


def test_without_questions_nothing_was_requested():
    free = Measurement(Entry("q", "m"), "q", [], 0.0)
    assert resources(["mlflow"], [free], 10) == (not_requested(["mlflow"]), [], [])


def test_not_requested_has_every_key_and_no_number():
    record = not_requested(["mlflow"])["mlflow"]
    assert record == {"status": "not_requested", **dict.fromkeys(NUMBERS), "limits": {}, "instances": {}}


def test_two_series_for_one_place_are_an_error():
    entry = Entry("q", "m", True, field="restarts")
    twins = [Series({"pod": "mlflow-0"}, [(1.0, 1.0)]), Series({"pod": "mlflow-1"}, [(1.0, 1.0)])]
    with pytest.raises(ResponseError, match=r'Metric m: component mlflow has both \{pod="mlflow-0"\} and \{pod="mlflow-1"\}'):
        assign(entry, twins, SELECTORS)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        pytest.param("sum", [(1.0, 1.0), (2.0, 5.0)], id="sum"),
        pytest.param("max", [(1.0, 1.0), (2.0, 3.0)], id="max"),
        pytest.param("mean", [(1.0, 1.0), (2.0, 2.5)], id="mean"),
    ],
)
def test_series_are_merged_where_they_are(how, expected):
    assert merge([[(1.0, 1.0), (2.0, 2.0)], [(2.0, 3.0)]], how) == expected


def pods(field, containers, **keys):
    """A measurement of {(pod, container): value or points}."""
    instant = FIELDS[field].instant
    entry = Entry("q", field, instant, field=field, instance_label="pod", parts_label="container", **keys)
    read = [
        Series({"pod": pod, "container": container}, [(10.0, points)] if instant else points) for (pod, container), points in containers.items()
    ]  # fmt: skip
    return Measurement(entry, "q", assign(entry, read, SELECTORS), 0.0)


@pytest.mark.parametrize(
    ("field", "first", "second"),
    [
        pytest.param("cpu_cores_mean", 0.75, 1.0, id="CPU adds up"),
        pytest.param("throttled_ratio", 0.5, 1.0, id="the worst container"),
        pytest.param("coverage", 0.375, 1.0, id="mean coverage"),
    ],
)
def test_containers_are_combined_into_a_pod(field, first, second):
    found, errors, _warnings = resources(
        ["mlflow"], [pods(field, {("mlflow-0", "a"): 0.5, ("mlflow-0", "b"): 0.25, ("mlflow-1", "a"): 1.0})], 1 if field == "coverage" else 10
    )
    assert errors == []
    assert {name: instance[field] for name, instance in found["mlflow"]["instances"].items()} == {"mlflow-0": first, "mlflow-1": second}


def test_the_same_container_twice_is_an_error():
    entry = Entry("q", "m", True, field="restarts", instance_label="pod", parts_label="container")
    twins = [Series({"pod": "mlflow-0", "container": "a", "id": number}, [(1.0, 1.0)]) for number in ("1", "2")]
    with pytest.raises(ResponseError, match="name the instance_label"):
        assign(entry, twins, SELECTORS)


def test_pods_are_counted_over_the_window_without_gaps_of_the_monitoring():
    memory = pods(
        "memory_bytes",
        {
            ("mlflow-0", "a"): [(1.0, 5.0), (2.0, 5.0)],
            ("mlflow-1", "a"): [(2.0, 5.0), (5.0, 5.0)],
            # Nothing at all was seen at 3; at 4 the other component shows that mlflow was not there.
            ("pg-0", "a"): [(1.0, 1.0), (2.0, 1.0), (4.0, 1.0), (5.0, 1.0)],
        },
    )
    found, _errors, _warnings = resources(["mlflow", "pg"], [memory], 10)
    keys = ("instance_count_min", "instance_count_max", "instance_count_last", "instances_started")
    assert [found["mlflow"][key] for key in keys] == [0.0, 2.0, 1.0, 1.0]
    assert [found["pg"][key] for key in keys] == [1.0, 1.0, 1.0, 0.0]


def test_a_query_that_counts_instances_is_used():
    memory, counted = pods("memory_bytes", {("mlflow-0", "a"): [(1.0, 5.0)]}), measurement("instance_count", {"mlflow-0": [(1.0, 3.0)]})
    found, _errors, _warnings = resources(["mlflow"], [memory, counted], 10)
    assert (found["mlflow"]["instance_count_last"], found["mlflow"]["instances_started"]) == (3.0, None)


def test_traffic_and_requests_have_groups_of_their_own():
    traffic = pods("network.receive_bytes_per_s", {("mlflow-0", ""): [(1.0, 10.0), (2.0, 30.0)]})
    found, errors, _warnings = resources(["mlflow"], [traffic, pods("requests.cpu_cores", {("mlflow-0", "a"): 0.2})], 10)
    assert errors == []
    assert found["mlflow"]["network"] == {"receive_bytes_per_s_mean": 20.0, "receive_bytes_per_s_peak": 30.0}
    assert found["mlflow"]["requests"] == {"cpu_cores": 0.2}
    assert found["mlflow"]["instances"]["mlflow-0"]["network"] == found["mlflow"]["network"]


def test_a_volume_that_pods_share_counts_once():
    entry = Entry("q", "volumes", True, field="volumes.used_bytes", instance_label="claim", parts_label="pod")
    read = [Series({"claim": claim, "pod": pod}, [(1.0, 7.0)]) for claim, pod in (("data", "mlflow-0"), ("data", "mlflow-1"), ("more", "mlflow-1"))]
    found, errors, _warnings = resources(["mlflow"], [Measurement(entry, "q", assign(entry, read, SELECTORS), 0.0)], 10)
    assert errors == []
    assert found["mlflow"]["volumes"] == {"data": {"used_bytes": 7.0}, "more": {"used_bytes": 7.0}}
    assert found["mlflow"]["instances"] == {}


def test_optional_metrics_without_samples_are_named_in_one_sentence():
    some = [
        measurement("cpu_cores_mean", {"mlflow-0": 1.0, "pg-0": 1.0}), measurement("restarts", {}, optional=True),
        measurement("throttled_ratio", {"pg-0": 0.1}, optional=True), measurement("cpu_utilization", {}, optional=True, component="cluster"),
    ]  # fmt: skip
    found, errors, warnings = resources(["mlflow", "pg"], some, 10)
    assert (errors, list(found)) == ([], ["mlflow", "pg"])
    assert warnings == [
        "Optional metrics without samples: metric_restarts, metric_throttled_ratio (mlflow), metric_cpu_utilization (cluster). Their figures are null."
    ]


def test_what_a_target_does_not_have_is_not_missing():
    sent = [measurement("cpu_cores_mean", {"mlflow-0": 1.0}), measurement("connections_max", {}, optional=True, component="postgresql")]
    assert resources(["mlflow"], sent, 10)[2] == []
    warnings = ["Optional metrics without samples: metric_connections_max (postgresql). Their figures are null."]
    assert resources(["mlflow", "postgresql"], sent, 10)[2] == warnings


def test_a_component_of_its_own_is_not_requested_of_the_others():
    sent = [measurement("cpu_utilization", {"any": [(1.0, 0.5)]}, component="cluster"), measurement("cpu_cores_mean", {"mlflow-0": 1.0})]
    found, errors, _warnings = resources(["mlflow"], sent, 10)
    assert (errors, found["cluster"]["status"], found["cluster"]["cpu_cores_mean"]) == ([], "ok", None)


def test_a_window_of_less_than_two_scrapes_is_named_as_the_cause():
    _found, errors, _warnings = resources(["mlflow"], [measurement("cpu_cores_mean", {})], 0.7)
    assert errors[0].startswith("Metric metric_cpu_cores_mean: has no samples in the window, which holds only 0.7 scrapes, for component mlflow.")


def test_as_many_samples_as_fit_in_whole_are_expected():
    found, _errors, warnings = resources(["mlflow"], [measurement("coverage", {"mlflow-0": 2.0})], 2.6)
    assert (found["mlflow"]["coverage"], warnings) == (1.0, [])
