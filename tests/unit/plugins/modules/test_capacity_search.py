# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module capacity_search and the filters about a search, as Ansible calls them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.perfscale.mlflow.plugins.filter.capacity_settings import capacity_settings
from ansible_collections.perfscale.mlflow.plugins.filter.search_summary import search_summary
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import Run

FILES = Path(__file__).resolve().parents[4] / "files"
OBJECTIVES = yaml.safe_load((FILES / "slo" / "capacity.yml").read_text(encoding="utf-8"))["objectives"]


@pytest.fixture(name="plan")
def fixture_plan():
    found = capacity_settings({"axis": "rate"}, OBJECTIVES)
    matrix = yaml.safe_load((FILES / "matrices" / "capacity.yml").read_text(encoding="utf-8"))
    return expand(matrix, found["overrides"], {"capacity": found["search"]})


@pytest.fixture(name="step")
def fixture_step(run_module, tmp_path):
    """Call the module on one run."""

    def call(check=False):
        return run_module("capacity_search", {"run_directory": str(tmp_path / "run-1"), "schema_directory": str(FILES / "schemas")}, check)

    return call


def test_the_first_step_of_a_search(step, plan, tmp_path):
    run = Run(tmp_path / "run-1", FILES / "schemas")
    run.begin(plan, {}, {})
    found = step()["search"]
    run.release_lock()
    assert (found["ended"], found["cell"]["id"], found["remaining_s"]) == (False, "t10-q1-r1", 19 * 35)
    assert found["message"].startswith("Probe 1 (at most 20): 1 journeys/s")


def test_a_run_that_is_not_there_is_an_error(step):
    assert "cannot be read" in step()["msg"]


def test_the_filter_names_each_problem():
    with pytest.raises(AnsibleFilterError, match="Capacity axis users: is unknown"):
        capacity_settings({"axis": "users"}, OBJECTIVES)


def test_the_bounds_on_time_come_from_the_plan(plan):
    assert search_summary(plan) == (
        "Search of the highest rate from 1 journeys/s on: 5 min 20 s to 13 min 20 s (at most 20 probes of 35 s each), and the prefill."
    )
