# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules around sinks: their results, and errors in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sinks import cluster_options, sink_spec
from fakes.run_factory import write_bare_run

SCHEMAS = str(Path(__file__).resolve().parents[4] / "files" / "schemas")
OMITTED = "omitted"


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    return write_bare_run(tmp_path / "results" / "run-1")


@pytest.fixture(name="options")
def fixture_options(run, tmp_path):
    (tmp_path / "shelf").mkdir()
    return {"run_directory": str(run), "schema_directory": SCHEMAS, "sinks": [{"kind": "directory", "path": str(tmp_path / "shelf")}]}


def test_a_run_goes_to_a_sink_and_comes_back(run_module, options, tmp_path):
    sent = run_module("run_publication", options)
    assert sent["changed"]
    assert sent["publication"]["problems"] == []
    assert not run_module("run_publication", options)["changed"]
    wanted = {"run_id": "latest", "results_directory": str(tmp_path / "back"), **{key: options[key] for key in ("sinks", "schema_directory")}}
    brought = run_module("run_restoration", wanted)
    assert brought["changed"]
    assert brought["restoration"]["restored"] == 1
    assert not run_module("run_restoration", wanted)["changed"]


def test_a_file_with_a_known_secret_is_not_sent(run_module, options, run, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TOKEN", "canary-of-the-environment")
    (run / "k6.log").write_text("x canary-of-the-environment")
    sent = run_module("run_publication", options)
    assert sent["publication"]["problems"] == [
        f"File {run}/k6.log: a secret of this run (line 1) in it. Nothing was sent. Remove it there, then publish again."
    ]
    assert "canary" not in json.dumps(sent)
    assert list((tmp_path / "shelf").iterdir()) == []


def test_sinks_are_reached_and_released(run_module, options, tmp_path):
    options = {key: options[key] for key in ("sinks", "schema_directory")}
    assert run_module("run_publication", {**options, "state": "checked"})["publication"]["problems"] == []
    assert run_module("run_publication", {**options, "state": "released"})["publication"]["problems"] == []
    options["sinks"] = [{"kind": "directory", "path": str(tmp_path / "nowhere")}]
    assert len(run_module("run_publication", {**options, "state": "checked"})["publication"]["problems"]) == 1


@pytest.mark.parametrize("name", ["run_publication", "run_restoration"])
def test_check_mode_does_nothing(run_module, options, tmp_path, name):
    if name == "run_restoration":
        options = {"run_id": "latest", "results_directory": str(tmp_path), **{key: options[key] for key in ("sinks", "schema_directory")}}
    assert not run_module(name, options, check=True)["changed"]
    assert list((tmp_path / "shelf").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        pytest.param("run_publication", {"sinks": [{"kind": "ftp"}]}, "unknown kind 'ftp'", id="kind"),
        pytest.param("run_publication", {"run_directory": OMITTED}, "missing: run_directory", id="no run"),
        pytest.param("run_restoration", {"sinks": [{"kind": "directory"}]}, "option path missing", id="option"),
        pytest.param("run_restoration", {"sinks": [{"kind": "directory", "path": "/nowhere/at/all"}]}, "does not exist", id="sink"),
    ],
)
def test_errors_are_sentences(run_module, options, tmp_path, name, changes, words):
    if name == "run_restoration":
        options = {"run_id": "latest", "results_directory": str(tmp_path), "schema_directory": SCHEMAS}
    response = run_module(name, {key: value for key, value in {**options, **changes}.items() if value != OMITTED})
    assert response["failed"]
    assert words in response["msg"]


def test_a_summary_needs_a_record(run_module, run):
    (run / "run.json").write_text(json.dumps({"started": 1.0}), encoding="utf-8")
    response = run_module("run_summary_info", {"run_directory": str(run), "schema_directory": SCHEMAS})
    assert response["failed"]
    assert "run.json: at the document: 'schema_version' is a required property" in response["msg"]


def test_the_login_of_a_cluster_is_handed_on():
    params = {name: f"{name}-value" for name in sink_spec()}
    options = cluster_options(params, "run-1")
    assert (options["pod"], options["run_id"]) == ("pod-value", "run-1")
    assert options["login"]["kubeconfig"] == "kubeconfig-value"
    assert "sinks" not in options["login"]
