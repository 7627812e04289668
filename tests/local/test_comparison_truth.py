# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real loads of a simulated MLflow, the candidate with 15 % more delay: the comparison says what happened, and of two loads of the same server nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes.simulated_mlflow import simulated_mlflow
from fakes.simulated_searches import EMPTY_DATA_SET

from .suite import Suite

# What others take from the machine is a difference too.
pytestmark = pytest.mark.alone
# Long enough that what a busy test machine adds to a request is little beside it.
DELAY_MS = 200
RUN = {
    **EMPTY_DATA_SET, "metrics_profile": "none", "workspaces_adopt": True, "report_formats": ["csv"], "test_matrix_tenants": 2, "test_matrix_concurrency": 24,
    "test_matrix_repeats": 3, "test_matrix_warmup": "2s", "test_matrix_duration": "8s",
    "test_matrix_validity_file": str(Path(__file__).resolve().parent / "validity.yml"),
}  # fmt: skip


@pytest.fixture(name="suite", scope="module")
def fixture_suite(tmp_path_factory):
    """A suite with the runs `before` and `same`, and `delayed`, whose server takes 15 % longer for every request."""
    suite = Suite(tmp_path_factory.mktemp("delay"))
    for name, factor in (("before", 1.0), ("delayed", 1.15), ("same", 1.0)):
        with simulated_mlflow(latency={"*": {"lognormal": [DELAY_MS * factor, 0.2]}}) as server:
            assert suite.play("full_suite", {**RUN, "run_id": name}, env={"MLFLOW_URL": server.url}).returncode == 0
    return suite


def compared(suite, candidate):
    """Return the exit code, and the verdicts of all requests with their changes by metric."""
    finished = suite.play("compare", {"comparison_baseline": "before", "comparison_candidate": candidate, "comparison_tolerance": 0.1})
    document = json.loads((suite.results / f"comparison_before_{candidate}" / "comparison.json").read_text(encoding="utf-8"))
    return finished.returncode, {row["metric"]: row for row in document["rows"] if row["family"] == "total"}


def test_an_injected_delay_is_found(suite):
    code, rows = compared(suite, "delayed")
    assert code == 2
    assert rows["p50_ms"]["verdict"] == "slower"
    assert rows["p50_ms"]["change"] == pytest.approx(1.15, abs=0.05)


def test_two_loads_of_the_same_server_are_not_slower(suite):
    code, rows = compared(suite, "same")
    assert code == 0
    assert rows["p50_ms"]["verdict"] == "same"
