# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alert profiles as they are written for kube-burner, and what becomes of their expressions."""

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.alert_profile import load_alerts
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.alerts import evaluate_alerts
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import Request, Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import ProfileError
from fakes.fake_prometheus import FakePrometheus, success

HOT = {"expr": "cpu > 1", "description": "CPU of {{$labels.group}} is {{ $value }}", "severity": "error"}
WINDOW = Window(1000.0, 1060.0)


@pytest.fixture(name="server")
def fixture_server():
    with FakePrometheus() as server:
        server.responses = [success("matrix", [])]
        yield server


@pytest.fixture(name="evaluate")
def fixture_evaluate(server):
    def evaluate(*alerts, **changes):
        request = Request([], {}, WINDOW, 10.0, **changes)
        return evaluate_alerts(load_alerts(list(alerts)), request, PrometheusClient(server.url, retries=0))

    return evaluate


def test_a_profile_gives_objectives(tmp_path):
    path = tmp_path / "alerts.yml"
    path.write_text(yaml.safe_dump([HOT]))
    assert load_alerts(str(path)) == [
        {
            "name": "CPU of <group> is <value>", "select": "alerts", "metric": "series", "max": 0, "severity": "error", "expr": "cpu > 1",
            "description": HOT["description"],
        }
    ]  # fmt: skip


@pytest.mark.parametrize(("given", "severity"), [("critical", "error"), ("error", "error"), ("warning", "warning"), ("info", "info"), (None, "info")])
def test_severities_are_those_of_kube_burner(given, severity):
    assert load_alerts([{**HOT, "severity": given}])[0]["severity"] == severity


def test_equal_descriptions_are_numbered():
    assert [alert["name"] for alert in load_alerts([{"expr": f"x > {n}", "description": "Too much"} for n in range(3)])] == [
        "Too much", "Too much (2)", "Too much (3)",
    ]  # fmt: skip


def test_without_a_description_the_expression_is_the_name():
    assert load_alerts([{"expr": "up == 0"}])[0]["name"] == "up == 0"


def test_no_profile_has_no_alerts():
    assert load_alerts("") == []


@pytest.mark.parametrize(
    ("profile", "problem"),
    [
        pytest.param({}, "is not a list of alerts", id="not-a-list"),
        pytest.param(["up"], "entry 1 is not a mapping", id="not-a-mapping"),
        pytest.param([{"description": "x"}], "entry 1 has no expr", id="no-expr"),
        pytest.param([{**HOT, "for": "5m"}], "entry 1 has the unknown key for. Allowed: description, expr, severity.", id="unknown-key"),
        pytest.param([HOT, {**HOT, "severity": "fatal"}], "entry 2 has severity 'fatal'. Choose one of info, warning, error, critical.", id="severity"),
        pytest.param([{**HOT, "description": 5}], "entry 1 has description 5. Write text.", id="description"),
    ],
)
def test_what_is_wrong_with_a_profile_is_a_sentence(tmp_path, profile, problem):
    path = tmp_path / "alerts.yml"
    path.write_text(json.dumps(profile))
    with pytest.raises(ProfileError) as raised:
        load_alerts(str(path))
    assert f"Alert profile {path}: " in str(raised.value)
    assert problem.removeprefix("is ") in str(raised.value)


def test_a_profile_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ProfileError, match=r"Alert profile .*absent\.yml: not readable \(No such file or directory\)"):
        load_alerts(str(tmp_path / "absent.yml"))


def test_what_fires_is_described_with_its_labels_and_value(evaluate, server):
    series = [{"metric": {"group": "mlflow"}, "values": [[1010, "1.23456"], [1020, "9"]]}, {"metric": {}, "values": [[1020, "+Inf"]]}]
    server.responses = [success("matrix", series)]
    [found] = evaluate(HOT)
    assert (found["status"], found["series"], found["reason"]) == ("fired", 2, None)
    assert found["fired"] == [
        {"at": 1010.0, "value": 1.23456, "text": "CPU of mlflow is 1.235"}, {"at": None, "value": None, "text": "CPU of  is +Inf"},
    ]  # fmt: skip


def test_many_series_are_counted_and_the_first_ones_kept(evaluate, server):
    server.responses = [success("matrix", [{"metric": {"group": str(n)}, "values": [[1010, "2"]]} for n in range(500)])]
    [found] = evaluate(HOT)
    assert (found["series"], len(found["fired"])) == (500, 20)


@pytest.mark.parametrize(
    ("expr", "start"),
    [
        pytest.param("cpu > 1", 1000.0, id="no-range"),
        pytest.param("rate(cpu[20s]) > 1", 1020.0, id="range"),
        pytest.param("rate(cpu[20s]) / rate(other[500ms]) > 1", 1020.0, id="longest-range"),
        pytest.param("max_over_time(cpu[{{.elapsed}}:]) > 1", 1060.0, id="elapsed"),
        pytest.param("rate(cpu[1m30s]) > 1", 1060.0, id="longer-than-the-window"),
    ],
)
def test_what_happened_before_the_window_is_not_judged(evaluate, server, expr, start):
    evaluate({"expr": expr})
    [query] = server.queries
    assert (float(query["start"]), float(query["end"]), float(query["step"])) == (start, 1060.0, 10.0)


def test_variables_are_those_of_metrics_profiles(evaluate, server):
    evaluate({"expr": 'x{a="{{.name}}"}[{{.elapsed}}] > 0'}, variables={"name": "b"})
    assert server.queries[0]["query"] == 'x{a="b"}[60s] > 0'


@pytest.mark.parametrize(
    ("expr", "response", "reason"),
    [
        pytest.param("x > {{.limit}}", success("matrix", []), "{{.limit}}, which has no value", id="variable"),
        pytest.param("x >", (400, '{"status": "error", "errorType": "bad_data", "error": "unexpected end of input"}'), "unexpected end of input", id="syntax"),
        pytest.param("x > 1", (503, "away"), "503", id="server"),
    ],
)
def test_an_alert_that_cannot_be_evaluated_is_unknown(evaluate, server, expr, response, reason):
    server.responses = [response]
    [found] = evaluate({"expr": expr})
    assert (found["status"], found["series"]) == ("unknown", None)
    assert reason in found["reason"]
