# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of a tracking database of ours, saved by name and restored into the live database while MLflow keeps running.

Both kinds restore all or nothing: at any moment the live database is either the one before or the complete copy.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, Protocol
from urllib.parse import quote

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.database_rows import connection_string, without_libpq_variables
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError

try:
    import psycopg
except ImportError:  # only PostgreSQL needs it; the module reports it
    psycopg = None  # type: ignore[assignment]

# A copy of 1 GB takes less, also on a machine that is busy with other work (seconds).
LIMIT_S = 300.0
# How often the sessions of a database are ended that a statement needs for itself (seconds).
_INTERVAL_S = 0.05
# SQLITE_DONE, which Python names from 3.11 on.
_DONE = 101
_REMEDY = "See that the database runs and that its disk has space, then run the same again."


class DatabaseCopies(Protocol):
    """What both kinds of database do. Names consist of lower-case letters, digits and underscores; every method raises MlflowError."""

    def names(self) -> set[str]:
        """Return the names of the complete copies."""

    def save(self, name: str) -> None:
        """Save the live database under a name, replacing an earlier copy."""

    def restore(self, name: str) -> None:
        """Make the copy the live database; the copy stays."""

    def delete(self, name: str) -> None:
        """Delete a copy, if it exists."""

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the live database."""


def copies_of(database: Mapping[str, Any]) -> DatabaseCopies:
    """Return the copies of `database` of target.json, which has baselines_dir. Raises MlflowError unless the database is managed by this collection."""
    if not database.get("owned") or not database.get("baselines_dir"):
        raise MlflowError(
            f"Database {database.get('kind', 'unknown')}: not managed by this collection, so its state cannot be restored. Set state_reset to never."
        )
    if database["kind"] == "postgres":
        return PostgresCopies(database["dsn_file"])
    return SqliteCopies(database["path"], database["baselines_dir"])


class SqliteCopies:
    """Copies beside a SQLite file, made with SQLite's online backup API (https://www.sqlite.org/backup.html)."""

    def __init__(self, path: str, directory: str) -> None:
        self._path = Path(path)
        self._directory = Path(directory)

    def names(self) -> set[str]:
        """Return the names of the complete copies (see DatabaseCopies)."""
        return {path.stem for path in self._directory.glob("*.db")}

    def save(self, name: str) -> None:
        """Save the live database (see DatabaseCopies); a partial copy has another name, so it is never restored."""
        partial = self._directory / f"{name}.partial"
        with self._errors(f"copy {name} of {self._path}"):
            self._directory.mkdir(parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            with closing(self._connect(self._path, "ro")) as live, closing(self._connect(partial, "rwc")) as copy:
                _back_up(live, copy)
            partial.replace(self._file(name))

    def restore(self, name: str) -> None:
        """Make the copy the live database (see DatabaseCopies).

        The backup writes in one transaction of the live file: a process that is killed leaves a journal from which the next reader rolls back, and
        MLflow's open connections see the change as they see that of any writer.
        """
        with (
            self._errors(f"restoration of {self._path} from copy {name}"),
            closing(self._connect(self._file(name), "ro")) as copy,
            closing(self._connect(self._path, "rw")) as live,
        ):
            _back_up(copy, live)

    def delete(self, name: str) -> None:
        """Delete a copy (see DatabaseCopies)."""
        with self._errors(f"copy {name} of {self._path}"):
            self._file(name).unlink(missing_ok=True)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query (see DatabaseCopies)."""
        with self._errors(f"reading {self._path}"), closing(self._connect(self._path, "ro")) as live:
            return live.execute(statement).fetchall()

    def _file(self, name: str) -> Path:
        return self._directory / f"{name}.db"

    @staticmethod
    def _connect(path: Path, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=LIMIT_S)

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise MlflowError(f"Database: {what} failed ({error}). {_REMEDY}") from error


def _back_up(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy a whole database in one step. Raises sqlite3.Error, also when a lock of another connection is not released within LIMIT_S."""
    deadline = time.monotonic() + LIMIT_S

    def check(status: int, _remaining: int, _pages: int) -> None:
        # While the target is locked, backup() tries for ever.
        if status != _DONE and time.monotonic() > deadline:
            raise sqlite3.OperationalError("database is locked by another connection")

    source.backup(target, progress=check)


class PostgresCopies:
    """Copies as template databases of the same server, whose names have the prefix `baseline_`.

    The role has to be a superuser, as that of the private server is.
    """

    PREFIX = "baseline_"

    def __init__(self, dsn_file: str) -> None:
        self._dsn = connection_string(dsn_file)
        self._live = str(psycopg.conninfo.conninfo_to_dict(self._dsn)["dbname"])

    def names(self) -> set[str]:
        """Return the names of the complete copies (see DatabaseCopies)."""
        with self._server("reading the list of databases") as server:
            found = server.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [self.PREFIX])
            return {name.removeprefix(self.PREFIX) for (name,) in found}

    def save(self, name: str) -> None:
        """Save the live database (see DatabaseCopies); the planner's statistics are brought up to date first, so that every restored copy has them."""
        what = f"copy {name} of {self._live}"
        with self._connection(self._dsn, what) as live:
            live.execute("VACUUM (ANALYZE)")
        partial = f"partial_{name}"
        with self._server(what) as server:
            self._drop(server, partial)
            with self._alone(what):
                _create(server, partial, self._live)
            self._drop(server, self.PREFIX + name)
            server.execute(_sql("ALTER DATABASE {} RENAME TO {}", partial, self.PREFIX + name))

    def restore(self, name: str) -> None:
        """Make the copy the live database (see DatabaseCopies).

        The new database is complete before the live one is renamed away, and both are renamed in one transaction. Sessions of the live one are ended;
        MLflow tests each pooled connection before it uses it (pool_pre_ping) and connects again.
        """
        incoming, outgoing = f"{self._live}_restoring", f"{self._live}_replaced"
        what = f"restoration of {self._live} from copy {name}"
        with self._server(what) as server:
            self._drop(server, incoming)
            self._drop(server, outgoing)
            _create(server, incoming, self.PREFIX + name)
            with self._alone(what), server.transaction():
                server.execute(_sql("ALTER DATABASE {} RENAME TO {}", self._live, outgoing))
                server.execute(_sql("ALTER DATABASE {} RENAME TO {}", incoming, self._live))
            self._drop(server, outgoing)

    def delete(self, name: str) -> None:
        """Delete a copy (see DatabaseCopies)."""
        with self._server(f"copy {name} of {self._live}") as server:
            self._drop(server, self.PREFIX + name)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query (see DatabaseCopies)."""
        with self._connection(self._dsn, f"reading {self._live}") as live:
            return list(live.execute(statement))

    def _server(self, what: str) -> Any:
        """Connect to the server's own database: nobody may be connected to a database that is copied or renamed."""
        return self._connection(psycopg.conninfo.make_conninfo(self._dsn, dbname="postgres"), what)

    @contextmanager
    def _connection(self, dsn: str, what: str) -> Iterator[Any]:
        options = f"-c statement_timeout={LIMIT_S:.0f}s"
        try:
            with without_libpq_variables(), psycopg.connect(dsn, connect_timeout=10, autocommit=True, options=options) as connection:
                yield connection
        except psycopg.Error as error:
            raise MlflowError(f"Database: {what} failed ({' '.join(str(error).split())}). {_REMEDY}") from error

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        """End all sessions of the live database, and those that come, until the context ends.

        A statement that needs a database for itself locks new sessions out and then waits five seconds for the last one to end. MLflow's pool keeps its
        sessions, and a scrape of its metrics opens one each second, so ending them once before that statement is not enough.
        """
        is_done = Event()
        problems: list[MlflowError] = []

        def end_sessions() -> None:
            try:
                with self._server(what) as server:
                    while not is_done.wait(_INTERVAL_S):
                        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self._live])
            except MlflowError as error:
                problems.append(error)

        ending = Thread(target=end_sessions, daemon=True)
        ending.start()
        try:
            yield
        finally:
            is_done.set()
            ending.join(LIMIT_S)
        if problems:
            raise problems[0]

    @staticmethod
    def _drop(server: Any, database: str) -> None:
        server.execute(_sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", database))


def _create(server: Any, database: str, template: str) -> None:
    server.execute(_sql("CREATE DATABASE {} TEMPLATE {}", database, template))


def _sql(statement: str, *names: str) -> Any:
    return psycopg.sql.SQL(statement).format(*map(psycopg.sql.Identifier, names))
