# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module prometheus_info as Ansible runs it."""

from __future__ import annotations

import pytest

from fakes.fake_prometheus import FakePrometheus, success

COMPONENTS = {
    "mlflow": {"namespace": "odh", "pod": "mlflow-.*"},
    "k6_benchmark": {"namespace": "odh", "pod": "k6-benchmark"},
    "router": {"namespace": "ingress", "pod": "router-.*"},
}
SEEN = success("matrix", [{"metric": {"namespace": "odh", "pod": "mlflow-1"}, "values": [[0, "1"], [12, "1"], [24, "1"]]}])


@pytest.fixture(name="server")
def fixture_server():
    with FakePrometheus() as server:
        server.responses = [SEEN]
        yield server


@pytest.mark.parametrize(
    ("more", "interval", "kept"),
    [
        pytest.param({}, 12.0, ["mlflow", "k6_benchmark", "router"], id="as seen"),
        pytest.param({"scrape_interval": 60}, 60.0, ["mlflow", "k6_benchmark", "router"], id="as outcome"),
        pytest.param({"earlier_scrape_interval": 13}, 13.0, ["mlflow", "k6_benchmark", "router"], id="as seen earlier"),
        pytest.param({"optional": ["router"]}, 12.0, ["mlflow", "k6_benchmark"], id="optional and unseen"),
        pytest.param({"tenancy_namespace": "odh"}, 12.0, ["mlflow", "k6_benchmark"], id="one namespace"),
    ],
)
def test_what_is_seen_is_named(run_module, server, more, interval, kept):
    result = run_module("prometheus_info", {"url": server.url, "components": COMPONENTS, **more})
    assert (result["changed"], result["scrape_interval_s"], result["spacing_s"], list(result["components"])) == (False, interval, 12.0, kept)
    assert "k6_benchmark" in result["absent"]
    assert abs(result["clock_offset_s"]) < 5


def test_a_prometheus_without_samples_is_assumed_to_take_one_in_30_s(run_module, server):
    server.responses = [success("matrix", [])]
    result = run_module("prometheus_info", {"url": server.url, "components": COMPONENTS})
    assert (result["scrape_interval_s"], result["spacing_s"], result["absent"]) == (30.0, None, list(COMPONENTS))


def test_a_rejected_request_is_one_sentence(run_module, server):
    server.responses = [(403, "")]
    result = run_module("prometheus_info", {"url": server.url, "components": COMPONENTS})
    assert "login required (403: no text). Give the login permission to query (on OpenShift the cluster role cluster-monitoring-view)" in result["msg"]
