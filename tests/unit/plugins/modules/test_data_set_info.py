# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sqlite3

import pytest

from fakes.fake_mlflow import FakeMlflow

PLUGINS = "ansible_collections.perfscale.mlflow.plugins"


@pytest.fixture
def server():
    with FakeMlflow() as running:
        running.workspaces["tenant-1"] = ""
        yield running


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_a_shortfall_is_a_result(run_module, server, check):
    result = run_module("data_set_info", {"url": server.url, "numbers": [1, 2], "depth": "full", "shape": {"experiments_per_tenant": 1}}, check)
    found = result["data_set"]
    assert not result["changed"]
    assert "failed" not in result
    assert found["missing"] == ["tenant-1", "tenant-2"]
    assert found["incomplete_numbers"] == [1, 2]
    assert not found["verified"]
    assert {"tenant": "tenant-1", "what": "experiments", "expected": 1, "found": 0} in found["shortfalls"]
    assert found["list_workspaces"] == ["default", "tenant-1"]
    assert found["rows"] is None
    assert {method for method, _path, _workspace in server.calls if "workspaces" in _path} == {"GET"}


def test_counts_the_rows_of_a_database(run_module, server, tmp_path):
    path = tmp_path / "mlflow.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE runs (id)")
    connection.close()
    arguments = {"url": server.url, "count": 1, "depth": "digest", "database": {"kind": "sqlite", "path": str(path)}}
    assert run_module("data_set_info", arguments)["data_set"]["rows"] == {"runs": 0}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param({}, "one of the following is required: numbers, count", id="neither"),
        pytest.param({"count": 1, "depth": "deep"}, "value of depth must be one of: digest, sample, counts, full", id="depth"),
        pytest.param({"count": 1, "shape": {"runs": 1}}, "Unsupported parameters", id="unknown-shape"),
        pytest.param({"count": 1, "shape": {"runs_per_experiment": -1}}, "Data set shape runs_per_experiment=-1: is not possible", id="no-runs"),
        pytest.param({"numbers": [1, 1]}, "Tenants: none, or a duplicate number", id="twice"),
        pytest.param({"count": 1, "url": "http://127.0.0.1:1"}, "not reachable", id="down"),
        pytest.param({"count": 1, "database": {"kind": "sqlite", "path": "/nowhere/x.db"}}, "Database /nowhere/x.db: rows cannot be counted", id="no-database"),
    ],
)
def test_errors_are_one_sentence(run_module, server, monkeypatch, arguments, sentence):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    result = run_module("data_set_info", {"url": server.url, **arguments})
    assert result["failed"]
    assert sentence in result["msg"]
    assert "Traceback" not in result["msg"]


@pytest.mark.parametrize(
    ("attribute", "arguments", "library"),
    [
        pytest.param("modules.data_set_info.URLLIB3_ERROR", {}, "urllib3", id="urllib3"),
        pytest.param("module_utils.mlflow.database_rows.psycopg", {"database": {"kind": "postgres", "dsn_file": "/x"}}, "psycopg", id="psycopg"),
    ],
)
def test_a_missing_library_is_named(run_module, server, monkeypatch, attribute, arguments, library):
    monkeypatch.setattr(f"{PLUGINS}.{attribute}", "trace" if attribute.endswith("ERROR") else None)
    assert f"({library})" in run_module("data_set_info", {"url": server.url, "count": 1, **arguments})["msg"]
