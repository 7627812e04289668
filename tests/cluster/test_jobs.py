# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of an automation controller against a cluster: the load outlives the job that is cut, and the next one, in a fresh place, attaches to it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import administrator
import pytest
from cluster_suite import settings_for

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "awx"))

from jobs import Job

pytestmark = pytest.mark.alone
CELLS = ["t1-c5-r1", "t1-c6-r1"]
STARTED = "Start k6 in the pod or attach to the one that runs"


@pytest.fixture(name="launch", scope="module")
def fixture_launch(cluster, images, prometheus, tmp_path_factory):
    """Launches jobs that log in as their credential tells; what they made goes at the end."""
    settings = {**settings_for(tmp_path_factory.mktemp("operator"), images, prometheus), "mlflow_operator_manifests": []}
    sink = tmp_path_factory.mktemp("sink")
    jobs = []
    with administrator.prepared(cluster, images) as login:

        def launch(playbook, answers, with_sink=False):
            sinks = [{"name": "shared", "kind": "directory", "path": str(sink)}] if with_sink else []
            variables = {**settings, "publish_sinks": sinks, "test_matrix_tenants": "1", "test_matrix_concurrency": "5", **answers}
            jobs.append(Job(tmp_path_factory.mktemp(f"job-{len(jobs) + 1}-"), playbook, variables, login, inventory="kubernetes"))
            return jobs[-1]

        yield launch
        for job in jobs:
            if job.process.poll() is None:
                job.cancel()
        assert launch("teardown", {"teardown_all": "true"}).end() == 0


def until_loaded(job, cell_id):
    """Waits until a line of progress tells of requests of the cell."""
    job.until(f"load of {cell_id}", lambda: re.search(rf"{cell_id}: .* [1-9]\d* requests so far", job.output))


def starts(job):
    """The loads that a job started or attached to: whether attached, by cell."""
    done = [event["event_data"]["res"]["attempt"] for event in job.events() if event["event"] == "runner_on_ok" and event["event_data"]["task"] == STARTED]
    return {Path(attempt["directory"]).parents[1].name: attempt["attached"] for attempt in done if "cells" in Path(attempt["directory"]).parts}


def test_without_a_sink_the_cluster_names_the_run_and_its_load_is_used(launch):
    first = launch("full_suite", {"run_id": "job-alone"})
    until_loaded(first, CELLS[0])
    assert first.cancel() == 254
    second = launch("full_suite", {"resume": "latest"})
    assert second.end() == 0
    assert "Run job-alone: holds the cluster, but nothing was found of its records" in second.output
    assert starts(second) == {CELLS[0]: True}
    assert (second.stats()["perfscale_run_id"], second.stats()["perfscale_verdict"]) == ("job-alone", "valid")


def test_with_a_sink_the_run_goes_on_where_it_was_cut(launch):
    two = {"run_id": "job-kept", "test_matrix_concurrency": "5,6"}
    first = launch("full_suite", two, with_sink=True)
    until_loaded(first, CELLS[1])
    assert first.cancel() == 254
    # Without deploy.yml before it, what is measured is described again.
    second = launch("run_matrix", two, with_sink=True)
    assert second.end() == 0
    assert "1 of 2 cells to run" in second.output
    assert starts(second) == {CELLS[1]: True}
    assert (second.stats()["perfscale_cells_valid"], second.stats()["perfscale_verdict"]) == (2, "valid")
