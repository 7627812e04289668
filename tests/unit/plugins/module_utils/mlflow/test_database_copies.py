# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of a SQLite database; those of PostgreSQL are tested with a real server in tests/local_stack."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import database_copies
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.database_copies import copies_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from fakes.tracking_databases import FakeTrackingDatabase


@pytest.fixture
def database(tmp_path):
    made = FakeTrackingDatabase(tmp_path)
    made.add_run(1)
    return made


@pytest.fixture
def copies(database):
    return copies_of(database.target)


def test_a_copy_is_restored_under_an_open_connection(database, copies):
    copies.save("t1")
    database.add_run(2)
    with closing(sqlite3.connect(database.path)) as server:
        assert server.execute("SELECT count(*) FROM runs").fetchone() == (2,)
        copies.restore("t1")
        assert server.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_copy_may_be_restored_again_and_again(database, copies):
    copies.save("t1")
    for number in (2, 3):
        database.add_run(number)
        copies.restore("t1")
        assert database.runs() == 1


def test_a_saved_copy_replaces_the_one_before(database, copies):
    copies.save("t1")
    database.add_run(2)
    copies.save("t1")
    database.add_run(3)
    copies.restore("t1")
    assert database.runs() == 2


def test_a_partial_copy_is_none(database, copies, tmp_path):
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "t1.partial").write_bytes(b"half")
    assert copies.names() == set()


def test_a_deleted_copy_is_gone(copies):
    copies.save("t1")
    copies.delete("t1")
    assert copies.names() == set()


@pytest.mark.parametrize("content", [None, b"not a database at all" * 99], ids=["absent", "damaged"])
def test_a_copy_that_cannot_be_read_leaves_the_live_database_as_it_is(database, copies, tmp_path, content):
    (tmp_path / "baselines").mkdir()
    if content:
        (tmp_path / "baselines" / "t1.db").write_bytes(content)
    with pytest.raises(MlflowError, match=r"Database: restoration of .*mlflow.db from copy t1 failed"):
        copies.restore("t1")
    assert database.runs() == 1


def test_a_lock_that_is_never_released_ends_with_the_rows_as_they_were(database, copies, monkeypatch):
    copies.save("t1")
    database.add_run(2)
    monkeypatch.setattr(database_copies, "LIMIT_S", 0.2)
    with closing(sqlite3.connect(database.path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(MlflowError, match="locked"):
            copies.restore("t1")
        writer.execute("ROLLBACK")
    assert database.runs() == 2


@pytest.mark.parametrize("changes", [{"owned": False}, {"baselines_dir": None}], ids=["not-owned", "no-place"])
def test_a_database_that_is_not_ours_is_rejected(database, changes):
    with pytest.raises(MlflowError, match=r"Database sqlite: not managed by this collection.* Set state_reset to never\."):
        copies_of({**database.target, **changes})
