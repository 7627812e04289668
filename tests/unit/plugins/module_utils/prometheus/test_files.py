# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a collection."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.files import documents, series_csv, summary_csv
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.measurement import Measurement, Row
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import Entry
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.resources import blank
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import Series

WINDOW = Window(1795457496.0, 1795457539.0)


def measured(entry, *rows):
    return Measurement(entry, entry.query, [Row(Series(labels, points), component, instance) for labels, points, component, instance in rows], 0.0)


MEMORY = measured(
    Entry("m", "memory", field="memory_bytes", instance_label="pod"),
    ({"pod": "a"}, [(1.0, 10.0), (2.5, 12.0)], "mlflow", "a"),
    ({"pod": "b"}, [(1.0, 1.0)], "mlflow", "b"),
)
REQUESTS = measured(Entry("r", "requests"), ({"status": "200", "__name__": "x"}, [(1.0, 3.5)], None, None))
GROUPS = measured(Entry("g", "disk", component_label="group"), ({"group": "mlflow"}, [(1.0, 7.0)], "mlflow", None))
INSTANT = measured(Entry("i", "restarts", instant=True), ({}, [(1.0, 3.5)], None, None))


def test_series_have_instances_totals_and_labels():
    assert series_csv([MEMORY, REQUESTS, GROUPS, INSTANT]).splitlines() == [
        "timestamp,metric,component,instance,value",
        "1,memory,mlflow,a,10.0",
        "2.5,memory,mlflow,a,12.0",
        "1,memory,mlflow,b,1.0",
        "1,memory,mlflow,,11.0",
        "2.5,memory,mlflow,,12.0",
        "1,requests,,status=200,3.5",
        "1,disk,mlflow,,7.0",
    ]


def test_the_summary_has_the_former_format():
    mlflow = {
        **blank("ok"),
        "cpu_cores_mean": 0.75,
        "cpu_cores_peak": 1.5,
        "memory_bytes_mean": 620838400.0,
        "memory_bytes_peak": 633032704.5,
        "instance_count_last": 4.0,
    }
    cluster = {**blank("ok"), "cpu_utilization_mean": 0.5, "cpu_utilization_peak": None}
    count = measured(Entry("c", "pod_count", field="instance_count"))
    text = summary_csv({"mlflow": mlflow, "k6_benchmark": blank("missing"), "cluster": cluster}, [count], {"Test ID": "1\n2"}, WINDOW, WINDOW.end)
    lines = text.splitlines()
    assert [line.partition(":")[0] for line in lines[:5]] == ["# Generated", "# Test ID", "# Test Duration", "# Test Start", "# Test End"]
    assert lines[1:3] == ["# Test ID: 1 2", "# Test Duration: 43s"]
    assert lines[5:] == [
        "component,metric,aggregation,unit,value",
        "mlflow,cpu,avg,cores,0.75",
        "mlflow,cpu,max,cores,1.5",
        "mlflow,memory,avg,bytes,620838400",
        "mlflow,memory,max,bytes,633032704.5",
        "mlflow,pod_count,current,count,4",
        "k6_benchmark,cpu,avg,cores,N/A",
        "k6_benchmark,cpu,max,cores,N/A",
        "k6_benchmark,memory,avg,bytes,N/A",
        "k6_benchmark,memory,max,bytes,N/A",
        "cluster,cpu_utilization,avg,percent,50",
        "cluster,cpu_utilization,max,percent,N/A",
    ]


def test_documents_are_those_of_kube_burner():
    both = measured(Entry("count(x)", "pods", instant=True, capture_start=True), ({"a": "b"}, [(WINDOW.start, 1.0), (WINDOW.end, 2.0)], None, None))
    assert documents([both], WINDOW, "u") == [
        {"timestamp": "2026-11-23T18:11:36Z", "labels": {"a": "b"}, "value": 1.0, "uuid": "u", "query": "count(x)", "metricName": "pods-start"},
        {"timestamp": "2026-11-23T18:12:19Z", "labels": {"a": "b"}, "value": 2.0, "uuid": "u", "query": "count(x)", "metricName": "pods"},
    ]


@pytest.mark.parametrize("count", [0, 3])
def test_documents_are_one_per_point(count):
    assert len(documents([measured(Entry("q", "m"), ({}, [(float(second), 1.0) for second in range(count)], None, None))], WINDOW, "")) == count
