# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus answers every query of the Grafana dashboard, with the right numbers where the truth is known."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.report import OPENMETRICS_NAME, create_report
from ansible_collections.perfscale.mlflow.tests.prometheus.synthetic import PROCESS_WINDOW_S, Samples, write_openmetrics
from fakes.run_factory import write_run
from programs.dashboard import document, queries
from programs.k6 import executable
from programs.prometheus import running_prometheus

SCHEMAS = Path(__file__).resolve().parents[2] / "files" / "schemas"
SAMPLE = re.compile(r"^(?P<name>\w+)(?P<labels>\{.*\})? (?P<value>\S+)$")
REPORTED = 1796000000.0


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusClient]:
    """A Prometheus that has the metrics of a report, as a textfile collector would expose them."""
    directory = tmp_path_factory.mktemp("results")
    create_report([str(write_run(directory / "run", errors=1.0))], directory / "report", ["openmetrics"], SCHEMAS)
    samples: Samples = {}
    for line in (directory / "report" / OPENMETRICS_NAME).read_text(encoding="utf-8").splitlines():
        found = SAMPLE.match(line)
        if found:
            samples.setdefault(found["name"], []).append(f"{found['labels'] or '{}'} {found['value']} {REPORTED:.3f}")
    write_openmetrics(directory / "samples.txt", [samples])
    tool = executable("promtool", "PERFSCALE_PROMTOOL")
    subprocess.run([tool, "tsdb", "create-blocks-from", "openmetrics", "samples.txt", "data"], cwd=directory, check=True, capture_output=True, timeout=120)
    with running_prometheus(directory, "scrape_configs: []\n", "--storage.tsdb.retention.time=100y") as url:
        yield PrometheusClient(url)


def values(client: PrometheusClient, query: str, at: float) -> dict[str, float]:
    """Return the values of an instant query by the labels of the series."""
    return {",".join(row["metric"].values()): float(row["value"][1]) for row in client.instant(query, at, "dashboard")["result"]}


def test_every_row_has_its_source_of_samples() -> None:
    rows = {name.partition(":")[0].split(" ")[0] for name in queries()}
    assert rows == {"Load", "MLflow", "Processes", "Pods", "Results"}


@pytest.mark.parametrize("name", [name for name in queries() if not name.startswith("Results")])
def test_every_query_is_answered(real_prometheus: Any, name: str) -> None:
    is_of_processes = name.startswith("Processes")
    at = real_prometheus.processes_start + PROCESS_WINDOW_S if is_of_processes else real_prometheus.cluster_start + 590
    query = queries(interval="30s" if is_of_processes else "2m")[name]
    assert values(PrometheusClient(real_prometheus.url), query, at) != {}


@pytest.mark.parametrize("name", list(queries("Results")))
def test_every_query_about_results_is_answered(results: PrometheusClient, name: str) -> None:
    assert values(results, queries()[name], REPORTED) != {}


def test_objectives_that_are_missed_are_counted(results: PrometheusClient) -> None:
    found = values(results, queries()["Results (metrics.prom of a report): Cells that miss an objective"], REPORTED)
    assert found == {"requests succeed": 4, "requests answer within two seconds": 0}


def test_a_series_of_two_scrape_jobs_counts_once(real_prometheus: Any) -> None:
    found = values(PrometheusClient(real_prometheus.url), queries()["Pods of a cluster: CPU"], real_prometheus.cluster_start + 590)
    assert found["opendatahub,mlflow-7d9c-bbbbb"] == pytest.approx(3.4, rel=0.01)


def test_the_load_has_its_numbers(real_prometheus: Any) -> None:
    client, at, named = PrometheusClient(real_prometheus.url), real_prometheus.cluster_start + 590, queries("Load")
    found = {name.partition(": ")[2]: values(client, query, at) for name, query in named.items()}
    assert found["Requests by operation"]["get_run"] == pytest.approx(15, rel=0.01)
    assert found["Failed requests"][""] == pytest.approx(0.025, rel=0.01)
    assert found["P95 by operation since the load began"]["create_run"] == 0.08


def test_every_panel_uses_the_chosen_source_and_has_a_number() -> None:
    panels = document()["panels"]
    assert {panel["datasource"]["uid"] for panel in panels if panel["type"] != "row"} == {"${datasource}"}
    assert len({panel["id"] for panel in panels}) == len(panels)
