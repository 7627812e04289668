# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module prometheus_query_info as Ansible runs it."""

from __future__ import annotations

import json
import time

import pytest
from ansible.module_utils.basic import AnsibleModule

from fakes.fake_prometheus import FakePrometheus, success

ENTRY = {"metricName": "cpu_mean", "query": "cpu{ {{.selector}} }", "instant": True, "field": "cpu_cores_mean", "component_label": "group"}
RANGE = {"metricName": "cpu", "query": "rate(cpu[{{.interval}}])"}
VALUE = success("vector", [{"metric": {"group": "mlflow"}, "value": [1060, "0.5"]}])
MATRIX = success("matrix", [{"metric": {"group": "mlflow"}, "values": [[1010, "0.7"]]}])


@pytest.fixture(name="server")
def fixture_server():
    with FakePrometheus() as server:
        server.responses = [VALUE]
        yield server


@pytest.fixture(name="ask")
def fixture_ask(run_module, server):
    """Call the module on a window long ago."""

    def ask(check=False, **arguments):
        common = {"url": server.url, "profile": [ENTRY], "start": "1000", "end": "1060", "components": {"mlflow": "mlflow"}, "retries": 0}
        return run_module("prometheus_query_info", {**common, "scrape_interval": 30, **arguments}, check)

    return ask


def test_figures_are_returned(ask):
    result = ask()
    assert not result["changed"]
    assert result["resources"]["mlflow"]["cpu_cores_mean"] == 0.5
    assert result["metrics"][0]["query"] == 'cpu{ group="mlflow" }'
    assert result["metrics"][0]["series"] == [{"labels": {"group": "mlflow"}, "component": "mlflow", "instance": None, "value": 0.5}]
    assert (result["requests"], result["errors"], result["window"]) == (1, [], {"start": 1000.0, "end": 1060.0})


@pytest.mark.parametrize(
    ("stamps", "interval", "rate_range"),
    [pytest.param((1000, 1005, 1010), 5.0, "20s", id="found"), pytest.param((1000,), 30.0, "120s", id="too few samples")],
)
def test_the_scrape_interval_is_found(ask, server, stamps, interval, rate_range):
    scrapes = success("matrix", [{"metric": {"job": "mlflow"}, "values": [[stamp, "1"] for stamp in stamps]}])
    server.responses = [success("matrix", []), scrapes, MATRIX]
    result = ask(profile=[RANGE], components={}, scrape_interval=None)
    assert result["scrape_interval"] == interval
    assert server.queries[-1]["query"] == f"rate(cpu[{rate_range}])"


def test_a_scrape_interval_that_cannot_be_read_costs_no_metric(ask, server, monkeypatch):
    warned = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warned.append(text))
    scrapes = success("matrix", [{"metric": {}, "histograms": [[1000, {"count": "5", "sum": "1.5"}]]}])
    server.responses = [scrapes, MATRIX]
    result = ask(profile=[RANGE], components={}, scrape_interval=None)
    assert (result["scrape_interval"], result["metrics"][0]["status"]) == (30.0, "ok")
    assert warned == [
        "Scrape interval: not found, so samples every 30 s are assumed (Metric samples: response has a native histogram). "
        "Give the interval (monitoring_scrape_interval_s)."
    ]


def test_a_server_that_rejects_the_first_query_is_an_error_and_asked_once(ask, server):
    server.responses = [(401, "no")]
    result = ask(profile=[RANGE], components={}, scrape_interval=None)
    assert "login required (401: no)" in result["msg"]
    assert len(server.queries) == 1


def test_all_files_are_written(ask, server, tmp_path):
    server.responses = [VALUE, MATRIX]
    files = {f"{name}_file": str(tmp_path / "new" / name) for name in ("series", "csv", "documents")}
    result = ask(profile=[ENTRY, RANGE], csv_header={"Database Backend": "sqlite"}, uuid="u", **files)
    assert result["changed"]
    assert sorted(result["files"]) == sorted(files.values())
    assert "1010,cpu,,group=mlflow,0.7" in (tmp_path / "new" / "series").read_text(encoding="utf-8")
    assert "# Database Backend: sqlite\n" in (tmp_path / "new" / "csv").read_text(encoding="utf-8")
    assert [document["uuid"] for document in json.loads((tmp_path / "new" / "documents").read_text(encoding="utf-8"))] == ["u", "u"]


