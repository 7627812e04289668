# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to run the suite besides the default: PostgreSQL, an MLflow that is already there, the open profile without a network, two at once."""

from __future__ import annotations

import csv
import gzip
import subprocess
import sys
from typing import Any

import pytest

from programs.without_network import is_possible, without_network

from .conftest import ONE_CELL
from .suite import PLANNED, Suite, check_from_an_empty_place

# An address that is reserved for documentation.
OUTSIDE = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
needs_namespaces = pytest.mark.skipif(not is_possible(), reason="this machine lets its user make no network namespace")


class OfflineSuite(Suite):
    """A suite each of whose playbooks has loopback and nothing else: what is in the cache is all that it needs."""

    def command(self, playbook: str, variables: dict[str, Any] | None = None, *options: str) -> list[str]:
        return without_network(super().command(playbook, variables, *options))


@pytest.fixture(name="postgres", scope="module")
def fixture_postgres(suite_in):
    suite = suite_in("postgres")
    return suite, suite.play("full_suite", {**ONE_CELL, "run_id": "postgres"}, env={"DB_BACKEND": "postgres"})


def test_postgres(postgres):
    suite, finished = postgres
    assert finished.returncode == 0
    cell = suite.cell("t1-c3-r1")
    assert cell["spec"]["factors"]["db_backend"] == "postgres"
    assert cell["resources"]["postgresql"]["status"] == "ok"
    assert cell["resources"]["postgresql"]["cpu_cores_mean"] > 0
    # A worker of MLflow keeps connections of a pool for each of its stores.
    assert 1 <= cell["resources"]["postgresql"]["connections_max"] <= 60
    assert cell["resources"]["postgresql"]["limits"]["connections"] == 100
    assert cell["rows"]["after"]["runs"] > cell["rows"]["before"]["runs"]
    assert cell["database_work"]["commits"] > cell["total"]["n"]
    assert cell["database_work"]["deadlocks"] == 0


def test_a_run_cannot_go_on_with_another_database(postgres):
    suite, _finished = postgres
    rejected = suite.play("full_suite", {**ONE_CELL, "run_id": "postgres"})
    assert rejected.returncode != 0
    assert 'context.factors.db_backend: "postgres" -> "sqlite"' in " ".join(rejected.stdout.split())


def test_sqlite_and_postgres_are_reported_side_by_side(postgres, smoke, tmp_path):
    sources = [str(smoke[0].results / "smoke"), str(postgres[0].results / "postgres")]
    assert postgres[0].play("report", {"report_sources": sources, "report_output_dir": str(tmp_path)}).returncode == 0
    table = (tmp_path / "report_summary.csv").read_text(encoding="utf-8")
    assert "sqlite" in table
    assert "postgres" in table
    # Nothing below needs it.
    assert postgres[0].play("teardown").returncode == 0


@pytest.fixture(name="existing", scope="module")
def fixture_existing(smoke, suite_in):
    """A suite that is pointed at the MLflow of another suite, with a token (which that MLflow does not look at)."""
    env = {"MLFLOW_URL": smoke[0].target("smoke")["mlflow"]["url"], "MLFLOW_TOKEN": "canary-f00d-token"}
    if not smoke[0].processes():
        assert smoke[0].play("deploy", {"run_id": "smoke"}).returncode == 0
        env["MLFLOW_URL"] = smoke[0].target("smoke")["mlflow"]["url"]
    return suite_in("existing"), env


def test_an_existing_mlflow_needs_a_choice_of_metrics_in_words(existing):
    suite, env = existing
    rejected = suite.play("full_suite", ONE_CELL, env=env)
    assert rejected.returncode != 0
    assert "metrics_profile" in rejected.stdout
    assert "none" in rejected.stdout


def test_an_existing_mlflow_without_metrics(existing):
    suite, env = existing
    finished = suite.play("full_suite", {**ONE_CELL, "metrics_profile": "none", "run_id": "existing"}, env=env)
    assert finished.returncode == 0
    cell = suite.cell("t1-c3-r1")
    assert {resource["status"] for resource in cell["resources"].values()} == {"not_requested"}
    assert cell["generator"]["cpu_cores_mean"] > 0
    assert not [process for process in suite.processes() if "mlflow" in " ".join(process.cmdline()) and "server" in process.cmdline()]


def test_the_token_is_in_no_result_and_no_output(existing):
    suite, env = existing
    assert (suite.results / "existing" / "ansible.log").is_file()
    found = [path for path in suite.results.rglob("*") if path.is_file() and env["MLFLOW_TOKEN"].encode() in path.read_bytes()]
    assert found == []
    token_files = [path for path in suite.directory.rglob("*") if path.is_file() and env["MLFLOW_TOKEN"].encode() in path.read_bytes()]
    assert token_files
    assert {path.stat().st_mode & 0o777 for path in token_files} == {0o600}


