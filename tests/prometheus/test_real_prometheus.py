# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a real Prometheus against the truth of the samples that were put into it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.alert_profile import load_alerts
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.alerts import evaluate_alerts
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import Collection, Request, Window, collect
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.files import documents, series_csv
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import load_profile
from ansible_collections.perfscale.mlflow.tests.prometheus.synthetic import PROCESS_WINDOW_S

ROOT = Path(__file__).resolve().parents[2]
BY_POD = "sum by (namespace, pod) ({})"
PODS: list[dict[str, Any]] = [
    {
        "metricName": "cpu_mean",
        "query": BY_POD.format("rate(container_cpu_usage_seconds_total{ {{.selector}} }[{{.elapsed}}])"),
        "instant": True,
        "field": "cpu_cores_mean",
        "instance_label": "pod",
    },
    {
        "metricName": "cpu",
        "query": BY_POD.format("rate(container_cpu_usage_seconds_total{ {{.selector}} }[{{.interval}}])"),
        "field": "cpu_cores_peak",
        "instance_label": "pod",
    },
    {
        "metricName": "memory",
        "query": BY_POD.format("container_memory_working_set_bytes{ {{.selector}} }"),
        "field": "memory_bytes",
        "instance_label": "pod",
    },
    {
        "metricName": "samples",
        "query": "max by (namespace, pod) (count_over_time(container_cpu_usage_seconds_total{ {{.selector}} }[{{.elapsed}}]))",
        "instant": True,
        "field": "coverage",
        "instance_label": "pod",
    },
]


def components(seed: int) -> dict[str, Any]:
    return {"mlflow": {"namespace": f"seed-{seed}", "pod": "mlflow-.*"}}


def ask(real_prometheus: Any, profile: list[dict[str, Any]], seed: int = 0, **changes: Any) -> Collection:
    truth = real_prometheus.truths[seed]
    request = Request(load_profile(profile), components(seed), Window(truth.start, truth.end), 30.0)
    return collect(replace(request, **changes), PrometheusClient(real_prometheus.url), wait_after=30.0)


@pytest.mark.parametrize("seed", range(5))
def test_mean_cpu_is_true_within_one_percent_despite_a_reset_and_a_gap(real_prometheus: Any, seed: int) -> None:
    truth = real_prometheus.truths[seed]
    found = ask(real_prometheus, PODS, seed)
    mlflow = found.resources["mlflow"]
    print(
        f"seed {seed}: mean CPU {mlflow['cpu_cores_mean']:.4f} of {truth.cpu_cores_mean:.4f}, error {mlflow['cpu_cores_mean'] / truth.cpu_cores_mean - 1:+.3%}"
    )
    assert found.errors == []
    assert mlflow["cpu_cores_mean"] == pytest.approx(truth.cpu_cores_mean, rel=0.01)
    for pod, mean in truth.cpu_cores_mean_of.items():
        lost_by_reset = 0.02 if pod == "mlflow-0" else 0
        assert mlflow["instances"][pod]["cpu_cores_mean"] == pytest.approx(mean, rel=0.01 + lost_by_reset)


def test_a_gap_of_two_minutes_lowers_the_coverage(real_prometheus: Any) -> None:
    found = ask(real_prometheus, PODS)
    assert found.resources["mlflow"]["coverage"] == pytest.approx(56 / 60, abs=0.02)


def test_the_peak_is_the_maximum_of_the_sum(real_prometheus: Any) -> None:
    mlflow = ask(real_prometheus, PODS).resources["mlflow"]
    peaks = [instance["cpu_cores_peak"] for instance in mlflow["instances"].values()]
    assert mlflow["cpu_cores_mean"] < mlflow["cpu_cores_peak"] <= sum(peaks)
    assert mlflow["cpu_cores_peak"] > max(peaks)


def test_peak_memory_adds_the_replicas(real_prometheus: Any) -> None:
    mlflow = ask(real_prometheus, PODS).resources["mlflow"]
    assert mlflow["memory_bytes_peak"] == pytest.approx(real_prometheus.truths[0].memory_bytes_peak, rel=0.001)
    assert mlflow["memory_bytes_mean"] < mlflow["memory_bytes_peak"]


def test_a_missing_component_is_an_error_that_names_it(real_prometheus: Any) -> None:
    found = ask(real_prometheus, PODS, components={**components(0), "postgresql": {"namespace": "seed-0", "pod": "postgres-.*"}})
    assert found.resources["mlflow"]["status"] == "ok"
    assert found.resources["postgresql"]["status"] == "missing"
    assert found.resources["postgresql"]["cpu_cores_mean"] is None
    assert any(error.startswith("Metric cpu_mean: has no samples in the window for component postgresql.") for error in found.errors)


