# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils" / "mlflow"))

from stand_in_mlflow import StandInMlflow

MLFLOW = "ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow"


@pytest.fixture
def server():
    with StandInMlflow() as stand_in:
        stand_in.workspaces["tenant-1"] = ""
        yield stand_in


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_a_shortfall_is_a_result(run_module, server, check):
    said = run_module("data_set_info", {"url": server.url, "numbers": [1, 2], "depth": "full", "shape": {"experiments_per_tenant": 1}}, check)
    found = said["data_set"]
    assert not said["changed"] and "failed" not in said
    assert found["missing"] == ["tenant-1", "tenant-2"] and found["incomplete_numbers"] == [1, 2] and not found["verified"]
    assert {"tenant": "tenant-1", "what": "experiments", "expected": 1, "found": 0} in found["shortfalls"]
    assert found["list_workspaces"] == ["default", "tenant-1"] and found["rows"] is None
    assert {method for method, _path, _workspace in server.requests if "workspaces" in _path} == {"GET"}


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
        pytest.param({"count": 1, "depth": "deep"}, "value of depth must be one of: digest, counts, full", id="depth"),
        pytest.param({"count": 1, "shape": {"runs": 1}}, "Unsupported parameters", id="unknown-shape"),
        pytest.param({"count": 1, "shape": {"runs_per_experiment": 0}}, "Data set shape runs_per_experiment=0: is not possible", id="no-runs"),
        pytest.param({"numbers": [1, 1]}, "Tenants: none, or a number twice", id="twice"),
        pytest.param({"count": 1, "url": "http://127.0.0.1:1"}, "is not reachable", id="down"),
        pytest.param({"count": 1, "database": {"kind": "sqlite", "path": "/nowhere/x.db"}}, "Database /nowhere/x.db: rows cannot be counted", id="no-database"),
    ],
)
def test_refuses_with_one_sentence(run_module, server, monkeypatch, arguments, sentence):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    said = run_module("data_set_info", {"url": server.url, **arguments})
    assert said["failed"] and sentence in said["msg"] and "Traceback" not in said["msg"]


@pytest.mark.parametrize(
    ("attribute", "arguments", "library"),
    [
        pytest.param("client.urllib3", {}, "urllib3", id="urllib3"),
        pytest.param("database_rows.psycopg", {"database": {"kind": "postgres", "dsn_file": "/x"}}, "psycopg", id="psycopg"),
    ],
)
def test_says_which_library_is_missing(run_module, server, monkeypatch, attribute, arguments, library):
    monkeypatch.setattr(f"{MLFLOW}.{attribute}", None)
    assert f"({library})" in run_module("data_set_info", {"url": server.url, "count": 1, **arguments})["msg"]
