# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far apart samples are, and which components are seen."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.probe import (
    Probe,
    drop_unseen,
    observed_interval,
    probe,
    settled,
    spacing,
    window_problems,
    window_warnings,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import Series
from fakes.fake_prometheus import success

COMPONENTS = {"mlflow": {"namespace": "odh", "pod": "mlflow-.*"}, "router": {"namespace": "ingress", "pod": "router-.*"}}
NOTHING = success("matrix", [])


def response(*stamps, pod="mlflow-1", namespace="odh"):
    return success("matrix", [{"metric": {"namespace": namespace, "pod": pod}, "values": [[stamp, "1"] for stamp in stamps]}])


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        pytest.param([[0, 30, 60.04]], 30.0, id="regular"),
        pytest.param([[0, 30, 60, 180, 210]], 30.0, id="a gap"),
        pytest.param([[0, 12, 27, 38], [5, 17, 30]], 12.6, id="several series"),
        pytest.param([[0, 30], []], None, id="too few"),
        pytest.param([], None, id="none"),
    ],
)
def test_spacing_is_the_mean_without_gaps(stamps, expected):
    assert spacing([Series({}, [(float(stamp), 1.0) for stamp in each]) for each in stamps]) == expected


@pytest.mark.parametrize(
    ("responses", "components", "expected", "last_metric"),
    [
        pytest.param([response(0, 12, 24)], COMPONENTS, 12.0, "container_cpu_usage_seconds_total", id="of containers"),
        pytest.param([NOTHING, NOTHING, NOTHING, response(0, 5, 10)], COMPONENTS, 5.0, "up", id="of scrapes"),
        pytest.param([NOTHING, response(0, 5, 10)], {"mlflow": "mlflow"}, 5.0, "up", id="components without labels"),
        pytest.param([NOTHING, response(0)], {}, None, "up", id="too few"),
    ],
)
def test_the_interval_is_found(server, responses, components, expected, last_metric):
    server.responses = responses
    assert observed_interval(PrometheusClient(server.url), components, 1000.0) == expected
    assert server.queries[-1]["query"].startswith(last_metric)


@pytest.mark.parametrize(
    ("seen", "earlier", "expected"),
    [
        pytest.param(12.1, 12.6, 12.6, id="noise"),
        pytest.param(15.0, 30.0, 15.0, id="another interval"),
        pytest.param(30.0, 15.0, 30.0, id="a longer one"),
        pytest.param(None, 15.0, 15.0, id="nothing to see any more"),
        pytest.param(12.1, None, 12.1, id="the first probe"),
        pytest.param(None, None, None, id="unknown"),
    ],
)
def test_a_second_probe_changes_the_spacing_only_for_a_reason(seen, earlier, expected):
    assert settled(seen, earlier) == expected


@pytest.mark.parametrize(
    ("responses", "expected", "sent"),
    [
        pytest.param([response(0, 15, 30)], Probe(15.0, frozenset({"mlflow"})), ['{image!="",container!~"|POD",'], id="cAdvisor"),
        pytest.param([NOTHING, response(0, 5, 10)], Probe(5.0, frozenset({"mlflow"})), ["{image!=", '{image="",container!="",'], id="resource metrics"),
        pytest.param(
            [NOTHING, NOTHING, response(0, 30, 60, pod="", namespace="")], Probe(30.0, frozenset()), ["{image!=", "{image=", '{id="/"}'], id="nodes only"
        ),
        pytest.param([response(0, pod="other")], Probe(None, frozenset()), ["{image!="], id="another pod"),
    ],
)
def test_the_best_source_that_responds_is_used(server, responses, expected, sent):
    server.responses = responses
    assert probe(PrometheusClient(server.url, retries=0), COMPONENTS, 1000.0) == expected
    assert [each["query"].startswith(f"container_cpu_usage_seconds_total{start}") for each, start in zip(server.queries, sent, strict=True)] == [True] * len(
        sent
    )
    assert all(each["query"].endswith("[600s]") and each["time"] == "1000.000" for each in server.queries)


def test_without_components_the_nodes_are_probed(server):
    server.responses = [NOTHING]
    assert probe(PrometheusClient(server.url, retries=0), {}, 1000.0) == Probe(None, frozenset())
    assert len(server.queries) == 1


def test_what_is_optional_and_unseen_is_left_out():
    assert list(drop_unseen(COMPONENTS, ["router"], frozenset())) == ["mlflow"]
    assert list(drop_unseen(COMPONENTS, ["router"], frozenset({"router"}))) == ["mlflow", "router"]


@pytest.mark.parametrize(
    ("seconds", "interval_s", "problem", "warning"),
    [
        pytest.param(30, 5, "", "", id="long-enough"),
        pytest.param(30, None, "", "", id="unknown"),
        pytest.param(20, 15, "Window of 20 s: too short for samples every 15 s, so every cell would lack its CPU figures.", "", id="no-mean"),
        pytest.param(30, 15, "", "Window of 30 s: shorter than 4 samples, one every 15 s, so CPU peaks will be missing. Make it at least 60 s", id="no-peak"),
        pytest.param(60, 15, "", "", id="just-long-enough"),
    ],
)
def test_a_window_that_is_too_short_is_named(seconds, interval_s, problem, warning):
    problems, warnings = window_problems(seconds, interval_s), window_warnings(seconds, interval_s)
    assert [sentence[: len(problem)] for sentence in problems] == ([problem] if problem else [])
    assert [sentence[: len(warning)] for sentence in warnings] == ([warning] if warning else [])