def test_an_empty_window_is_an_error(real_prometheus: Any) -> None:
    found = ask(real_prometheus, PODS, window=Window(real_prometheus.before_all, real_prometheus.before_all + 600))
    assert found.resources["mlflow"]["status"] == "missing"
    assert len(found.errors) == len(PODS)


def test_a_profile_of_kube_burner_is_read_verbatim(real_prometheus: Any, tmp_path: Path) -> None:
    profile = tmp_path / "kube-burner.yml"
    profile.write_text(
        "- query: avg(avg_over_time(irate(container_cpu_usage_seconds_total{pod=~'mlflow.*'}[2m])[{{ .elapsed }}:])) by (pod)\n"
        "  metricName: podCPU\n"
        "  instant: true\n"
        "- query: sum(container_memory_working_set_bytes) by (namespace)\n"
        "  metricName: namespaceMemory\n"
        "- query: count(container_memory_working_set_bytes)\n"
        "  metricName: pods\n"
        "  instant: true\n"
        "  captureStart: true\n"
        "  somethingNewer: {not: ours}\n",
        encoding="utf-8",
    )
    found = ask(real_prometheus, str(profile))  # type: ignore[arg-type]
    truth = real_prometheus.truths[0]
    assert found.errors == []
    assert found.resources["mlflow"]["status"] == "not_requested"
    written = documents(found.measurements, Window(truth.start, truth.end), "u-1")
    names = {document["metricName"] for document in written}
    assert names == {"podCPU", "namespaceMemory", "pods", "pods-start"}
    assert [document["value"] for document in written if document["metricName"].startswith("pods")] == [20.0, 20.0]
    assert set(written[0]) == {"timestamp", "labels", "value", "uuid", "query", "metricName"}


@pytest.mark.parametrize(
    ("query", "extra", "sentence"),
    [
        pytest.param("sum(", {}, "Prometheus says bad_data", id="wrong PromQL"),
        pytest.param("vector(0) / 0", {}, "is NaN, not a number", id="NaN"),
        pytest.param("vector(1) / 0", {}, "is +Inf, not a number", id="infinite"),
        pytest.param("no_such_metric", {}, "returned no series", id="nothing"),
        pytest.param("container_memory_working_set_bytes", {"series_max": 1}, "expected at most 1 series, got 20 series: {", id="too many"),
        pytest.param("container_memory_working_set_bytes", {"shape": "scalar"}, "expected a scalar, got a vector", id="wrong shape"),
        pytest.param("'text'", {}, "is of type 'string'", id="text"),
    ],
)
def test_responds_that_are_no_figure_are_errors_of_their_entry_only(real_prometheus: Any, query: str, extra: dict[str, Any], sentence: str) -> None:
    profile = [{"metricName": "odd", "query": query, "instant": True, "optional": False, **extra}, PODS[0]]
    found = ask(real_prometheus, profile)
    assert len(found.errors) == 1
    assert found.errors[0].startswith("Metric odd: ")
    assert sentence in found.errors[0]
    assert found.resources["mlflow"]["cpu_cores_mean"] is not None


def test_the_series_file_has_each_replica_and_the_total(real_prometheus: Any) -> None:
    rows = list(csv.DictReader(series_csv(ask(real_prometheus, PODS).measurements).splitlines()))
    at_end = [row for row in rows if row["metric"] == "memory" and row["timestamp"] == rows[-1]["timestamp"]]
    assert [row["instance"] for row in at_end] == ["mlflow-0", "mlflow-1", "mlflow-2", "mlflow-3", ""]
    assert float(at_end[-1]["value"]) == pytest.approx(sum(float(row["value"]) for row in at_end[:-1]))


def test_the_local_profile_distinguishes_running_ending_and_ended_processes(real_prometheus: Any) -> None:
    groups = {name: name for name in ("mlflow", "k6_benchmark", "postgresql", "ended", "never")}
    window = Window(real_prometheus.processes_start, real_prometheus.processes_start + PROCESS_WINDOW_S)
    found = collect(
        Request(load_profile(str(ROOT / "files/metrics_profiles/local.yml")), groups, window, 1.0), PrometheusClient(real_prometheus.url), wait_after=0
    )
    mlflow, k6, postgresql = (found.resources[name] for name in ("mlflow", "k6_benchmark", "postgresql"))
    assert {name: record["status"] for name, record in found.resources.items()} == {
        **dict.fromkeys(("mlflow", "k6_benchmark", "postgresql"), "ok"), **dict.fromkeys(("ended", "never"), "missing"),
    }  # fmt: skip
    assert (mlflow["cpu_cores_mean"], mlflow["cpu_cores_peak"]) == (pytest.approx(1.25, rel=0.001), pytest.approx(1.25, rel=0.001))
    assert (mlflow["memory_bytes_mean"], mlflow["coverage"], mlflow["instance_count_min"], mlflow["restarts"]) == (5e8, 1.0, 3.0, 0.0)
    assert k6["cpu_cores_mean"] == pytest.approx(0.25, rel=0.05)
    assert k6["cpu_cores_peak"] == pytest.approx(0.5, rel=0.001)
    assert k6["coverage"] == pytest.approx(0.5, abs=0.05)
    assert (k6["instance_count_min"], k6["memory_bytes_mean"]) == (0.0, 1e8)
    assert (postgresql["memory_bytes_peak"], postgresql["restarts"]) == (2e8, 1.0)
    assert found.resources["ended"]["cpu_cores_mean"] is None
    assert found.resources["ended"]["memory_bytes_mean"] is None
    # Up to the first scrape after the window; what a server that ended a minute ago counted is not among them.
    assert mlflow["requests_served"] == pytest.approx(20 * 30.5 + 10 * 25.5)
    assert any("no samples in the window for component ended" in error for error in found.errors)