def test_check_mode_writes_nothing(ask, tmp_path):
    result = ask(check=True, csv_file=str(tmp_path / "metrics.csv"))
    assert (result["changed"], result["files"], list(tmp_path.iterdir())) == (False, [], [])
    assert result["resources"]["mlflow"]["cpu_cores_mean"] == 0.5


def test_a_profile_may_be_a_file(ask, tmp_path):
    (tmp_path / "profile.yml").write_text(json.dumps([ENTRY]), encoding="utf-8")
    assert ask(profile=str(tmp_path / "profile.yml"))["resources"]["mlflow"]["status"] == "ok"


def test_a_token_travels_in_the_header_only(ask, server, tmp_path):
    (tmp_path / "token").write_text("s3cret", encoding="utf-8")
    result = ask(token_file=str(tmp_path / "token"))
    assert server.queries[0]["headers"]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in json.dumps(result)


def test_what_was_found_is_returned_when_something_is_missing(ask, tmp_path):
    result = ask(components={"mlflow": "mlflow", "postgresql": "postgresql"}, csv_file=str(tmp_path / "metrics.csv"))
    assert result["failed"]
    assert result["msg"].startswith("Metric cpu_mean: has no samples in the window for component postgresql.")
    assert result["resources"]["mlflow"]["cpu_cores_mean"] == 0.5
    assert "postgresql,cpu,avg,cores,N/A" in (tmp_path / "metrics.csv").read_text(encoding="utf-8")


def test_components_outside_of_a_tenancy_are_not_requested_for(ask, server):
    inside = {**ENTRY, "query": "cpu{ {{.selector}} }", "component_label": None}
    components = {"mlflow": {"namespace": "here", "group": "mlflow"}, "router": {"namespace": "openshift-ingress", "group": "router"}}
    server.responses = [success("vector", [{"metric": {"namespace": "here", "group": "mlflow"}, "value": [1060, "0.5"]}])]
    result = ask(profile=[inside], components=components, tenancy_namespace="here")
    assert server.queries[0]["query"] == 'cpu{ group="mlflow",namespace="here" }'
    assert "namespace=here" in server.queries[0]["path"]
    assert [result["resources"][name]["status"] for name in ("mlflow", "router")] == ["ok", "not_requested"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"url": "nowhere"}, "Prometheus 'nowhere': not a base URL.", id="no URL"),
        pytest.param({"url": "http://127.0.0.1:1"}, "not reachable", id="unreachable"),
        pytest.param({"start": "later"}, "Window start 'later': not a time.", id="no time"),
        pytest.param({"end": "999"}, "ends before it starts", id="reversed"),
        pytest.param({"end": str(time.time() + 3600)}, "in the future", id="future"),
        pytest.param({"profile": []}, "not a list of queries", id="empty profile"),
        pytest.param({"profile": "/nowhere.yml"}, "Metrics profile /nowhere.yml: not readable", id="no profile"),
        pytest.param({"profile": [{**ENTRY, "query": "{{.x}}"}]}, "uses {{.x}}, which has no value", id="unknown variable"),
        pytest.param({"components": {"mlflow": {}}}, "Component mlflow: selector {} selects nothing", id="bad selector"),
        pytest.param({"token_file": "/nowhere"}, "Token file /nowhere: not readable", id="no token file"),
        pytest.param({"scrape_interval": 0}, "Option scrape_interval 0: not positive", id="no interval"),
        pytest.param({"spacing_s": -1}, "Option spacing_s -1: negative", id="negative pause"),
        pytest.param({"step": 0.001}, "Step 0.001 s: more than 11000 points", id="step too fine"),
        pytest.param({"series_file": "/proc/none/series.csv"}, "File /proc/none/series.csv: ", id="not writable"),
    ],
)
def test_problems_are_one_sentence_and_the_components_are_there(ask, changes, problem):
    response = ask(**changes)
    assert response["failed"]
    assert problem in response["msg"]
    assert response["errors"] == [response["msg"]]
    assert response["resources"]["mlflow"]["status"] in ("missing", "ok")
    assert "Traceback" not in json.dumps(response)


def test_a_profile_file_needs_yaml(ask, monkeypatch):
    monkeypatch.setattr("ansible_collections.perfscale.mlflow.plugins.modules.prometheus_query_info.YAML_ERROR", "ImportError: no yaml")
    result = ask(profile="/some/profile.yml")
    assert result["failed"]
    assert "PyYAML" in result["msg"]
