# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run by six jobs: five are cancelled, each at another point, and each time the next one goes on from the sink.

The tests stand in the order of the jobs and share one local stack, which lies outside of them as a real MLflow does.
"""

from __future__ import annotations

import json

import psutil
import pytest
import yaml
from jobs import WITHOUT_CHARTS

RUN = "awx-1"
CELLS = ["t1-c3-r1", "t1-c4-r1", "t1-c5-r1"]
# Which samples a window of seconds holds is not what is tested.
RULES = {"schema_version": 1, "rules": [{"finding": "partial_samples", "effect": "invalid", "remedy": "Run it again."}]}


@pytest.fixture(name="place", scope="module")
def fixture_place(tmp_path_factory, launch):
    """What is outside of the jobs: the stack, the sink, and the variables that name them."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "sink").mkdir()
    (outside / "validity.yml").write_text(yaml.safe_dump(RULES), encoding="utf-8")
    variables = {
        "local_stack_state_dir": str(outside / "stack"),
        "publish_sinks": [{"name": "shared", "kind": "directory", "path": str(outside / "sink")}],
        "test_matrix_validity_file": str(outside / "validity.yml"),
        "test_matrix_tenants": "1",
        "test_matrix_concurrency": "3,4,5",
        "test_matrix_warmup": "2s",
        "test_matrix_duration": "8s",
        "data_set_experiments_per_tenant": 8,
        **WITHOUT_CHARTS,
    }
    yield Place(outside, variables, launch)
    stopped = launch("teardown", {key: variables[key] for key in ("local_stack_state_dir",)})
    assert stopped.end() == 0


class Place:
    """The outside, and the job at hand."""

    def __init__(self, directory, variables, launch):
        self.directory, self.variables, self._launch = directory, variables, launch
        self.sink = directory / "sink" / RUN

    def launch(self, playbook, answers, **more):
        return self._launch(playbook, {**self.variables, **answers}, **more)

    def record(self, cell_id):
        return json.loads((self.sink / "cells" / cell_id / "cell.json").read_text(encoding="utf-8"))

    def done(self):
        """Return the cells whose records have reached the sink."""
        return [cell_id for cell_id in CELLS if (self.sink / "cells" / cell_id / "cell.json").exists()]


def results(job):
    return job.project / "results" / RUN


def requests_made(job, cell_id):
    """Return how many requests k6 of a cell has sent; 0 before it runs."""
    raw = next((results(job) / "cells" / cell_id / "attempts").glob("*/raw.csv"), None)
    return raw.read_bytes().count(b"\nhttp_reqs,") if raw else 0


def loads(job):
    """Return the living k6 of a job's results."""
    return [process for process in psutil.process_iter(["cmdline"]) if any(str(results(job)) in part for part in process.info["cmdline"] or [])]


def reported_done(job, number):
    return f"{len(CELLS) - number} of {len(CELLS)} cells to run" in job.output


def test_cancelled_while_it_deploys(place):
    job = place.launch("full_suite", {"run_id": RUN})
    job.until("start of MLflow", lambda: "Start MLflow" in job.tasks())
    assert job.cancel() == 254
    assert job.status == "canceled"
    assert not place.sink.exists()


def test_cancelled_while_it_prefills(place):
    job = place.launch("full_suite", {"run_id": RUN})
    job.until("prefill", lambda: next((results(job) / "prefill").glob("*/state.json"), None))
    assert job.cancel() == 254
    assert place.done() == []
    assert (place.sink / "run.json").exists()


def test_cancelled_in_a_window(place):
    job = place.launch("full_suite", {"resume": "latest"})
    job.until("load", lambda: requests_made(job, CELLS[0]) > 0)
    left = loads(job)
    assert job.cancel() == 254
    assert f"Run {RUN} goes on" in job.output
    assert [process for process in left if process.is_running()], "k6 outlives its job"
    assert place.done() == []


def test_cancelled_between_two_cells(place):
    job = place.launch("full_suite", {"run_id": RUN})
    job.until("metrics of the second cell", lambda: job.tasks().count("Collect the metrics of the window") == 2)
    assert job.cancel() == 254
    # The task that runs when a job is cut is an orphan until it ends, and may still have recorded the second cell.
    assert place.done() in (CELLS[:1], CELLS[:2])
    assert place.record(CELLS[0])["verdict"]["status"] == "valid"


def test_cancelled_while_it_reports(place):
    first, done = place.record(CELLS[0]), len(place.done())
    job = place.launch("full_suite", {"resume": "latest"}, settings={"idle_timeout": 25})
    job.until("report", lambda: "Print the verdict" in job.tasks() or job.tasks().count("Write the report") > len(CELLS) - done)
    assert job.cancel() == 254
    assert reported_done(job, done)
    assert place.done() == CELLS
    assert place.record(CELLS[0]) == first


def test_the_last_job_ends_the_run(place):
    records = {cell_id: place.record(cell_id) for cell_id in CELLS}
    job = place.launch("full_suite", {"run_id": RUN})
    assert job.end() == 0
    assert job.status == "successful"
    assert reported_done(job, 3)
    assert {cell_id: place.record(cell_id) for cell_id in CELLS} == records
    assert {name: record["verdict"]["status"] for name, record in records.items()} == dict.fromkeys(CELLS, "valid")
    assert (place.sink / "report" / "index.html").is_file()
    stats = job.stats()
    assert (stats["perfscale_run_id"], stats["perfscale_verdict"], stats["perfscale_cells_valid"]) == (RUN, "valid", 3)
    assert stats["perfscale_location"] == [str(place.sink)]
    assert stats["perfscale_goodput_per_s_max"] > 0


def test_the_verdict_can_be_a_job_of_its_own(place):
    job = place.launch("verdict", {"run_id": RUN})
    assert job.end() == 0
    assert "3 of 3 cells are valid" in job.output


def test_a_job_with_other_settings_fails(place):
    job = place.launch("run_matrix", {"run_id": RUN, "test_matrix_duration": "7s"})
    assert job.end() == 2
    assert f"Run {RUN}: was planned differently" in job.output
    assert "duration_s: 8.0 -> 7.0" in job.output
