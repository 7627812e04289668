# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""metrics.prom of a report as real programs read it: promtool, and a Prometheus that scrapes it as OpenMetrics and in the older format."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.report import OPENMETRICS_NAME, create_report
from fakes.fake_http_server import FakeHttpServer, Reply
from fakes.run_factory import write_run
from programs.k6 import executable
from programs.prometheus import running_prometheus

SCHEMAS = Path(__file__).resolve().parents[2] / "files" / "schemas"
TYPES = {"openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8", "text": "text/plain; version=0.0.4"}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The metrics of a report of two runs, one of which has every verdict."""
    root = tmp_path_factory.mktemp("report")
    runs = [write_run(root / "run-1", verdicts={"t1-c10-r1": "invalid", "t10-c5-r1": "failed"}, errors=0.5), write_run(root / "run-2", rates=(4.5,))]
    create_report([str(run) for run in runs], root / "out", ["openmetrics"], SCHEMAS)
    return (root / "out" / OPENMETRICS_NAME).read_bytes()


def value(client: PrometheusClient, query: str) -> float:
    """Return the value of an instant query now, 0 where it has none."""
    return sum(float(row["value"][1]) for row in client.instant(query, time.time(), "test")["result"])


@pytest.fixture(scope="module", params=list(TYPES))
def scraped(request: pytest.FixtureRequest, document: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusClient]:
    """A Prometheus that has scraped the document."""
    with FakeHttpServer(lambda _request: Reply(body=document, headers={"Content-Type": TYPES[request.param]})) as server:
        target = server.url.removeprefix("http://")
        configuration = f"scrape_configs: [{{job_name: report, scrape_interval: 1s, static_configs: [{{targets: ['{target}']}}]}}]\n"
        with running_prometheus(tmp_path_factory.mktemp("scraping"), configuration) as url:
            client = PrometheusClient(url)
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not value(client, 'sum(up{job="report"})'):
                time.sleep(0.2)
            yield client


def test_promtool_has_no_objection(document: bytes) -> None:
    checked = subprocess.run([executable("promtool", "PERFSCALE_PROMTOOL"), "check", "metrics"], input=document, capture_output=True, timeout=60, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_a_scrape_has_every_sample(document: bytes, scraped: PrometheusClient) -> None:
    written = [line for line in document.decode().splitlines() if not line.startswith("#")]
    assert value(scraped, 'count({__name__=~"perfscale_.+"})') == len(written)
