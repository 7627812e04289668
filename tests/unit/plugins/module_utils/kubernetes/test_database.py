# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows and size of a database in a cluster: of SQLite by a command, which runs on this machine, of PostgreSQL by a Job."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import database as databases
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.database import read_database
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import CommandResult
from fakes.fake_cluster import FakeCluster
from fakes.fake_jobs import PLACE, FakeJobCluster

POD = {"namespace": "odh", "pod": "mlflow-[a-z]+", "container": "mlflow"}


def pod(name, **status):
    running = {"phase": "Running", "containerStatuses": [{"name": "mlflow", "state": {"running": {}}}]}
    return f"/api/v1/namespaces/odh/pods/{name}", {"metadata": {"name": name, "namespace": "odh"}, "status": {**running, **status}}


@pytest.fixture
def here(monkeypatch):
    """Run commands of pods on this machine; return the pods in which they ran."""
    places = []
    environment = {"PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}

    def run(_cluster, container, argv, timeout_s):
        places.append(container)
        done = subprocess.run([shutil.which(argv[0]), *argv[1:]], env=environment, capture_output=True, timeout=timeout_s, check=False)
        return CommandResult(done.returncode, done.stdout, done.stderr.decode())

    monkeypatch.setattr(databases, "run", run)
    return places


def test_the_file_of_mlflow(here, tmp_path):
    path = tmp_path / "ml flow.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT)")
        connection.execute('CREATE TABLE "odd ""name" (id)')
        connection.executemany("INSERT INTO runs VALUES (?)", [(1,), (2,)])
    before = path.read_bytes()
    cluster = FakeCluster(pod("mlflow-old", phase="Pending", containerStatuses=[]), pod("other"), pod("mlflow-new"))
    found = read_database(cluster, {"kind": "sqlite", "pod": {**POD, "path": str(path)}}, "run-1")
    assert found == {"rows": {'odd "name': 0, "runs": 2}, "bytes": len(before)}
    assert here == [("odh", "mlflow-new", "mlflow")]
    assert path.read_bytes() == before


def test_the_server_of_ours():
    cluster = FakeJobCluster({"postgresql": '{"rows": {"runs": 7}, "bytes": 8192}'})
    assert read_database(cluster, {"kind": "postgres", "job": PLACE}, "run-1") == {"rows": {"runs": 7}, "bytes": 8192}
    assert cluster.created[0]["metadata"]["labels"]["perfscale.mlflow/run-id"] == "run-1"


@pytest.mark.parametrize(
    ("pods", "database", "sentence"),
    [
        pytest.param([pod("other")], {"kind": "sqlite", "pod": {**POD, "path": "/x"}}, r"^Pods odh/mlflow-\[a-z\]\+: none runs\.", id="no-pod"),
        pytest.param(
            [pod("mlflow-new")], {"kind": "sqlite", "pod": {**POD, "path": "/nowhere/x.db"}}, r"odh/mlflow-new: rows .*unable to open", id="no-file"
        ),
    ],
)
def test_what_cannot_be_read_is_named(here, pods, database, sentence):
    with pytest.raises(ClusterError, match=sentence):
        read_database(FakeCluster(*pods), database, "run-1")
