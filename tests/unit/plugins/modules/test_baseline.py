# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module baseline with a small SQLite database and a fake MLflow."""

from __future__ import annotations

import os

import psutil
import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_json
from fakes.fake_mlflow import FakeMlflow
from fakes.tracking_databases import FakeTrackingDatabase

PLAN = "0123456789ab"


@pytest.fixture
def database(tmp_path):
    return FakeTrackingDatabase(tmp_path)


@pytest.fixture
def cell(tmp_path):
    directory = tmp_path / "results" / "run-1" / "cells" / "t1-c5-r1"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def baseline(run_module, database, cell):
    """Run the module for one tenant and return its result."""
    with FakeMlflow() as server:
        server.workspaces["tenant-1"] = ""
        common = {
            "url": server.url, "database": database.target, "mlflow_version": "3.17.2", "data_set_digest": "5f6a59d7ec68", "prefix": "tenant-",
            "tenants": 1, "cell_directory": str(cell), "plan_digest": PLAN,
        }  # fmt: skip

        def run(state, check=False, **changes):
            return run_module("baseline", {**common, "state": state, **changes}, check)

        yield run


def begin_load(cell, plan_digest=PLAN):
    """Write state.json of a load that runs: this process."""
    process = psutil.Process(os.getpid())
    attempt = cell / "attempts" / "1"
    attempt.mkdir(parents=True)
    handle = {"pid": process.pid, "start_time": process.create_time()}
    write_json(cell / "state.json", {"attempt": 1, "plan_digest": plan_digest, "directory": str(attempt), "handle": handle})


def test_a_level_is_built_on_the_initial_state_saved_and_restored(baseline, database):
    assert baseline("initialized")["changed"]
    assert baseline("restored")["start_state"]["tenants"] == 0
    database.add_run(1)
    assert baseline("saved")["start_state"]["tenants"] == 1
    database.add_run(2)
    assert baseline("restored")["start_state"]["rows"]["runs"] == 1


def test_the_initial_state_is_saved_once(baseline):
    baseline("initialized")
    assert not baseline("initialized")["changed"]


def test_nothing_is_restored_under_a_load_that_goes_on(baseline, database, cell):
    baseline("initialized")
    baseline("saved")
    begin_load(cell)
    database.add_run(1)
    found = baseline("restored")
    assert (found["changed"], found["start_state"]["status"], found["start_state"]["rows"]["runs"]) == (False, "attached", 0)
    assert database.runs() == 1


def test_a_load_of_another_plan_does_not_prevent_it(baseline, database, cell):
    baseline("initialized")
    baseline("saved")
    begin_load(cell, "ba9876543210")
    database.add_run(1)
    assert baseline("restored")["start_state"]["status"] == "restored"


def test_a_server_that_lacks_a_restored_tenant_is_named(baseline):
    baseline("initialized", tenants=2)
    baseline_of_two = baseline("saved", tenants=2)
    assert baseline_of_two["failed"]
    assert "lacks 1 tenants after its database was restored (tenant-2" in baseline_of_two["msg"]


def test_check_mode_changes_nothing(baseline, tmp_path):
    assert baseline("initialized", check=True) == {"changed": True, "start_state": {}, "invocation": baseline("initialized", check=True)["invocation"]}
    assert not (tmp_path / "baselines").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"database": {"kind": "unknown", "owned": False}}, "not managed by this collection", id="not-ours"),
        pytest.param({"mlflow_version": "3.18.0"}, "of another server (mlflow_version 3.17.2 instead of 3.18.0)", id="other-version"),
    ],
)
def test_what_cannot_be_restored_is_one_sentence(baseline, changes, sentence):
    baseline("initialized")
    found = baseline("initialized", **changes)
    assert found["failed"]
    assert sentence in found["msg"]
