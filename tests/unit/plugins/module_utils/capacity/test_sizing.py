# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments from axes, and the sizing table of their searches."""

from __future__ import annotations

import csv

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.sizing import deployments_of, sizing_markdown, sizing_rows, write_sizing


def test_every_combination_is_a_deployment():
    labels = [point["label"] for point in deployments_of({"workers": [1, 2], "db_backend": ["sqlite", "postgres"]})]
    assert labels == ["workers-1-db-backend-sqlite", "workers-1-db-backend-postgres", "workers-2-db-backend-sqlite", "workers-2-db-backend-postgres"]


def test_one_value_needs_no_list():
    assert deployments_of({"workers": "4"}) == [{"label": "workers-4", "workers": 4}]


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        pytest.param({}, "Deployments: no axis is given.", id="no axis"),
        pytest.param({"cpus": [1]}, "Deployment axis cpus: is unknown. Allowed: workers, db_backend.", id="unknown axis"),
        pytest.param({"workers": [0]}, "Deployment axis workers: 0 is not allowed. Give whole numbers from 1 up.", id="no worker"),
        pytest.param({"workers": [True]}, "Deployment axis workers: True is not allowed.", id="a bool"),
        pytest.param({"db_backend": ["mysql"]}, "Deployment axis db_backend: 'mysql' is not allowed. Give sqlite or postgres.", id="unknown database"),
        pytest.param({"workers": []}, "Deployment axis workers: has no values. Give a list such as [1, 2].", id="no values"),
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
    text = sizing_markdown([{**row, "status": "above", "capacity": None}])
    assert "| workers-1 | above |" in text


def test_a_run_without_a_search_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"capacity\.json: cannot be read"):
        sizing_rows([("workers-1", tmp_path)], tmp_path)
