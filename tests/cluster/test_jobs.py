# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of an automation controller against a cluster: the load outlives the job that is cut, and the next one, in a fresh place, goes on.

The tests stand in the order of the jobs and share one MLflow. Three jobs of one run are cancelled, each at another point. One that is silent, or
cancelled while it deploys or reports, needs no cluster (tests/awx).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

import administrator
from run_settings import settings_for

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "awx"))

from jobs import WITHOUT_CHARTS, Job

pytestmark = pytest.mark.second_round
RUN = "job-kept"
CELLS = ["t1-c5-r1", "t1-c6-r1"]
TWO_CELLS = {"run_id": RUN, "test_matrix_concurrency": "5,6"}
STARTED = "Start k6 or attach to the one that runs"
SILENCE_S = 16


class Controller:
    """Launches jobs that log in with their credential, and has the directory of results outside of them."""

    def __init__(self, settings, login, create_directory):
        self.settings, self.login, self._create_directory = settings, login, create_directory
        self.sink = create_directory("sink")
        self.jobs = []

    def launch(self, playbook, answers, with_sink=True, heartbeat_s=30, **more):
        sinks = [{"name": "shared", "kind": "directory", "path": str(self.sink)}] if with_sink else []
        variables = {**self.settings, "publish_sinks": sinks, "test_matrix_tenants": "1", "test_matrix_concurrency": "5", **WITHOUT_CHARTS, **answers}
        environment = {**self.login, "PERFSCALE_HEARTBEAT_S": str(heartbeat_s)}
        directory = self._create_directory(f"job-{len(self.jobs) + 1}-")
        self.jobs.append(Job(directory, playbook, variables, environment, inventory="kubernetes", **more))
        return self.jobs[-1]

    def done(self):
        """Return the cells whose records have reached the place of results, with their verdicts."""
        paths = {cell_id: self.sink / RUN / "cells" / cell_id / "cell.json" for cell_id in CELLS}
        return {cell_id: json.loads(path.read_text(encoding="utf-8"))["verdict"]["status"] for cell_id, path in paths.items() if path.exists()}


@pytest.fixture(name="controller", scope="module")
def fixture_controller(cluster, images, prometheus, tmp_path_factory):
    """A controller whose jobs have the permissions of the shipped roles alone; what they created is deleted at the end."""
    settings = {**settings_for(tmp_path_factory.mktemp("operator"), images, prometheus), "mlflow_operator_manifests": []}
    with administrator.prepared(cluster, images) as login:
        controller = Controller(settings, login, tmp_path_factory.mktemp)
        yield controller
        for job in controller.jobs:
            if job.process.poll() is None:
                job.cancel()
        assert controller.launch("teardown", {"teardown_all": "true"}, with_sink=False).end() == 0


def until_loaded(job, cell_id):
    """Wait until a line of progress reports requests of the cell."""
    job.until(f"load of {cell_id}", lambda: re.search(rf"{cell_id}: .* [1-9]\d* requests so far", job.output))


def starts(job):
    """Return the loads that a job started or attached to: whether attached, by cell."""
    done = [event["event_data"]["res"]["attempt"] for event in job.events() if event["event"] == "runner_on_ok" and event["event_data"]["task"] == STARTED]
    return {Path(attempt["directory"]).parents[1].name: attempt["attached"] for attempt in done if "cells" in Path(attempt["directory"]).parts}


def test_cancelled_while_it_prefills(controller):
    # The job prints that it waits, or its controller would end it.
    job = controller.launch("full_suite", TWO_CELLS, heartbeat_s=SILENCE_S / 4, settings={"idle_timeout": SILENCE_S})
    job.until("prefill", lambda: next((job.project / "results" / RUN / "prefill").glob("*/state.json"), None))
    assert job.cancel() == 254
    assert job.status == "canceled"
    assert (controller.sink / RUN / "run.json").exists()
    assert controller.done() == {}


def test_cancelled_in_a_window(controller):
    # Without deploy.yml before it, what is measured is described again.
    job = controller.launch("run_matrix", {**TWO_CELLS, "run_id": "", "resume": "latest"})
    until_loaded(job, CELLS[0])
    assert job.cancel() == 254
    assert f"Run {RUN} goes on" in job.output
    assert starts(job) == {CELLS[0]: False}
    assert controller.done() == {}


def test_another_run_is_rejected_while_the_load_goes_on(controller):
    job = controller.launch("deploy", {"run_id": "other"}, with_sink=False)
    assert job.end() == 2
    assert f"held by run {RUN} until" in job.output


def test_cancelled_after_the_first_cell(controller):
    job = controller.launch("run_matrix", TWO_CELLS)
    job.until("record of the first cell", lambda: CELLS[0] in controller.done())
    assert job.cancel() == 254
    # The next load may have started before the job was cut.
    assert starts(job)[CELLS[0]]
    assert controller.done() == {CELLS[0]: "valid"}


def test_the_last_job_ends_the_run(controller):
    first = (controller.sink / RUN / "cells" / CELLS[0] / "cell.json").read_bytes()
    assert [entry["n"] for entry in json.loads(first)["attempts"]] == [1]
    job = controller.launch("full_suite", TWO_CELLS)
    assert job.end() == 0
    assert "1 of 2 cells to run" in job.output
    assert list(starts(job)) == [CELLS[1]]
    assert controller.done() == dict.fromkeys(CELLS, "valid")
    assert (controller.sink / RUN / "cells" / CELLS[0] / "cell.json").read_bytes() == first
    assert (controller.sink / RUN / "report" / "index.html").is_file()
    assert (job.stats()["perfscale_run_id"], job.stats()["perfscale_cells_valid"], job.stats()["perfscale_verdict"]) == (RUN, 2, "valid")


def test_without_a_sink_the_cluster_names_the_run_and_its_load_is_used(controller):
    first = controller.launch("full_suite", {"run_id": "job-alone"}, with_sink=False)
    until_loaded(first, CELLS[0])
    assert first.cancel() == 254
    second = controller.launch("full_suite", {"resume": "latest"}, with_sink=False)
    assert second.end() == 0
    assert "Run job-alone: holds the cluster or held it last, but nothing was found of its records" in second.output
    assert starts(second) == {CELLS[0]: True}
    assert (second.stats()["perfscale_run_id"], second.stats()["perfscale_verdict"]) == ("job-alone", "valid")
