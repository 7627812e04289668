# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run whose generator is taken away in a cell, against a real MLflow in a pod: the cell is retried once, and both attempts are recorded."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import pytest

from generator.pods import NAME, Generator, until

RUN = "run-1"
MLFLOW = [
    "server", "--host=0.0.0.0", "--port=5000", "--workers=1", "--enable-workspaces", "--allowed-hosts=*", "--serve-artifacts",
    "--backend-store-uri=sqlite:////tmp/mlflow.db", "--artifacts-destination=/tmp/artifacts",
]
RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}


@pytest.fixture
def mlflow(cluster, namespace, images) -> str:
    """URL of a real MLflow without authentication, in a pod."""
    environment = {"MLFLOW_ENABLE_WORKSPACES": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "HOME": "/tmp"}
    container = {
        "name": "mlflow", "image": images["mlflow"], "command": ["mlflow"], "args": MLFLOW,
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 5000}, "periodSeconds": 1},
    }
    pod = {"metadata": {"name": "mlflow", "labels": {"app": "mlflow"}}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    path = f"/api/v1/namespaces/{namespace}/pods"
    until("service account", lambda: cluster.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default"))
    cluster.request("POST", path, pod)

    def ready() -> Any:
        status = (cluster.get(f"{path}/mlflow") or {}).get("status") or {}
        return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in status.get("conditions") or []) and status["podIP"]

    return f"http://{until('MLflow', ready, 240)}:5000"


@pytest.fixture
def run(cluster, namespace, images, mlflow, tmp_path):
    """A run with a target, and the generator that it loads from."""
    generator = Generator(cluster, namespace, images["k6"], tmp_path)
    generator.create()
    directory = tmp_path / "results" / RUN
    directory.mkdir(parents=True)
    target = {
        "schema_version": 1,
        "mlflow": {"url": mlflow, "ca_file": None, "token_file": None, "tls_verify": True, "workspace_backend": "api", "version": "3.17.2", "owned": False},
        "prometheus": {"url": None, "ca_file": None, "token_file": None, "tls_verify": True, "profile": "none", "scrape_interval_s": 5, "variables": {}},
        "generator": generator.target,
        "database": {"kind": "unknown", "owned": False},
        "components": {},
        "factors": {"target": "internal", "db_backend": "sqlite"},
        "fingerprint": {},
    }
    (directory / "target.json").write_text(json.dumps(target))
    variables = {
        "test_matrix_results_dir": str(tmp_path / "results"), "test_matrix_requested_run_id": RUN, "test_matrix_lease_namespace": namespace,
        "test_matrix_tenants": "1", "test_matrix_concurrency": "2", "test_matrix_duration": "20s", "test_matrix_warmup": "1s",
        "test_matrix_allow_partial": True, "data_set_experiments_per_tenant": 1,
        "k6_runner_pod_image": images["k6"], "k6_runner_pod_resources": RESOURCES, "k6_runner_progress_interval_s": 2,
    }
    return generator, directory, variables


def cell_of(directory):
    return next(directory.glob("cells/*"))


def test_a_cell_whose_generator_is_deleted_is_tried_once_more(run, playbook):
    generator, directory, variables = run
    lost = {}

    def take_away():
        handle = json.loads(until("load of the cell", lambda: next(directory.glob("cells/*/state.json"), None), 240).read_text())["handle"]
        until("k6", lambda: generator.phase(handle) == "running")
        lost["uid"] = handle["pod_uid"]
        generator.delete()

    taker = threading.Thread(target=take_away)
    taker.start()
    played = playbook("run_matrix", variables, "-i", "inventories/kubernetes")
    taker.join()
    assert played.returncode == 0
    record = json.loads((cell_of(directory) / "cell.json").read_text())
    first, second = record["attempts"]
    assert (first["n"], first["outcome"], second["n"]) == (1, "failed", 2)
    # The pod may go while k6 is being started in it, or while it is watched: the one is "Pod …: lost", the other "k6 of …: lost its pod".
    assert " lost" in first["reason"]
    assert record["notes"]["disturbances"][0].startswith("attempt 1 failed shortly before (")
    assert re.search(r"the pod (was|is being) deleted", first["reason"])
    assert record["verdict"]["status"] != "failed"
    assert record["total"]["n"] > 20
    assert generator.pod()["metadata"]["uid"] != lost["uid"]
    assert (cell_of(directory) / "samples.csv.gz").exists()


def test_a_cell_whose_generator_has_too_little_memory_fails_with_its_reason(run, playbook):
    generator, directory, variables = run
    generator.create(resources={"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "48Mi"}})
    played = playbook("run_matrix", {**variables, "test_matrix_concurrency": "150"}, "-i", "inventories/kubernetes")
    assert played.returncode == 0
    record = json.loads((cell_of(directory) / "cell.json").read_text())
    assert record["verdict"]["status"] == "failed"
    assert len(record["attempts"]) == 1
    assert "OOMKilled, exit code 137" in record["verdict"]["reasons"][0]
    assert (cell_of(directory) / "attempts" / "1" / "k6.log").exists()
    assert not (cell_of(directory) / "samples.csv.gz").exists()
    assert generator.pod()["metadata"]["name"] == NAME
