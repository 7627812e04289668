# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A short real search against a simulated MLflow whose capacity is known, through the playbook: bounds on time, answer, report, and a second start."""

from __future__ import annotations

import json

import pytest

from fakes.simulated_mlflow import simulated_mlflow
from fakes.simulated_searches import EMPTY_DATA_SET, SHORT_SEARCH

from .suite import Suite

# What others take from the machine makes probes invalid.
pytestmark = pytest.mark.alone
# One request of 8 ms after the other, 56 requests per journey.
SERVER = {"latency": {"*": {"constant": 8}}, "workers": 1}
CAPACITY = 1000 / 8 / 56
VARIABLES = {**EMPTY_DATA_SET, **SHORT_SEARCH, "run_id": "search"}


@pytest.fixture(name="searched", scope="module")
def fixture_searched(tmp_path_factory):
    """A finished search: (suite, finished playbook, the one of the second start)."""
    suite = Suite(tmp_path_factory.mktemp("capacity"))
    suite.report_formats = None
    with simulated_mlflow(**SERVER) as server:
        finished, again = (suite.play("capacity", VARIABLES, env={"MLFLOW_URL": server.url}) for _start in range(2))
    return suite, finished, again


def answer(suite):
    return json.loads((suite.results / "search" / "capacity.json").read_text(encoding="utf-8"))


def test_check_prints_the_bounds_on_time_and_writes_nothing(tmp_path):
    suite = Suite(tmp_path)
    with simulated_mlflow(**SERVER) as server:
        checked = suite.play("capacity", VARIABLES, "--check", env={"MLFLOW_URL": server.url})
    assert checked.returncode == 0
    assert "Search of the highest rate from 1 journeys/s on: " in checked.stdout
    assert not suite.results.exists()


def test_a_search_ends_with_an_answer(searched):
    suite, finished, _again = searched
    assert finished.returncode == 0
    assert answer(suite)["status"] == "answered"
    assert answer(suite)["sentence"] in " ".join(finished.stdout.split())


def test_the_answer_is_near_the_capacity_of_the_server(searched):
    crossing = answer(searched[0])["crossing"]
    assert crossing["low"] / 1.3 < CAPACITY < crossing["high"] * 1.3


def test_every_probe_is_a_cell_of_the_run(searched):
    suite, _finished, _again = searched
    assert [probe["id"] for probe in answer(suite)["probes"]] == [cell["id"] for cell in suite.run_json("search")["cells"]]


def test_the_report_begins_with_the_answer(searched):
    suite, _finished, _again = searched
    page = (suite.results / "search" / "report" / "index.html").read_text(encoding="utf-8")
    assert '<h1><span class="answer">This MLflow carries ' in page
    assert (suite.results / "search" / "report" / "chart_capacity.png").exists()


def test_a_second_start_measures_nothing_again(searched):
    suite, finished, again = searched
    assert again.returncode == 0
    assert f"goes on: {len(answer(suite)['probes'])} probes are done" in again.stdout
    assert "Cell 1 of" in finished.stdout
    assert "Cell 1 of" not in again.stdout