OPEN = {"test_matrix_tenants": 2, "test_matrix_rate": "1.5", "test_matrix_duration": "30s", "test_matrix_warmup": "2s", "run_id": "open"}


@pytest.fixture(name="open_profile", scope="module")
def fixture_open_profile(smoke, suite_in):
    """A run of the open profile without a network, whose tenants have another prefix, torn down before its verdict as make suite asks."""
    suite = suite_in("open", OfflineSuite if is_possible() else Suite)
    pending = suite.directory / "pending"
    pending.touch()
    finished = suite.play("full_suite", {**OPEN, "tenant_prefix": "team-", "teardown_pending_file": str(pending)})
    return suite, finished, pending


def test_the_open_profile(open_profile):
    suite, finished, pending = open_profile
    assert finished.returncode == 0
    assert not pending.exists()
    assert not suite.processes(), "as make suite asks, everything was stopped before the verdict"
    assert "  Run open: passed, 1 of 1 cells are valid." in finished.stdout.splitlines()[-5:]
    cell = suite.cell("t2-q1.5-r1")
    started = sum(journey["started"] + journey["dropped"] for journey in cell["journeys"].values())
    assert started == pytest.approx(45, abs=4)
    assert (suite.results / "open" / "cells" / "t2-q1.5-r1" / "summary_tenants-2_rate_1.5.json").is_file()


@needs_namespaces
def test_nothing_outside_is_reachable():
    reached = subprocess.run(without_network([sys.executable, "-c", OUTSIDE]), capture_output=True, text=True, check=False)
    assert "Network is unreachable" in reached.stderr


@needs_namespaces
def test_a_run_needs_no_network(open_profile):
    suite = open_profile[0]
    cell = suite.cell("t2-q1.5-r1", "open")
    assert isinstance(suite, OfflineSuite)
    assert cell["verdict"]["status"] == "valid"
    assert cell["resources"]["mlflow"]["status"] == "ok"
    assert (suite.results / "open" / "report" / "index.html").exists()


def test_one_input_names_the_tenants_everywhere(open_profile):
    """Tenants, data set and load have the same prefix: each tenant is loaded, and none beside them exists."""
    suite = open_profile[0]
    directory = suite.results / "open" / "cells" / "t2-q1.5-r1"
    assert suite.target("open")["tenants"] == {"prefix": "team-"}
    with gzip.open(directory / "samples.csv.gz", "rt", encoding="utf-8") as stream:
        assert {row["tenant"] for row in csv.DictReader(stream)} == {"team-1", "team-2"}
    cell = suite.cell("t2-q1.5-r1", "open")
    assert cell["total"]["failed"] == 0
    assert cell["notes"]["foreign_workspaces"] == []


def test_a_run_cannot_go_on_with_other_tenants(open_profile):
    suite = open_profile[0]
    rejected = suite.play("full_suite", OPEN)
    assert rejected.returncode != 0
    assert "Run open: was planned differently (context.tenants" in " ".join(rejected.stdout.split())
    assert suite.target("open")["tenants"] == {"prefix": "team-"}, "it is rejected before anything is deployed"


def test_check_mode_from_an_empty_place(tmp_path):
    assert PLANNED in check_from_an_empty_place(Suite(tmp_path), "full_suite")


def test_check_mode_of_a_deployment_from_an_empty_place(tmp_path):
    assert PLANNED not in check_from_an_empty_place(Suite(tmp_path), "deploy")


def test_a_second_suite_at_the_same_time_is_neither_harmed_nor_confused(smoke, suite_in):
    first, second = suite_in("first"), suite_in("second")
    # Two servers share the cores here, so a cell may have too few samples; that is not what is tested.
    playing = first.start("full_suite", {**ONE_CELL, "allow_partial": True, "run_id": "one"})
    finished = second.play("full_suite", {**ONE_CELL, "allow_partial": True, "run_id": "two"})
    assert (finished.returncode, playing.wait(timeout=300)) == (0, 0)
    assert first.target("one")["mlflow"]["url"] != second.target("two")["mlflow"]["url"]
    shares = [suite.cell("t1-c3-r1")["resources"]["mlflow"]["cpu_cores_mean"] for suite in (first, second)]
    assert sum(shares) < 2.1, "each suite counts only its own MLflow"
    assert second.play("teardown").returncode == 0
    assert first.processes()
    assert not second.processes()
