# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row counts by table of a tracking database that we may read, without any possibility of changing it."""

from __future__ import annotations

import os
import sqlite3
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError

try:
    import psycopg
except ImportError:  # only PostgreSQL needs it; the module reports it
    psycopg = None  # type: ignore[assignment]
    PSYCOPG_ERROR: str | None = traceback.format_exc()
else:
    PSYCOPG_ERROR = None

_TIMEOUT_S = 30
WORK = ("commits", "rollbacks", "deadlocks", "blocks_read", "blocks_hit", "temporary_bytes")
_WORK_QUERY = "SELECT xact_commit, xact_rollback, deadlocks, blks_read, blks_hit, temp_bytes FROM pg_stat_database WHERE datname = current_database()"


def count_rows(database: Mapping[str, Any] | None) -> dict[str, int] | None:
    """Return {table: rows}, or None if we may not read the database.

    `database` is the part of target.json: {kind: sqlite, path} or {kind: postgres, dsn_file}; any other kind and a
    missing path or dsn_file give None. Raises MlflowError.
    """
    database = database or {}
    kind = database.get("kind")
    if kind == "sqlite" and database.get("path"):
        return sqlite_rows(database["path"])
    if kind == "postgres" and database.get("dsn_file"):
        return postgres_rows(database["dsn_file"])
    return None


def count_bytes(database: Mapping[str, Any] | None) -> int | None:
    """Return the size of a database in bytes, or None where it is not ours to read; `database` is as in count_rows. Raises MlflowError.

    SQLite: the file and its write-ahead log; PostgreSQL: pg_database_size, with indexes.
    """
    database = database or {}
    kind = database.get("kind")
    if kind == "sqlite" and database.get("path"):
        files = [Path(database["path"] + suffix) for suffix in ("", "-wal")]
        return sum(file.stat().st_size for file in files if file.exists())
    if kind == "postgres" and database.get("dsn_file"):
        with _connection(database["dsn_file"]) as connection:
            return int(connection.execute("SELECT pg_database_size(current_database())").fetchone()[0])
    return None


def server_processes(database: Mapping[str, Any] | None) -> dict[str, int] | None:
    """Return {background, max_connections} of a PostgreSQL that we may read, else None. Raises MlflowError.

    Each connection is a process of the server; `background` are its processes that are none, the first one included. While autovacuum works there are up
    to three more.
    """
    database = database or {}
    if database.get("kind") != "postgres" or not database.get("dsn_file"):
        return None
    query = "SELECT 1 + count(*) FILTER (WHERE backend_type <> 'client backend'), current_setting('max_connections')::int FROM pg_stat_activity"
    with _connection(database["dsn_file"]) as connection:
        background, most = connection.execute(query).fetchone()
    return {"background": int(background), "max_connections": int(most)}


def count_work(database: Mapping[str, Any] | None) -> dict[str, int] | None:
    """Return what a PostgreSQL that we may read has done in MLflow's database since its statistics began, else None. Raises MlflowError.

    WORK names the counters, from pg_stat_database (PostgreSQL's documentation, The Cumulative Statistics System). A server writes them within a second.
    """
    database = database or {}
    if database.get("kind") != "postgres" or not database.get("dsn_file"):
        return None
    with _connection(database["dsn_file"]) as connection:
        return {name: int(value) for name, value in zip(WORK, connection.execute(_WORK_QUERY).fetchone(), strict=True)}


def sqlite_rows(path: str) -> dict[str, int]:
    """Return {table: rows} of a SQLite file, opened read-only. Raises MlflowError."""
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_TIMEOUT_S)
        try:
            return _rows(connection, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise MlflowError(f"Database {path}: rows cannot be counted ({error}). Check the path and that it is MLflow's SQLite file.") from error


def postgres_rows(dsn_file: str) -> dict[str, int]:
    """Return {table: rows} of the tables on the search path, in one read-only transaction. Raises MlflowError."""
    with _connection(dsn_file) as connection:
        return _rows(connection, "SELECT tablename FROM pg_tables WHERE schemaname = ANY (current_schemas(false))")


def connection_string(dsn_file: str) -> str:
    """Return the connection string in a file as libpq takes it: a SQLAlchemy driver in the scheme of a URL is dropped. Raises MlflowError."""
    try:
        dsn = Path(dsn_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise MlflowError(f"DSN file {dsn_file}: cannot be read ({error.strerror}). Correct the path or its permissions.") from error
    scheme, separator, rest = dsn.partition("://")
    return scheme.partition("+")[0] + separator + rest if separator else dsn


@contextmanager
def _connection(dsn_file: str) -> Iterator[Any]:
    """Connect to PostgreSQL for reading, with the connection string in a file. Raises MlflowError."""
    dsn = connection_string(dsn_file)
    try:
        with without_libpq_variables(), psycopg.connect(dsn, connect_timeout=10, options=f"-c statement_timeout={_TIMEOUT_S}s") as connection:
            connection.read_only = True
            yield connection
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise MlflowError(f"Database of {dsn_file}: rows cannot be counted ({reason}). Check that it runs and the DSN is right.") from error


@contextmanager
def without_libpq_variables() -> Iterator[None]:
    """Leave out PGSERVICE, PGOPTIONS, PGSSLMODE and so on, which a user has set for other connections."""
    others = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PG")}
    try:
        yield
    finally:
        os.environ.update(others)


def _rows(connection: Any, tables: str) -> dict[str, int]:
    names = sorted(name for (name,) in connection.execute(tables))
    counted = {}
    for name in names:
        quoted = '"' + name.replace('"', '""') + '"'
        counted[name] = connection.execute("SELECT count(*) FROM " + quoted).fetchone()[0]  # noqa: S608 - names of the database itself
    return counted
