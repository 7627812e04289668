# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments from axes, and the sizing table of their searches."""

from __future__ import annotations

import csv

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.deployments import deployments_of, visits_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.sizing import sizing_markdown, sizing_rows, write_sizing


def test_every_combination_is_a_deployment():
    labels = [point["label"] for point in deployments_of({"workers": [1, 2], "db_backend": ["sqlite", "postgres"]})]
    assert labels == ["workers-1-db-backend-sqlite", "workers-1-db-backend-postgres", "workers-2-db-backend-sqlite", "workers-2-db-backend-postgres"]


def test_one_value_needs_no_list():
    assert deployments_of({"workers": "4"}) == [{"label": "workers-4", "variables": {"local_stack_workers": 4}}]


def test_a_cluster_varies_what_its_resource_has():
    [point] = deployments_of({"replicas": 2, "db_backend": "postgres", "cpu_limit": "500m", "memory_limit": "1.5Gi"}, "kubernetes")
    assert point["label"] == "replicas-2-db-backend-postgres-cpu-limit-500m-memory-limit-1.5Gi"
    assert point["variables"] == {
        "mlflow_server_replicas": 2,
        "mlflow_server_db_backend": "postgres",
        "mlflow_server_cpu_limit": "500m",
        "mlflow_server_memory_limit": "1.5Gi",
    }


def test_an_image_is_named_by_its_tag():
    [point] = deployments_of({"image": ["registry.example.com/mlflow@x:v3.17.2"]}, "kubernetes")
    assert (point["label"], point["variables"]) == ("image-mlflow-x-v3.17.2", {"mlflow_server_image": "registry.example.com/mlflow@x:v3.17.2"})


def test_every_second_round_has_the_reverse_order():
    visits = visits_of(deployments_of({"workers": [1, 2]}), 3)
    assert [visit["label"] for visit in visits] == [f"workers-{count}-round-{number}" for number, count in ((1, 1), (1, 2), (2, 2), (2, 1), (3, 1), (3, 2))]
    assert [visit["deployment"] for visit in visits[:3]] == ["workers-1", "workers-2", "workers-2"]


def test_the_visits_of_a_round_draw_the_same_journeys():
    visits = visits_of(deployments_of({"workers": [1, 2]}), 2)
    variables = [visit["variables"] for visit in visits]
    assert [(found["test_matrix_seed"], found["local_stack_workers"]) for found in variables] == [(1, 1), (1, 2), (2, 2), (2, 1)]


def test_one_round_leaves_the_labels():
    [visit] = visits_of(deployments_of({"workers": 4}), 1)
    assert visit == {"label": "workers-4", "deployment": "workers-4", "variables": {"local_stack_workers": 4}}


def test_no_round_is_a_sentence():
    with pytest.raises(ValueError, match="Rounds: 0 is not allowed"):
        visits_of(deployments_of({"workers": 4}), 0)


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        pytest.param({"mlflow_version": ["3.12.0"]}, "Deployment axis mlflow_version: is unknown in the environment openshift.", id="version of the operator"),
        pytest.param({"replicas": [1, 2], "db_backend": ["sqlite"]}, "several replicas cannot share a SQLite file.", id="replicas of a file"),
        pytest.param({"image": ["a.example.com/mlflow:1", "b.example.com/mlflow:1"]}, "two have the label image-mlflow-1. Give images whose", id="equal tags"),
        pytest.param({"memory_limit": ["much"]}, "Deployment axis memory_limit: 'much' is not allowed. Give quantities such as 2Gi.", id="quantity"),
    ],
)
def test_what_a_cluster_cannot_deploy_is_named(axes, sentence):
    with pytest.raises(ValueError, match=sentence.replace(".", r"\.")):
        deployments_of(axes, "openshift")


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        pytest.param({}, "Deployments: no axis is given.", id="no axis"),
        pytest.param({"cpus": [1]}, "Deployment axis cpus: is unknown in the environment local. Allowed: workers, db_backend, mlf", id="unknown axis"),
        pytest.param({"workers": [0]}, "Deployment axis workers: 0 is not allowed. Give whole numbers from 1 up.", id="no worker"),
        pytest.param({"replicas": [2]}, "Deployment axis replicas: is unknown in the environment local.", id="axis of a cluster"),
        pytest.param({"mlflow_version": ["main"]}, "'main' is not allowed. Give versions such as 3.12.0.", id="no version"),
        pytest.param({"workers": [True]}, "Deployment axis workers: True is not allowed.", id="a bool"),
        pytest.param({"db_backend": ["mysql"]}, "Deployment axis db_backend: 'mysql' is not allowed. Give sqlite or postgres.", id="unknown database"),
        pytest.param({"workers": []}, "Deployment axis workers: has no values. Give a list of whole numbers from 1 up.", id="no values"),
    ],
)
def test_what_cannot_be_deployed_is_named(axes, sentence):
    with pytest.raises(ValueError, match=sentence.replace("[", r"\[").replace(".", r"\.")):
        deployments_of(axes)


def test_a_search_is_a_row(searched):
    [row] = sizing_rows([("workers-1", searched.directory)], searched.schema_dir)
    assert (row["deployment"], row["workers"], row["db_backend"], row["status"]) == ("workers-1", 1, "sqlite", "answered")
    assert row["capacity_low"] < row["capacity"] < row["capacity_high"]
    assert row["capacity_per_core"] == pytest.approx(row["capacity"] / row["server_cores"])


def test_the_table_is_written_as_csv_and_markdown(searched, tmp_path):
    rows = sizing_rows([("workers-1", searched.directory)], searched.schema_dir)
    assert write_sizing(tmp_path / "sizing", rows) == ["sizing.csv", "sizing.md"]
    with (tmp_path / "sizing" / "sizing.csv").open(encoding="utf-8", newline="") as stream:
        [row] = csv.DictReader(stream)
    assert float(row["capacity"]) == rows[0]["capacity"]


def test_a_search_without_an_answer_has_no_capacity(searched):
    [row] = sizing_rows([("workers-1", searched.directory)], searched.schema_dir)
    without = {**row, "status": "above", "capacity": None, "shown_to_hold": 2.0, "shown_to_fail": None}
    assert "| workers-1 | above (2 journeys/s holds) |" in sizing_markdown([without])
    assert "| workers-1 | above |" in sizing_markdown([{**without, "shown_to_hold": None}])


def test_a_run_without_a_search_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"capacity\.json: cannot be read"):
        sizing_rows([("workers-1", tmp_path)], tmp_path)
