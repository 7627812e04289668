# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole job against a simulated MLflow: records and report beside what its log says about the same requests."""

from __future__ import annotations

import csv
import gzip
from collections import Counter

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import OPERATIONS
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import quantile
from fakes.simulated_mlflow import simulated_mlflow

from .suite import Suite

pytestmark = pytest.mark.alone
CELLS = ("t4-c24-r1", "t4-c48-r1")
# Long enough that what a busy test machine adds to a request is little beside it.
PROGRAMMED = {"latency": {"*": {"lognormal": [400, 0.3]}}, "slow_tenants": {"tenant-3": 5}, "store": True}
RUN = {
    "run_id": "truth", "metrics_profile": "none", "test_matrix_tenants": 4, "test_matrix_concurrency": "24,48",
    "test_matrix_warmup": "2s", "test_matrix_duration": "15s",
    "data_set_experiments_per_tenant": 2, "data_set_runs_per_experiment": 1, "data_set_prompts_per_experiment": 1, "data_set_artifacts_per_run": 1,
}  # fmt: skip


@pytest.fixture(name="finished", scope="module")
def fixture_finished(tmp_path_factory):
    """Return (suite, finished playbook, what the server served) of a run with two cells, after which nothing is left to stop."""
    suite = Suite(tmp_path_factory.mktemp("truth"))
    with simulated_mlflow(**PROGRAMMED) as simulation:
        play = suite.play("full_suite", RUN, env={"MLFLOW_URL": simulation.url})
    return suite, play, simulation.served


def samples_of(suite, cell_id):
    with gzip.open(suite.results / "truth" / "cells" / cell_id / "samples.csv.gz", "rt", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def logged(served, cell):
    """Return the durations (ms) of the requests of the window, sorted."""
    window = cell["window"]
    return sorted(one.duration_ms for one in served if one.operation in OPERATIONS and window["start"] * 1000 <= one.start_ms < window["end"] * 1000)


def test_the_run_passes(finished):
    _suite, play, _served = finished
    assert play.returncode == 0
    assert "  Run truth: passed, 2 of 2 cells are valid." in play.stdout.splitlines()


@pytest.mark.parametrize("cell_id", CELLS)
def test_each_request_of_a_load_is_recorded_once(finished, cell_id):
    suite, _play, served = finished
    samples = samples_of(suite, cell_id)
    # A request reaches the server a moment after k6 has started it.
    begun, ended = (int(samples[0]["start_ms"]) - 1, max(int(row["start_ms"]) + float(row["duration_ms"]) for row in samples) + 1)
    of_load = Counter((one.operation, one.tenant, one.status) for one in served if begun <= one.start_ms <= ended)
    assert Counter((row["operation"], row["tenant"], int(row["status"])) for row in samples) == of_load


@pytest.mark.parametrize("cell_id", CELLS)
def test_counts_and_rates_are_those_of_the_log(finished, cell_id):
    suite, _play, served = finished
    cell = suite.cell(cell_id, "truth")
    count = len(logged(served, cell))
    # A request that the server read a moment after the window's edge was sent before it.
    assert abs(cell["total"]["n"] - count) <= 2
    assert cell["total"]["rate_per_s"] == pytest.approx(count / (cell["window"]["end"] - cell["window"]["start"]), rel=0.03)


@pytest.mark.parametrize("cell_id", CELLS)
@pytest.mark.parametrize("percent", [50, 95, 99])
def test_percentiles_are_those_of_the_log(finished, cell_id, percent):
    suite, _play, served = finished
    cell = suite.cell(cell_id, "truth")
    assert cell["total"]["latency_ms"][f"p{percent}"] == pytest.approx(quantile(logged(served, cell), percent), rel=0.03, abs=1)


def test_the_report_has_the_numbers_of_the_records(finished):
    suite, _play, _served = finished
    with (suite.results / "truth" / "report" / "report_operations.csv").open(encoding="utf-8", newline="") as stream:
        totals = {row["cell_id"]: float(row["p95_ms"]) for row in csv.DictReader(stream) if row["operation"] == "total"}
    assert totals == {cell_id: pytest.approx(suite.cell(cell_id, "truth")["total"]["latency_ms"]["p95"], abs=0.001) for cell_id in CELLS}


@pytest.mark.parametrize("cell_id", CELLS)
def test_the_slow_tenant_is_named_in_verdict_and_report(finished, cell_id):
    suite, _play, _served = finished
    assert any(warning.startswith("slow_tenant_ratio: tenant-3 ") for warning in suite.cell(cell_id, "truth")["verdict"]["warnings"])
    assert "slow_tenant_ratio: tenant-3 " in (suite.results / "truth" / "report" / "index.html").read_text(encoding="utf-8")


def test_no_difference_is_claimed_from_single_cells(finished):
    suite, _play, _served = finished
    summary = (suite.results / "truth" / "report" / "summary.md").read_text(encoding="utf-8")
    assert "no difference between cells is tested" in summary
    assert "Highest throughput" not in summary


def test_prefill_creates_each_run_of_the_data_set_once(finished):
    suite, _play, served = finished
    begun = int(samples_of(suite, CELLS[0])[0]["start_ms"]) - 1
    created = Counter(one.tenant for one in served if one.operation == "create_run" and one.start_ms < begun)
    assert created == {f"tenant-{number}": 2 for number in (1, 2, 3, 4)}
