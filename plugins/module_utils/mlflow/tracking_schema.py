# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of a tracking database as they are: columns, primary keys and foreign keys, and a connection that writes many rows in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol
from urllib.parse import quote

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.database_rows import connection_string, without_libpq_variables
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError

# Only PostgreSQL needs one; psycopg2 is that in images of MLflow, where a Job of ours clones.
DRIVER: Any = next((import_module(name) for name in ("psycopg", "psycopg2") if find_spec(name)), None)

_TIMEOUT_S = 300
# Rows of one statement.
_PAGE = 1000


@dataclass(frozen=True)
class Reference:
    """A foreign key: columns, and the columns of the parent table that they refer to."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table with its columns in order, without those that the database computes from others."""

    name: str
    columns: tuple[str, ...]
    primary_key: tuple[str, ...]
    references: tuple[Reference, ...]


class TrackingDatabase(Protocol):
    """An open transaction of either kind of database; committed at the end of its context unless an exception leaves it."""

    def tables(self) -> dict[str, Table]:
        """Return all tables of MLflow by name."""

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query, whose values are written as `?`."""

    def insert(self, table: Table, rows: Iterator[Sequence[Any]]) -> None:
        """Insert rows whose values are in the order of the table's columns."""

    def finish(self, table: str, column: str) -> None:
        """Let the next generated number of a column follow the greatest one, and bring the planner's statistics up to date."""


@contextmanager
def open_database(database: Mapping[str, Any]) -> Iterator[TrackingDatabase]:
    """Open `database` of target.json for one transaction; a PostgreSQL without dsn_file is the one that libpq's variables name. Raises MlflowError."""
    if database["kind"] == "postgres":
        with without_libpq_variables() if database.get("dsn_file") else nullcontext():
            dsn = connection_string(database["dsn_file"]) if database.get("dsn_file") else ""
            with _open_postgres(dsn) as transaction:
                yield transaction
    else:
        with _open_sqlite(str(database["path"])) as transaction:
            yield transaction


@contextmanager
def _open_sqlite(path: str) -> Iterator[TrackingDatabase]:
    try:
        connection = sqlite3.connect(f"file:{quote(path)}?mode=rw", uri=True, timeout=_TIMEOUT_S)
        # As a context it commits or rolls back, and does not close.
        with closing(connection), connection:
            yield _Sqlite(connection)
    except sqlite3.Error as error:
        raise _failed(error) from error


@contextmanager
def _open_postgres(dsn: str) -> Iterator[TrackingDatabase]:
    try:
        connection = DRIVER.connect(dsn, connect_timeout=10, options=f"-c statement_timeout={_TIMEOUT_S}s")
        # As a context psycopg's connection commits and closes, that of psycopg2 only commits.
        with closing(connection), connection:
            yield _Postgres(connection)
    except DRIVER.Error as error:
        raise _failed(error) from error


def _failed(error: Exception) -> MlflowError:
    reason = " ".join(str(error).split())
    return MlflowError(f"Database: could not be read or written ({reason}). See that it runs, or set data_set_method to rest.")


def quoted(*names: str) -> str:
    """Return names as they are written in SQL, separated by commas."""
    return ", ".join('"' + name.replace('"', '""') + '"' for name in names)


class _Sqlite:
    """A transaction of a SQLite file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def tables(self) -> dict[str, Table]:
        names = self.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
        return {name: self._table(name) for (name,) in names}

    def _table(self, name: str) -> Table:
        columns = self.query(f"PRAGMA table_info({quoted(name)})")
        keys: dict[int, list[tuple[Any, ...]]] = {}
        for row in self.query(f"PRAGMA foreign_key_list({quoted(name)})"):
            keys.setdefault(row[0], []).append(row)
        references = [Reference(tuple(row[3] for row in rows), rows[0][2], tuple(row[4] or row[3] for row in rows)) for rows in keys.values()]
        primary = sorted((row for row in columns if row[5]), key=lambda row: row[5])
        return Table(name, tuple(row[1] for row in columns), tuple(row[1] for row in primary), tuple(sorted(references, key=lambda key: key.columns)))

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()

    def insert(self, table: Table, rows: Iterator[Sequence[Any]]) -> None:
        marks = ", ".join("?" * len(table.columns))
        self._connection.executemany(f"INSERT INTO {quoted(table.name)} ({quoted(*table.columns)}) VALUES ({marks})", rows)  # noqa: S608 - own names

    def finish(self, table: str, column: str) -> None:
        """Do nothing: SQLite counts on by itself, and MLflow's databases have no statistics there."""


class _Postgres:
    """A transaction of PostgreSQL, in the tables on the search path."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def tables(self) -> dict[str, Table]:
        found: dict[str, dict[str, Any]] = {}
        schema = "ANY (current_schemas(false))"
        columns = (
            "SELECT table_name, column_name FROM information_schema.columns "  # noqa: S608 - a constant
            f"WHERE table_schema = {schema} AND is_generated = 'NEVER' ORDER BY table_name, ordinal_position"
        )
        for table, column in self.query(columns):
            found.setdefault(table, {"columns": [], "p": [], "f": []})["columns"].append(column)
        names = "ARRAY(SELECT attname::text FROM unnest({key}) WITH ORDINALITY k(n, o) JOIN pg_attribute ON attrelid = {table} AND attnum = n ORDER BY o)"
        keys = (
            f"SELECT c.contype::text, t.relname, p.relname, {names.format(key='c.conkey', table='t.oid')}, "  # noqa: S608 - constants
            f"{names.format(key='c.confkey', table='p.oid')} FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid "
            "JOIN pg_namespace s ON s.oid = t.relnamespace LEFT JOIN pg_class p ON p.oid = c.confrelid "
            f"WHERE c.contype IN ('p', 'f') AND s.nspname = {schema}"
        )
        for kind, table, parent, own, theirs in self.query(keys):
            found[table][kind].append(Reference(tuple(own), parent or "", tuple(theirs)))
        return {
            name: Table(name, tuple(parts["columns"]), parts["p"][0].columns if parts["p"] else (), tuple(sorted(parts["f"], key=lambda key: key.columns)))
            for name, parts in sorted(found.items())
        }

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement.replace("?", "%s"), values or None)
            return cursor.fetchall() if cursor.description else []

    def insert(self, table: Table, rows: Iterator[Sequence[Any]]) -> None:
        if self.query("SELECT current_setting('is_superuser')") == [("on",)]:
            # Without looking up every foreign key; SQLite looks none up unless a connection asks for it.
            self.query("SET LOCAL session_replication_role = replica")
        target = f"{quoted(table.name)} ({quoted(*table.columns)})"
        with self._connection.cursor() as cursor:
            if hasattr(cursor, "copy"):
                with cursor.copy(f"COPY {target} FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
            else:
                values = import_module("psycopg2.extras").execute_values
                values(cursor, f"INSERT INTO {target} VALUES %s", rows, page_size=_PAGE)  # noqa: S608 - names of the database itself

    def finish(self, table: str, column: str) -> None:
        # Without statistics of the new rows the searches of the verification take minutes.
        self.query("ANALYZE")
        sequence = self.query("SELECT pg_get_serial_sequence(?, ?)", quoted(table), column)[0][0]
        if sequence:
            self.query(f"SELECT setval(?, (SELECT max({quoted(column)}) FROM {quoted(table)}))", sequence)  # noqa: S608 - names of the database itself
