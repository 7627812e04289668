# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A search in the directory of its run: its plan grows by one cell for each probe, and a killed search goes on where it stopped."""

from __future__ import annotations

import copy

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.run import take_step
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import write_failed
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import PlanMismatchError, Run, outcome_of
from fakes.recorded_searches import LIMIT, OBJECTIVES, PLAN, ROOT, SCHEMAS, measured, plan_of, search


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    run = Run(tmp_path / "run-1", SCHEMAS)
    run.begin(PLAN, {}, {})
    yield run
    run.release_lock()


def planned(run):
    return [cell["id"] for cell in run.load()["plan"]["cells"]]


def test_the_first_probe_is_the_cell_that_was_planned(run):
    assert take_step(run.directory, SCHEMAS)["cell"]["id"] == "t10-q1-r1"
    assert planned(run) == ["t10-q1-r1"]


def test_the_plan_grows_and_its_digest_stays(run):
    measured(run, PLAN["cells"][0])
    step = take_step(run.directory, SCHEMAS)
    assert (step["cell"]["id"], step["cell"]["index"]) == ("t10-q2-r1", 2)
    assert planned(run) == ["t10-q1-r1", "t10-q2-r1"]
    assert run.load()["plan"]["digest"] == PLAN["digest"]


def test_a_probe_without_a_record_is_the_next_one(run):
    measured(run, PLAN["cells"][0])
    assert take_step(run.directory, SCHEMAS)["cell"] == take_step(run.directory, SCHEMAS)["cell"]
    assert len(planned(run)) == 2


def test_a_search_ends_with_an_answer_that_is_right(run):
    step = search(run)
    document = read_json(run.directory / "capacity.json")
    assert (step["status"], document["status"]) == ("answered", "answered")
    assert document["crossing"]["low"] < LIMIT < document["crossing"]["high"]
    assert step["message"].startswith("This MLflow (1 worker, SQLite) carries ")


def test_a_run_with_an_answer_passes_though_probes_miss_the_objectives(run):
    search(run)
    outcome = run.finish(OBJECTIVES)
    assert [result for result in run.load()["objectives"] if result["status"] == "missed"]
    assert (outcome["ok"], outcome["reasons"]) == (True, [])
    assert outcome["answer"].startswith("This MLflow")


def test_a_run_whose_search_has_not_ended_does_not_pass(run):
    measured(run, PLAN["cells"][0])
    run.finish(OBJECTIVES)
    assert "Search: has not ended." in " ".join(outcome_of(run.examine())["reasons"])


def test_a_killed_search_goes_on_where_it_stopped(run):
    for _number in range(4):
        measured(run, take_step(run.directory, SCHEMAS)["cell"])
    before = planned(run)
    begun = run.begin(PLAN, {}, {})
    assert (begun["resumed"], begun["done"]) == (True, before)
    search(run)
    assert planned(run)[: len(before)] == before


def test_other_parameters_of_the_search_are_another_plan(run):
    with pytest.raises(PlanMismatchError, match=r"resolution: 0\.1 -> 0\.2"):
        run.begin(plan_of(resolution=0.2), {}, {})


def test_an_invalid_probe_is_repeated(run):
    measured(run, PLAN["cells"][0], "invalid")
    assert take_step(run.directory, SCHEMAS)["cell"]["id"] == "t10-q1-r2"


def test_a_probe_without_a_measurement_is_repeated(run):
    write_failed(run, PLAN["cells"][0], {}, "k6 did not start.", {"n": 1, "started": 1.0}, {})
    assert take_step(run.directory, SCHEMAS)["cell"]["id"] == "t10-q1-r2"


def test_probes_that_stay_invalid_end_the_search(run):
    for _number in range(3):
        measured(run, take_step(run.directory, SCHEMAS)["cell"], "invalid")
    step = take_step(run.directory, SCHEMAS)
    assert (step["ended"], step["status"]) == (True, "invalid")
    assert run.load()["search"]["answered"] is False


def test_without_writing_nothing_changes(run):
    measured(run, PLAN["cells"][0])
    take_step(run.directory, SCHEMAS, write=False)
    assert planned(run) == ["t10-q1-r1"]
    assert not (run.directory / "capacity.json").exists()


def test_a_run_of_a_matrix_is_no_search(tmp_path):
    run = Run(tmp_path / "run-2", SCHEMAS)
    smoke = copy.deepcopy(expand(yaml.safe_load((ROOT / "files" / "matrices" / "smoke.yml").read_text(encoding="utf-8"))))
    run.begin(smoke, {}, {})
    with pytest.raises(ValueError, match="its plan has no search"):
        take_step(run.directory, SCHEMAS)
    run.release_lock()
