# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profiles of clusters against the truth of the samples that were put into a real Prometheus."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import Collection, Request, Window, collect
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.files import series_csv
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import load_profile
from ansible_collections.perfscale.mlflow.tests.prometheus.synthetic_cluster import COMPONENTS, MIB, MLFLOW_CORES_MEAN, MLFLOW_CORES_PEAK, RESTART_S, WINDOW_S

ROOT = Path(__file__).resolve().parents[2]


def ask(
    real_prometheus: Any, seconds: float = WINDOW_S, name: str = "kubernetes", components: dict[str, Any] = COMPONENTS, begin: float = 0.0
) -> Collection:
    window = Window(real_prometheus.cluster_start + begin, real_prometheus.cluster_start + seconds)
    profile = load_profile(str(ROOT / "files" / "metrics_profiles" / f"{name}.yml"))
    return collect(Request(profile, components, window, 30.0), PrometheusClient(real_prometheus.url), wait_after=0)


@pytest.fixture(name="found", scope="module")
def fixture_found(real_prometheus: Any) -> Collection:
    return ask(real_prometheus)


@pytest.fixture(name="mlflow", scope="module")
def fixture_mlflow(found: Collection) -> dict[str, Any]:
    return found.resources["mlflow"]


def test_no_series_counts_twice_and_none_is_lost(found: Collection, mlflow: dict[str, Any]) -> None:
    print(f"mean CPU {mlflow['cpu_cores_mean']:.4f} of {MLFLOW_CORES_MEAN:.4f}, peak {mlflow['cpu_cores_peak']:.4f} of {MLFLOW_CORES_PEAK:.4f}")
    assert found.errors == []
    assert mlflow["cpu_cores_mean"] == pytest.approx(MLFLOW_CORES_MEAN, rel=0.02)
    assert mlflow["cpu_cores_peak"] == pytest.approx(MLFLOW_CORES_PEAK, rel=0.02)
    assert mlflow["instances"]["mlflow-7d9c-bbbbb"]["cpu_cores_mean"] == pytest.approx(0.4, rel=0.001)
    assert mlflow["instances"]["mlflow-7d9c-aaaaa"]["cpu_cores_mean"] == pytest.approx(0.6, rel=0.03)


def test_a_pod_that_is_gone_leaves_the_memory_and_the_count(mlflow: dict[str, Any]) -> None:
    counts = [mlflow[key] for key in ("instance_count_min", "instance_count_max", "instance_count_last", "instances_started")]
    # Prometheus itself would show the pod that ended for five minutes beside its successor.
    assert counts == [4.0, 4.0, 4.0, 1.0]
    assert mlflow["memory_bytes_peak"] == 4 * 500 * MIB
    assert mlflow["instances"]["mlflow-7d9c-aaaaa"]["memory_bytes_peak"] == 500 * MIB


def test_a_restart_by_the_kernel_is_one_restart_and_one_kill(mlflow: dict[str, Any]) -> None:
    assert (mlflow["restarts"], mlflow["oom_kills"]) == (1.0, 1.0)
    assert {name: (instance.get("restarts"), instance.get("oom_kills")) for name, instance in mlflow["instances"].items()} == {
        "mlflow-7d9c-aaaaa": (1.0, 1.0), **{f"mlflow-7d9c-{letter * 5}": (0.0, 0.0) for letter in "bcde"},
    }  # fmt: skip


@pytest.mark.parametrize(("begin", "counts"), [pytest.param(RESTART_S - 1, 1.0, id="just inside"), pytest.param(RESTART_S + 30, 0.0, id="long before")])
def test_a_restart_before_the_first_sample_of_the_window_is_counted(real_prometheus: Any, begin: float, counts: float) -> None:
    mlflow = ask(real_prometheus, begin=begin).resources["mlflow"]
    assert (mlflow["restarts"], mlflow["oom_kills"]) == (counts, counts)


