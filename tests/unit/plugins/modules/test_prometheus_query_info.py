# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module prometheus_query_info as Ansible runs it."""

from __future__ import annotations

import json
import time

import pytest

from ansible_collections.perfscale.mlflow.tests.unit.plugins.module_utils.prometheus.prometheus_double import prometheus_double, success

ENTRY = {"metricName": "cpu_mean", "query": "cpu{ {{.selector}} }", "instant": True, "field": "cpu_cores_mean", "component_label": "group"}
RANGE = {"metricName": "cpu", "query": "rate(cpu[{{.interval}}])"}
VALUE = success("vector", [{"metric": {"group": "mlflow"}, "value": [1060, "0.5"]}])
MATRIX = success("matrix", [{"metric": {"group": "mlflow"}, "values": [[1010, "0.7"]]}])


@pytest.fixture(name="double")
def fixture_double():
    with prometheus_double() as double:
        double.answers = [VALUE]
        yield double


@pytest.fixture(name="ask")
def fixture_ask(run_module, double):
    """Calls the module on a window long ago."""

    def ask(check=False, **arguments):
        common = {"url": double.url, "profile": [ENTRY], "start": "1000", "end": "1060", "components": {"mlflow": "mlflow"}, "retries": 0}
        return run_module("prometheus_query_info", {**common, **arguments}, check)

    return ask


def test_figures_are_returned(ask):
    said = ask()
    assert not said["changed"]
    assert said["resources"]["mlflow"]["cpu_cores_mean"] == 0.5
    assert said["metrics"][0]["query"] == 'cpu{ group="mlflow" }'
    assert said["metrics"][0]["series"] == [{"labels": {"group": "mlflow"}, "component": "mlflow", "instance": None, "value": 0.5}]
    assert (said["requests"], said["errors"], said["window"]) == (1, [], {"start": 1000.0, "end": 1060.0})


def test_all_files_are_written(ask, double, tmp_path):
    double.answers = [VALUE, MATRIX]
    files = {f"{name}_file": str(tmp_path / "new" / name) for name in ("series", "csv", "documents")}
    said = ask(profile=[ENTRY, RANGE], csv_header={"Database Backend": "sqlite"}, uuid="u", **files)
    assert said["changed"]
    assert sorted(said["files"]) == sorted(files.values())
    assert "1010,cpu,,group=mlflow,0.7" in (tmp_path / "new" / "series").read_text(encoding="utf-8")
    assert "# Database Backend: sqlite\n" in (tmp_path / "new" / "csv").read_text(encoding="utf-8")
    assert [document["uuid"] for document in json.loads((tmp_path / "new" / "documents").read_text(encoding="utf-8"))] == ["u", "u"]


def test_check_mode_writes_nothing(ask, tmp_path):
    said = ask(check=True, csv_file=str(tmp_path / "metrics.csv"))
    assert (said["changed"], said["files"], list(tmp_path.iterdir())) == (False, [], [])
    assert said["resources"]["mlflow"]["cpu_cores_mean"] == 0.5


def test_a_profile_may_be_a_file(ask, tmp_path):
    (tmp_path / "profile.yml").write_text(json.dumps([ENTRY]), encoding="utf-8")
    assert ask(profile=str(tmp_path / "profile.yml"))["resources"]["mlflow"]["status"] == "ok"


def test_a_token_travels_in_the_header_only(ask, double, tmp_path):
    (tmp_path / "token").write_text("s3cret", encoding="utf-8")
    said = ask(token_file=str(tmp_path / "token"))
    assert double.asked[0]["headers"]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in json.dumps(said)


def test_what_was_found_is_kept_when_something_is_missing(ask, tmp_path):
    said = ask(components={"mlflow": "mlflow", "postgresql": "postgresql"}, csv_file=str(tmp_path / "metrics.csv"))
    assert said["failed"]
    assert said["msg"].startswith("Metric cpu_mean: has no samples in the window for component postgresql.")
    assert said["resources"]["mlflow"]["cpu_cores_mean"] == 0.5
    assert "postgresql,cpu,avg,cores,N/A" in (tmp_path / "metrics.csv").read_text(encoding="utf-8")


def test_components_outside_of_a_tenancy_are_not_asked_for(ask, double):
    inside = {**ENTRY, "query": "cpu{ {{.selector}} }", "component_label": None}
    components = {"mlflow": {"namespace": "here", "group": "mlflow"}, "router": {"namespace": "openshift-ingress", "group": "router"}}
    double.answers = [success("vector", [{"metric": {"namespace": "here", "group": "mlflow"}, "value": [1060, "0.5"]}])]
    said = ask(profile=[inside], components=components, tenancy_namespace="here")
    assert double.asked[0]["query"] == 'cpu{ group="mlflow",namespace="here" }'
    assert "namespace=here" in double.asked[0]["path"]
    assert [said["resources"][name]["status"] for name in ("mlflow", "router")] == ["ok", "not_requested"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"url": "nowhere"}, "Prometheus 'nowhere': is not a URL.", id="no URL"),
        pytest.param({"url": "http://127.0.0.1:1"}, "cannot be reached", id="unreachable"),
        pytest.param({"start": "later"}, "Window start 'later': is not a time.", id="no time"),
        pytest.param({"end": "999"}, "ends before it starts", id="reversed"),
        pytest.param({"end": str(time.time() + 3600)}, "in the future", id="future"),
        pytest.param({"profile": []}, "is not a list of queries", id="empty profile"),
        pytest.param({"profile": "/nowhere.yml"}, "Metrics profile /nowhere.yml: cannot be read", id="no profile"),
        pytest.param({"profile": [{**ENTRY, "query": "{{.x}}"}]}, "uses {{.x}}, which has no value", id="unknown variable"),
        pytest.param({"components": {"mlflow": {}}}, "Component mlflow: its selector {} selects nothing", id="bad selector"),
        pytest.param({"token_file": "/nowhere"}, "Token file /nowhere: cannot be read", id="no token file"),
        pytest.param({"scrape_interval": 0}, "Option scrape_interval 0: is not positive", id="no interval"),
        pytest.param({"spacing_s": -1}, "Option spacing_s -1: is negative", id="negative pause"),
        pytest.param({"step": 0.001}, "Step 0.001 s: more than 11000 points", id="step too fine"),
        pytest.param({"series_file": "/proc/none/series.csv"}, "File /proc/none/series.csv: ", id="not writable"),
    ],
)
def test_problems_are_one_sentence_and_the_components_are_there(ask, changes, said):
    answer = ask(**changes)
    assert answer["failed"]
    assert said in answer["msg"]
    assert answer["errors"] == [answer["msg"]]
    assert answer["resources"]["mlflow"]["status"] in ("missing", "ok")
    assert "Traceback" not in json.dumps(answer)


def test_a_profile_file_needs_yaml(ask, monkeypatch):
    monkeypatch.setattr("ansible_collections.perfscale.mlflow.plugins.modules.prometheus_query_info.YAML_ERROR", "ImportError: no yaml")
    said = ask(profile="/some/profile.yml")
    assert said["failed"]
    assert "PyYAML" in said["msg"]
