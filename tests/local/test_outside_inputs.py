# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes from outside, through the playbooks: logins, proxies, gateways and URLs as people have them, with `-vvv` too."""

from __future__ import annotations

import base64

import pytest

from fakes.fake_mlflow import FakeMlflow
from fakes.fake_prometheus import FakePrometheus, success

from .suite import Suite

INFO = ("GET", "/api/3.0/mlflow/server-info")
PASSWORD = "canary" + "-pass-w0rd"


@pytest.fixture(name="suite")
def fixture_suite(tmp_path):
    return Suite(tmp_path)


def preflight(suite, *options, **env):
    """Return the exit code and the output of preflight without metrics, in one line."""
    finished = suite.play("preflight", {"metrics_profile": "none"}, *options, env=env)
    return finished.returncode, " ".join(finished.stdout.split())


def test_mlflows_own_variables_give_user_and_password(suite):
    with FakeMlflow() as server:
        code, output = preflight(suite, "-vvv", MLFLOW_URL=server.url, MLFLOW_TRACKING_USERNAME="me", MLFLOW_TRACKING_PASSWORD=PASSWORD)
    assert code == 0
    assert f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}" in server.authorizations
    assert PASSWORD not in output


def test_a_server_that_wants_a_password_says_so(suite):
    with FakeMlflow() as server:
        server.scripted[INFO] = [(401, {"detail": "not authenticated", "__headers": {"WWW-Authenticate": 'Basic realm="mlflow"'}})] * 3
        code, output = preflight(suite, MLFLOW_URL=server.url, MLFLOW_TOKEN="canary-token")
    assert code != 0
    assert "token rejected (HTTP 401 for GET /api/3.0/mlflow/server-info: not authenticated)" in output
    assert "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in output


def test_a_server_that_does_not_know_its_host_name_says_so(suite):
    with FakeMlflow() as server:
        server.scripted[INFO] = [(403, b"Invalid Host header - possible DNS rebinding attack detected")] * 3
        code, output = preflight(suite, MLFLOW_URL=server.url, MLFLOW_TOKEN="canary-token")
    assert code != 0
    assert "host not allowed (HTTP 403" in output
    assert "--allowed-hosts" in output


def test_a_server_behind_the_proxy_of_the_environment_is_reached(suite):
    with FakeMlflow() as proxy:
        code, _output = preflight(suite, MLFLOW_URL="http://mlflow.example.test", http_proxy=proxy.url, no_proxy="localhost")
    assert code == 0
    assert ("GET", "http://mlflow.example.test/api/3.0/mlflow/server-info", None) in proxy.calls


@pytest.mark.parametrize("url", ["http://me:{}@127.0.0.1:1", "me:{}@127.0.0.1:1"])
def test_no_output_shows_what_a_url_hides(suite, url):
    code, output = preflight(suite, "-vvv", MLFLOW_URL=url.format(PASSWORD))
    assert code != 0
    assert "MLflow URL " in output
    assert PASSWORD not in output


def test_a_window_in_milliseconds_is_named(suite):
    window = {"monitoring_window_start": 1763900000123, "monitoring_window_end": 1763900600123}
    finished = suite.play("collect_metrics", {**window, "monitoring_prometheus_url": "http://127.0.0.1:1"})
    assert finished.returncode != 0
    assert "Window start 1763900000123: too large for epoch seconds, probably milliseconds. Write 1763900000.123." in finished.stdout


def test_a_profile_of_kube_burner_is_read_and_a_native_histogram_named(suite):
    (suite.directory / "profile.yml").write_text(
        "- {query: rss, metricName: memoryRSS}\n- {query: rss, metricName: memoryRSS, instant: true, captureStart: true}\n- {query: h, metricName: latency}\n"
    )
    numbers = success("matrix", [{"metric": {}, "values": [[1763900000, "1"], [1763900060, "2"]]}])
    histogram = success("matrix", [{"metric": {}, "histograms": [[1763900000, {"count": "5", "sum": "1.5"}]]}])
    with FakePrometheus() as server:
        server.responses = [numbers, numbers, histogram]
        window = {"monitoring_window_start": 1763900000, "monitoring_window_end": 1763900060, "monitoring_scrape_interval_s": 5}
        finished = suite.play(
            "collect_metrics", {**window, "monitoring_prometheus_url": server.url, "monitoring_profile": str(suite.directory / "profile.yml")}
        )
    assert [query["query"] for query in server.queries] == ["rss", "rss", "h"]
    assert "twice" not in finished.stdout
    assert "latency: response has a native histogram" in finished.stdout