@pytest.mark.parametrize(
    ("changes", "code", "problem"),
    [
        pytest.param({}, 0, "cpu_cores_mean", id="window with data"),
        pytest.param({"monitoring_window_end": "2001-01-01 00:00:00"}, 2, "ends before it starts", id="reversed"),
        pytest.param({"monitoring_prometheus_url": "http://127.0.0.1:1", "monitoring_time_limit_s": 1}, 2, "not reachable", id="unreachable"),
        pytest.param({"monitoring_components": {"postgresql": {"namespace": "seed-0", "pod": "pg-.*"}}}, 2, "for component postgresql", id="nothing there"),
    ],
)
def test_collect_metrics_measures_any_past_window(real_prometheus: Any, tmp_path: Path, changes: dict[str, Any], code: int, problem: str) -> None:
    truth = real_prometheus.truths[0]
    profile = tmp_path / "pods.yml"
    profile.write_text(json.dumps(PODS), encoding="utf-8")
    variables = {
        "monitoring_prometheus_url": real_prometheus.url,
        "monitoring_profile": str(profile),
        "monitoring_window_start": truth.start,
        "monitoring_window_end": truth.end,
        "monitoring_components": components(0),
        "monitoring_csv_file": str(tmp_path / "metrics.csv"),
        **changes,
    }
    (tmp_path / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "playbooks/collect_metrics.yml", "-e", f"@{tmp_path}/variables.json"],
        cwd=ROOT, env={**os.environ, "ANSIBLE_FORCE_COLOR": "0"}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    text = " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode == code, text
    assert problem in text
    assert "Traceback" not in text
    if code == 0:
        written = (tmp_path / "metrics.csv").read_text(encoding="utf-8")
        assert "mlflow,memory,max,bytes," in written
        assert "mlflow,pod_count,current,count,4\n" in written


CPU = "sum by (groupname) (rate(namedprocess_namegroup_cpu_seconds_total[{{.interval}}]))"


@pytest.mark.parametrize(
    ("expr", "fired"),
    [
        pytest.param(f"{CPU} > 1", ["CPU of mlflow 1.25"], id="fires"),
        pytest.param(f"{CPU} > 2", [], id="quiet"),
        # k6 ends in the middle of the window.
        pytest.param('namedprocess_namegroup_num_procs{groupname="k6_benchmark"} == 0', ["CPU of k6_benchmark 0"], id="in-a-part-of-the-window"),
        pytest.param('avg_over_time(namedprocess_namegroup_num_procs{groupname="k6_benchmark"}[{{.elapsed}}]) < 0.1', [], id="over-the-window"),
        # Another group ended a minute before it.
        pytest.param('increase(namedprocess_namegroup_cpu_seconds_total{groupname="ended"}[10s]) > 0', [], id="before-the-window"),
    ],
)
def test_alerts_of_kube_burner_fire_for_what_happened_in_the_window(real_prometheus: Any, expr: str, fired: list[str]) -> None:
    start = real_prometheus.processes_start
    request = Request([], {}, Window(start, start + PROCESS_WINDOW_S), 1.0)
    alerts = load_alerts([{"expr": expr, "description": "CPU of {{$labels.groupname}} {{$value}}", "severity": "error"}])
    [found] = evaluate_alerts(alerts, request, PrometheusClient(real_prometheus.url))
    assert found["reason"] is None
    assert [entry["text"] for entry in found["fired"]] == fired


def test_an_expression_that_prometheus_rejects_is_unknown(real_prometheus: Any) -> None:
    start = real_prometheus.processes_start
    request = Request([], {}, Window(start, start + PROCESS_WINDOW_S), 1.0)
    [found] = evaluate_alerts(load_alerts([{"expr": "sum(up"}]), request, PrometheusClient(real_prometheus.url))
    assert found["status"] == "unknown"
    assert "parse error" in found["reason"]
