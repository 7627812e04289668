# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import sqlite3

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import database_rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.database_rows import count_bytes, count_rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "ml flow?.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT)")
        connection.execute('CREATE TABLE "odd ""name" (id)')
        connection.executemany("INSERT INTO runs VALUES (?)", [(1,), (2,)])
    connection.close()
    return path


def test_counts_the_rows_of_sqlite_and_changes_nothing(database):
    before = database.read_bytes()
    assert count_rows({"kind": "sqlite", "path": str(database)}) == {'odd "name': 0, "runs": 2}
    assert database.read_bytes() == before
    assert [file.name for file in database.parent.iterdir()] == [database.name]


@pytest.mark.parametrize(
    "given",
    [None, {}, {"kind": "unknown", "path": "/x"}, {"kind": "sqlite", "path": None}, {"kind": "postgres", "dsn_file": None}],
    ids=["none", "empty", "unknown", "no-path", "no-dsn"],
)
def test_a_database_that_is_not_ours_has_no_rows(given):
    assert count_rows(given) is None
    assert count_bytes(given) is None


def test_the_size_of_sqlite_includes_its_log(database):
    assert count_bytes({"kind": "sqlite", "path": str(database)}) == database.stat().st_size
    database.with_name(f"{database.name}-wal").write_bytes(b"12345")
    assert count_bytes({"kind": "sqlite", "path": str(database)}) == database.stat().st_size + 5


@pytest.mark.parametrize("content", [None, b"not a database at all" * 99], ids=["absent", "not-a-database"])
def test_names_a_file_that_is_no_database(tmp_path, content):
    path = tmp_path / "x.db"
    if content:
        path.write_bytes(content)
    with pytest.raises(MlflowError, match=r"x\.db: rows cannot be counted"):
        count_rows({"kind": "sqlite", "path": str(path)})
    assert path.exists() == bool(content)


class FakeConnection:
    """A psycopg connection that reads from a dictionary of tables."""

    def __init__(self, tables):
        self.tables = tables
        self.read_only = False

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        return None

    def execute(self, statement):
        assert self.read_only
        if "pg_tables" in statement:
            return [(name,) for name in self.tables]
        rows = self.tables[statement.split('"')[1]]
        return type("Cursor", (), {"fetchone": staticmethod(lambda: (rows,))})


@pytest.mark.parametrize(
    ("content", "dsn"),
    [
        pytest.param("postgresql+psycopg2://u:p@127.0.0.1/mlflow\n", "postgresql://u:p@127.0.0.1/mlflow", id="sqlalchemy-url"),
        pytest.param("host=/run dbname=mlflow", "host=/run dbname=mlflow", id="libpq"),
    ],
)
def test_counts_the_rows_of_postgres_read_only(tmp_path, monkeypatch, content, dsn):
    sent = []
    file = tmp_path / "dsn"
    file.write_text(content)
    monkeypatch.setenv("PGSERVICE", "of-the-user")

    def connect(text, **options):
        sent.append((text, options))
        assert "PGSERVICE" not in os.environ
        return FakeConnection({"runs": 7, "a": 1})

    monkeypatch.setattr(database_rows.psycopg, "connect", connect)
    assert count_rows({"kind": "postgres", "dsn_file": str(file)}) == {"a": 1, "runs": 7}
    assert sent[0][0] == dsn
    assert sent[0][1]["connect_timeout"] == 10
    assert os.environ["PGSERVICE"] == "of-the-user"


def test_names_a_dsn_file_that_cannot_be_read(tmp_path):
    with pytest.raises(MlflowError, match=r"DSN file .*: cannot be read"):
        count_rows({"kind": "postgres", "dsn_file": str(tmp_path / "none")})


def test_names_a_postgres_that_is_down_without_its_password(tmp_path):
    file = tmp_path / "dsn"
    file.write_text("postgresql://user:hidden@127.0.0.1:1/mlflow")
    with pytest.raises(MlflowError, match="rows cannot be counted") as caught:
        count_rows({"kind": "postgres", "dsn_file": str(file)})
    assert "hidden" not in str(caught.value)
