# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role monitoring writes into target.json about a Prometheus that the user names; the ways that need a cluster are tested on one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = {"namespace": "openshift-ingress", "pod": "data-science-gateway-.*"}
POSTGRES = {"namespace": "odh", "pod": "postgresql-.*", "container": "postgresql"}


def play(playbook: str, directory: Path, environment: dict[str, str] | None = None, **variables: Any) -> tuple[int, str]:
    """Return exit code and output of a playbook."""
    (directory / "variables.json").write_text(json.dumps({"monitoring_run_dir": str(directory), **variables}), encoding="utf-8")
    settings = {"ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
    ended = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", playbook, "-e", f"@{directory}/variables.json"],
        cwd=ROOT, env={**os.environ, **settings, **(environment or {})}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return ended.returncode, " ".join((ended.stdout + ended.stderr).split())


def access(directory: Path, environment: dict[str, str] | None = None, **variables: Any) -> tuple[int, str]:
    """Return exit code and output of the entry point `access`."""
    return play("tests/prometheus/access.yml", directory, environment, **variables)


def target(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "target.json").read_text(encoding="utf-8"))


def test_a_prometheus_that_is_named_is_described(real_prometheus: Any, tmp_path: Path) -> None:
    (tmp_path / "target.json").write_text(json.dumps({"schema_version": 1, "components": {"postgresql": POSTGRES}}), encoding="utf-8")
    environment = {"PROMETHEUS_URL": real_prometheus.url, "MLFLOW_NAMESPACE": "odh", "MLFLOW_POD_LABEL": "mlflow.*", "K6_POD_NAME": "my-k6"}
    code, text = access(tmp_path, environment, monitoring_further_components={"data_science_gateway": GATEWAY})
    assert code == 0, text
    found = target(tmp_path)
    assert (found["prometheus"]["url"], found["prometheus"]["profile"], found["prometheus"]["token_file"]) == (real_prometheus.url, "kubernetes", None)
    # Nothing was sampled in the last ten minutes: neither the interval nor the gateway is seen.
    assert found["prometheus"]["scrape_interval_s"] == 30
    assert found["components"] == {
        "mlflow": {"namespace": "odh", "pod": "mlflow.*", "container": "mlflow"},
        "k6_benchmark": {"namespace": "opendatahub", "pod": "my-k6"},
        "postgresql": POSTGRES,
    }


@pytest.mark.parametrize(("at", "expected"), [("the same", 12.6), ("another", 30)])
def test_an_earlier_interval_of_the_same_prometheus_is_preserved(real_prometheus: Any, tmp_path: Path, at: str, expected: float) -> None:
    url = real_prometheus.url if at == "the same" else "http://127.0.0.1:9"
    seen = {"url": url, "ca_file": None, "token_file": None, "tls_verify": True, "profile": "kubernetes", "scrape_interval_s": 12.6}
    (tmp_path / "target.json").write_text(json.dumps({"schema_version": 1, "prometheus": seen}), encoding="utf-8")
    code, text = access(tmp_path, monitoring_prometheus_url=real_prometheus.url)
    assert code == 0, text
    assert target(tmp_path)["prometheus"]["scrape_interval_s"] == expected


def test_what_another_role_reported_about_mlflow_is_preserved(real_prometheus: Any, tmp_path: Path) -> None:
    problem = {"namespace": "elsewhere", "pod": "mlflow-1"}
    (tmp_path / "target.json").write_text(json.dumps({"schema_version": 1, "components": {"mlflow": problem}}), encoding="utf-8")
    code, text = access(tmp_path, monitoring_prometheus_url=real_prometheus.url, monitoring_cluster_scrape_interval_s=5)
    assert code == 0, text
    assert target(tmp_path)["components"]["mlflow"] == problem
    assert target(tmp_path)["prometheus"]["scrape_interval_s"] == 5


def test_no_metrics_need_no_prometheus(tmp_path: Path) -> None:
    code, text = access(tmp_path, metrics_profile="none")
    assert code == 0, text
    found = target(tmp_path)
    assert (found["prometheus"]["url"], found["prometheus"]["profile"]) == (None, "none")
    assert sorted(found["components"]) == ["k6_benchmark", "mlflow"]


def test_a_past_window_of_a_cluster_needs_the_legacy_variables_only(real_prometheus: Any, tmp_path: Path) -> None:
    environment = {"PROMETHEUS_URL": real_prometheus.url, "MLFLOW_NAMESPACE": "opendatahub", "MLFLOW_POD_LABEL": "mlflow.*"}
    window = {"monitoring_window_start": real_prometheus.cluster_start, "monitoring_window_end": real_prometheus.cluster_start + 600}
    code, text = play(
        "playbooks/collect_metrics.yml", tmp_path, environment, monitoring_profile="kubernetes", monitoring_csv_file=str(tmp_path / "metrics.csv"), **window
    )
    assert code == 0, text
    written = (tmp_path / "metrics.csv").read_text(encoding="utf-8")
    assert "mlflow,pod_count,current,count,4" in written
    assert "k6_benchmark,cpu,avg,cores,0.2" in written
    assert "cluster,cpu_utilization,avg,percent,40" in written


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        pytest.param({}, "Prometheus of the cluster: unknown. Set monitoring_prometheus_url", id="nothing named"),
        pytest.param({"monitoring_prometheus_url": "http://127.0.0.1:1"}, "Prometheus http://127.0.0.1:1: not reachable", id="unreachable"),
        pytest.param(
            {"monitoring_cluster_profile": "openshift", "monitoring_tenancy_namespace": "odh", "monitoring_token_file": "/t"},
            "OpenShift's tenancy port 9092 has no route.", id="tenancy by route",
        ),
    ],
)  # fmt: skip
def test_queries_that_cannot_be_sent_are_reported(tmp_path: Path, variables: dict[str, Any], problem: str) -> None:
    code, text = access(tmp_path, **variables)
    assert code == 2, text
    assert problem in text
    assert not (tmp_path / "target.json").exists()
