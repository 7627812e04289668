# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Suites of the embedded default, each torn down at the end."""

from __future__ import annotations

import pytest
import yaml

from .suite import ROOT, Suite

# Few users, since five already take all that MLflow gets of this machine from the tests beside them.
ONE_CELL = {
    "test_matrix_tenants": 1,
    "test_matrix_concurrency": 3,
    "test_matrix_warmup": "2s",
    "test_matrix_duration": "15s",
    "test_matrix_validity_file": str(ROOT / "tests/local/validity.yml"),
}
SMOKE = {"run_id": "smoke"}
# As for kube-burner: one that fires under any load and does not fail the run, and one that would.
ALERTS = [
    {"severity": "warning", "expr": "sum(rate(mlflow_http_request_total[{{.interval}}])) > 0", "description": "MLflow serves {{$value}} requests/s"},
    {"severity": "error", "expr": "namedprocess_namegroup_num_procs > 1000", "description": "{{$labels.groupname}} has {{$value}} processes"},
]


class Suites:
    """Suites of one test file or of all, torn down when these have ended: an idle stack takes a tenth of a processor from the tests that follow."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._created: list[Suite] = []

    def create(self, name: str, kind: type[Suite] = Suite) -> Suite:
        """Return a suite of a kind in a directory of its own."""
        self._created.append(kind(self._factory.mktemp(name)))
        return self._created[-1]

    def tear_down(self) -> None:
        """Stop what still runs."""
        for suite in self._created:
            if suite.processes():
                suite.play("teardown")


@pytest.fixture(name="suite_in", scope="module")
def fixture_suite_in(tmp_path_factory):
    """Create suites and tear each down at the end of the file."""
    suites = Suites(tmp_path_factory)
    yield suites.create
    suites.tear_down()


@pytest.fixture(name="smoke", scope="session")
def fixture_smoke(tmp_path_factory):
    """The main job on the embedded default and its output: (suite, finished playbook)."""
    suites = Suites(tmp_path_factory)
    suite = suites.create("smoke")
    suite.report_formats = None
    alerts = suite.directory / "alerts.yml"
    alerts.write_text(yaml.safe_dump(ALERTS), encoding="utf-8")
    yield suite, suite.play("full_suite", {**SMOKE, "alert_profile": alerts.name})
    suites.tear_down()