def test_limits_throttling_network_and_volumes_stand_beside(mlflow: dict[str, Any]) -> None:
    assert mlflow["limits"] == {"cpu_cores": 10.0, "memory_bytes": 5 * 1024 * MIB}
    assert mlflow["requests"] == {"cpu_cores": 1.0}
    assert mlflow["throttled_ratio"] == pytest.approx(0.4, rel=0.001)
    assert mlflow["network"]["receive_bytes_per_s_peak"] == pytest.approx(4000, rel=0.1)
    assert mlflow["network"]["transmit_bytes_per_s_mean"] == pytest.approx(2 * mlflow["network"]["receive_bytes_per_s_mean"])
    assert mlflow["volumes"] == {"mlflow-pvc": {"used_bytes": pytest.approx(5e8 + 1e5 * WINDOW_S, rel=0.01), "capacity_bytes": 1e10}}


def test_a_pod_with_resource_metrics_only_is_measured(found: Collection) -> None:
    k6 = found.resources["k6_benchmark"]
    assert (k6["status"], k6["cpu_cores_mean"], k6["memory_bytes_mean"]) == ("ok", pytest.approx(0.25), 80 * MIB)
    assert (k6["coverage"], k6["instance_count_min"], k6["restarts"], k6["throttled_ratio"]) == (1.0, 1.0, None, None)


def test_the_containers_of_a_pod_add_up(found: Collection) -> None:
    router = found.resources["router"]
    assert (router["cpu_cores_mean"], router["memory_bytes_peak"], router["instance_count_max"]) == (pytest.approx(0.3), 120 * MIB, 1.0)
    # Without kube-state-metrics the ids of the containers show it.
    assert router["restarts"] == 0.0


def test_the_cluster_is_measured_beside_its_components(found: Collection) -> None:
    assert found.resources["cluster"]["cpu_utilization_mean"] == pytest.approx(0.4, rel=0.001)


def test_connections_and_access_reviews_are_figures_of_the_record(found: Collection) -> None:
    postgresql = found.resources["postgresql"]
    assert (postgresql["connections_max"], postgresql["limits"]["connections"]) == (7.0, 100.0)
    assert found.resources["mlflow"]["access_reviews_per_s"] == pytest.approx(3)


def test_what_is_not_there_is_reported_once(found: Collection) -> None:
    problem = [warning for warning in found.warnings if warning.startswith("Optional metrics without samples: ")]
    assert len(problem) == 1
    assert "pressure.cpu, pressure.memory, pressure.io" in problem[0]
    assert "limits.cpu_cores (k6_benchmark, router)" in problem[0]


def test_servers_are_in_the_series_file(found: Collection) -> None:
    rows = list(csv.DictReader(series_csv(found.measurements).splitlines()))
    last = {(row["metric"], row["component"], row["instance"]): float(row["value"]) for row in rows}
    assert last["requests", "mlflow", f"figure=mlflow_requests_per_s;namespace={COMPONENTS['mlflow']['namespace']};status=200"] == pytest.approx(20)
    assert last["requests", "mlflow", "code=201;figure=access_reviews_per_s;resource=selfsubjectaccessreviews"] == pytest.approx(3)
    assert last["postgresql", "postgresql", f"figure=commits_per_s;namespace={COMPONENTS['mlflow']['namespace']}"] == pytest.approx(40)
    assert ("memory", "mlflow", "mlflow-7d9c-bbbbb") in last
    assert last["memory", "mlflow", ""] == (450 + 500 + 500 + 400) * MIB


def test_a_window_shorter_than_four_scrapes_has_a_mean_and_no_peak(real_prometheus: Any) -> None:
    found = ask(real_prometheus, seconds=100.0)
    mlflow = found.resources["mlflow"]
    assert (mlflow["status"], mlflow["cpu_cores_peak"]) == ("ok", None)
    assert mlflow["cpu_cores_mean"] == pytest.approx(0.5 + 0.4 + 0.6 + 0.3, rel=0.001)
    assert found.errors == []
    assert any(warning.startswith("Window: holds 3.3 scrapes, too few for cpu_cores_peak") for warning in found.warnings)


def test_a_window_of_one_scrape_has_no_figures_and_reports_it(real_prometheus: Any) -> None:
    found = ask(real_prometheus, seconds=25.0)
    assert found.resources["mlflow"]["status"] == "missing"
    assert any("which holds only 0.8 scrapes" in error for error in found.errors)


def test_the_profile_of_openshift_has_the_same_figures(real_prometheus: Any, found: Collection) -> None:
    openshift = ask(real_prometheus, name="openshift")
    assert openshift.errors == []
    assert openshift.resources == found.resources
