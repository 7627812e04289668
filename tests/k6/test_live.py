# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k6 sends its metrics to a real Prometheus while it runs, and its samples stay as they are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from fakes.k6_configs import load_config
from fakes.simulated_mlflow import simulated_url
from programs.dashboard import queries
from programs.k6 import requests_of, run_as_in_a_pod, run_detached
from programs.prometheus import running_prometheus

UNREACHABLE = "http://127.0.0.1:1/api/v1/write"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusClient]:
    """A Prometheus that takes what it is sent."""
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), "scrape_configs: []\n", "--web.enable-remote-write-receiver") as url:
        yield PrometheusClient(url)


@pytest.fixture(name="attempt")
def fixture_attempt(tmp_path: Path) -> Path:
    directory = tmp_path / "attempt"
    directory.mkdir()
    return directory


def load(run, k6: str, attempt: Path, live: str, window_s: float = 2, latency_ms: float = 0) -> None:
    with simulated_url(latency={"*": {"constant": latency_ms}}) as url:
        config = load_config(url, profile={"kind": "closed", "concurrency": 3}, think_time_s=0.05, warmup_s=0, window_s=window_s)
        assert run(k6, attempt, config, live=live) == 0, (attempt / "k6.log").read_text()


def last_values(client: PrometheusClient, metric: str, since: float) -> dict[str, float]:
    """Return the last value of each operation of a metric since a time."""
    now = time.time()
    # Each series ends with a marker, after which it has no current value.
    rows = client.instant(f"last_over_time({metric}[{now - since:.0f}s])", now, metric)["result"]
    return {row["metric"]["name"]: float(row["value"][1]) for row in rows}


@pytest.mark.parametrize("run", [pytest.param(run_detached, id="process"), pytest.param(run_as_in_a_pod, id="pod")])
def test_prometheus_has_every_request_by_its_operation(run, each_k6: str, attempt: Path, prometheus: PrometheusClient) -> None:
    since = time.time()
    load(run, each_k6, attempt, f"{prometheus.url}/api/v1/write")
    counted = last_values(prometheus, "k6_http_reqs_total", since)
    assert {"create_run", "get_run"} <= set(counted)
    assert sum(counted.values()) == requests_of(attempt) > 0


def test_percentiles_are_seconds(any_k6: str, attempt: Path, prometheus: PrometheusClient) -> None:
    since = time.time()
    load(run_detached, any_k6, attempt, f"{prometheus.url}/api/v1/write", latency_ms=40)
    found = last_values(prometheus, "k6_http_req_duration_p95", since)
    assert all(0.04 <= value < 40 for value in found.values()), found


def test_the_dashboard_finds_what_k6_sends(any_k6: str, attempt: Path, prometheus: PrometheusClient) -> None:
    """k6 sends every five seconds, and a rate needs two samples."""
    since = time.time()
    load(run_detached, any_k6, attempt, f"{prometheus.url}/api/v1/write", window_s=11)
    answers = {name: prometheus.range(query, since, since + 11, 1, name)["result"] for name, query in queries("Load", "10s").items()}
    assert [name for name, rows in answers.items() if not rows] == []


def test_an_endpoint_that_is_away_costs_no_sample(any_k6: str, attempt: Path) -> None:
    load(run_detached, any_k6, attempt, UNREACHABLE)
    assert requests_of(attempt) > 0
    assert "Failed to send" in (attempt / "k6.log").read_text()
