# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module data_set_clone with a small SQLite database."""

from __future__ import annotations

import pytest

from fakes.tracking_databases import SHAPE, FakeTenantDatabase


@pytest.fixture
def fake(tmp_path):
    return FakeTenantDatabase(tmp_path)


@pytest.fixture
def clone(run_module, fake):
    """Run the module for three tenants and return its result."""

    def run(check=False, **changes):
        return run_module("data_set_clone", {"database": fake.target, "prefix": "t-", "count": 3, "shape": SHAPE, **changes}, check)

    return run


def test_empty_tenants_are_filled(clone, fake):
    found = clone()
    assert found["changed"]
    assert {key: found["clone"][key] for key in ("is_possible", "reason", "source", "tenants", "files")} == {
        "is_possible": True, "reason": None, "source": 1, "tenants": 2, "files": 2,
    }  # fmt: skip
    assert fake.execute("SELECT count(*) FROM runs") == [(3,)]


def test_again_nothing_is_left_to_do(clone):
    clone()
    again = clone()
    assert (again["changed"], again["clone"]["tenants"]) == (False, 0)


@pytest.mark.parametrize("options", [{"state": "planned"}, {"check": True}], ids=["planned", "check-mode"])
def test_a_plan_writes_nothing(clone, fake, options):
    found = clone(**options)
    assert (found["changed"], found["clone"]["tenants"]) == (False, 2)
    assert fake.execute("SELECT count(*) FROM runs") == [(1,)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"database": {}}, "The database of this MLflow is not one of the local stack.", id="not-ours"),
        pytest.param({"count": 1}, None, id="one-tenant"),
        pytest.param({"shape": dict.fromkeys(SHAPE, 0)}, None, id="empty-data-set"),
        pytest.param({"shape": {**SHAPE, "metrics_per_run": 0}}, "Tenant t-1: holds something else than exactly the data set", id="other-data-set"),
    ],
)
def test_what_cannot_be_cloned_is_no_failure(clone, changes, reason):
    found = clone(**changes)
    assert (found["changed"], found["clone"]["is_possible"]) == (False, False)
    assert (found["clone"]["reason"] or "").startswith(reason or "")
    assert (found["clone"]["reason"] is None) == (reason is None)


def test_a_database_that_cannot_be_opened_is_one_sentence(clone, fake):
    found = clone(database={**fake.target, "path": "/nowhere/mlflow.db"})
    assert found["failed"]
    assert found["msg"].startswith("Database: could not be read or written (unable to open database file).")
