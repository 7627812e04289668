# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Multiply the data set of one tenant inside a tracking database and artifact store of ours: what REST would create, with new ids.

Rows are found along the foreign keys that lead to experiments and registered_models, whose own column `workspace` has none. Only what
KNOWN_REVISIONS names is trusted: an id in the text of a column of another schema would stay the one of the first tenant.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.artifact_directories import run_directories
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import check_shape, expected_counts
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.tracking_schema import DRIVER, Table, TrackingDatabase, open_database, quoted

# The schema revisions (alembic) for which tests compare a clone with its source through the API, and the MLflow that has each.
KNOWN_REVISIONS = {"dc11669786a5": "3.17"}
ROOTS = ("experiments", "registered_models")
# The column that names the tenant; the table `workspaces` itself is filled through REST, and empty where namespaces are the workspaces.
WORKSPACE = "workspace"
# The tables that hold what a shape counts.
COUNTED = {
    "experiments": "experiments", "runs": "runs", "metrics": "metrics", "params": "params", "registered_models": "prompts", "model_versions": "prompt_versions",
}  # fmt: skip
# Columns with paths in the artifact store: …/workspaces/<workspace>/<experiment>[/<run>…].
PATHS = {("experiments", "artifact_location"), ("runs", "artifact_uri")}
# A tag of model versions with a list of experiments, which clients write as `["7"]` or `,7,`.
EXPERIMENTS_TAG = "mlflow.prompt.experiment_ids"
_PATH = re.compile(r"^(?P<root>.*/workspaces/)(?P<workspace>[^/]+)/(?P<experiment>\d+)(?:/(?P<run>[0-9a-f]{32})(?P<rest>/.*)?)?$")
_NUMBER = re.compile(r"\d+")
_UUID = re.compile(r"[0-9a-f]{32}")

Rows = list[tuple[Any, ...]]
NOTHING = {"is_possible": False, "reason": None, "source": None, "tenants": 0, "rows": 0, "files": 0, "seconds": 0.0}
"""What was done where nothing is to be cloned (see fill)."""

OPTIONS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["planned", "cloned"], "default": "cloned"},
    "database": {"type": "dict", "required": True},
    "prefix": {"type": "str", "required": True},
    "count": {"type": "int", "required": True},
    "shape": {"type": "dict", "required": True},
}
"""Options of the modules that clone."""


class NotCloneableError(MlflowError):
    """The data set has to be filled through REST; the text says why."""


class Plan(NamedTuple):
    """What a clone would do: the number of the tenant to multiply (None: the first has to be filled before) and the numbers of the empty tenants."""

    source: int | None
    empty: list[int]


class Levels(NamedTuple):
    """The tenants to fill: their prefix and numbers."""

    prefix: str
    numbers: list[int]


def tenants_of(params: Mapping[str, Any], is_dry: bool) -> dict[str, Any] | None:
    """Return {prefix, count, shape, is_dry} of a module's options, None where there is nothing to multiply. Raises MlflowError."""
    shape = check_shape(params["shape"])
    if params["count"] == 1 or not any(shape.values()):
        return None
    return {"prefix": params["prefix"], "count": params["count"], "shape": shape, "is_dry": is_dry or params["state"] == "planned"}


def fill(database: Mapping[str, Any], artifacts: str, prefix: str, count: int, shape: Mapping[str, int], is_dry: bool) -> dict[str, Any]:
    """Fill the empty ones of the first `count` tenants with clones of a complete one; `is_dry` only plans.

    Returns {is_possible, reason (None, or why REST has to fill them), source (a tenant's number or None), tenants (empty before), rows, files, seconds}.
    `database` is as in open_database, `artifacts` the directory that MLflow serves. Raises MlflowError.
    """
    started = time.monotonic()
    levels = Levels(prefix, list(range(1, count + 1)))
    try:
        if database["kind"] == "postgres" and DRIVER is None:
            raise NotCloneableError("Python: has neither psycopg nor psycopg2, without which no PostgreSQL can be written.")
        with open_database(database) as transaction:
            found = plan(transaction, levels, shape)
            result = {**NOTHING, "is_possible": True, "source": found.source, "tenants": len(found.empty)}
            if is_dry or found.source is None or not found.empty:
                return result
            names = [f"{prefix}{number}" for number in found.empty]
            result |= clone(transaction, artifacts, f"{prefix}{found.source}", names)
        return {**result, "seconds": round(time.monotonic() - started, 3)}
    except NotCloneableError as error:
        return {**NOTHING, "reason": str(error)}


def plan(database: TrackingDatabase, levels: Levels, shape: Mapping[str, int]) -> Plan:
    """Return what to clone. Raises NotCloneableError where a tenant holds anything else than exactly the data set, or the schema is unknown."""
    revisions = {revision for (revision,) in database.query("SELECT version_num FROM alembic_version")}
    if not revisions <= set(KNOWN_REVISIONS):
        known = ", ".join(f"{revision} (MLflow {version})" for revision, version in KNOWN_REVISIONS.items())
        raise NotCloneableError(f"Schema revision {', '.join(sorted(revisions))}: not known to be cloned correctly. Known: {known}.")
    counts = counts_by_tenant(database, tuple(COUNTED))
    wanted = expected_counts(shape)
    expected = {table: wanted[what] for table, what in COUNTED.items() if wanted[what]}
    names = {number: f"{levels.prefix}{number}" for number in levels.numbers}
    empty = [number for number, name in names.items() if not counts.get(name)]
    complete = [number for number, name in names.items() if counts.get(name) == expected]
    other = [name for number, name in names.items() if number not in {*empty, *complete}]
    first = names[min(names)]
    if other == [first] and not complete and all(count <= expected.get(table, 0) for table, count in counts[first].items()):
        return Plan(None, empty)
    if other:
        raise NotCloneableError(f"Tenant {other[0]}: holds something else than exactly the data set, as {len(other)} of {len(names)} tenants do.")
    return Plan(complete[0] if complete else None, empty)


def counts_by_tenant(database: TrackingDatabase, names: Sequence[str] | None = None) -> dict[str, dict[str, int]]:
    """Return {tenant: {table: rows}} of the tables that belong to tenants, those with rows only; `names` limits the tables."""
    tables = _tenant_tables(database.tables())
    found: dict[str, dict[str, int]] = {}
    for table in tables.values():
        if names is None or table.name in names:
            joins, workspace = _path_to_root(table, tables)
            statement = f"SELECT {workspace}, count(*) FROM {quoted(table.name)} AS t0 {joins} GROUP BY 1"  # noqa: S608 - names of the database itself
            for tenant, count in database.query(statement):
                found.setdefault(tenant, {})[table.name] = count
    return found


def clone(database: TrackingDatabase, artifacts: str, source: str, names: Sequence[str]) -> dict[str, int]:
    """Multiply what tenant `source` holds into the tenants `names`, and return {rows, files}.

    Files come first: without their rows they belong to no run, and the next restoration removes them. Raises MlflowError, NotCloneableError where an
    id is found in a place that is not expected.
    """
    tables = _tenant_tables(database.tables())
    rows = {name: _source_rows(database, table, tables, source) for name, table in tables.items()}
    _check_nothing_else(database, tables, source)
    _check_text(tables, rows, source)
    start = 1 + database.query('SELECT max("experiment_id") FROM "experiments"')[0][0]
    copies = [Copy(tables, rows, source, name, start + number * len(rows["experiments"])) for number, name in enumerate(names)]
    files = _copy_files(artifacts, set(_column(tables["runs"], rows["runs"], "run_uuid")), copies)
    for name in filter(rows.get, tables):
        database.insert(tables[name], (row for copy in copies for row in copy.rows(name)))
    database.finish("experiments", "experiment_id")
    _verify(database, source, names)
    return {"rows": len(copies) * sum(map(len, rows.values())), "files": files}


class Copy:
    """The rows of one new tenant, with their new ids."""

    def __init__(self, tables: Mapping[str, Table], rows: Mapping[str, Rows], source: str, name: str, first_experiment: int) -> None:
        self.name = name
        self._tables, self._rows = tables, rows
        experiments = _column(tables["experiments"], rows["experiments"], "experiment_id")
        self.experiments = {old: first_experiment + number for number, old in enumerate(experiments)}
        self.runs = {old: _new_uuid(old, name) for old in _column(tables["runs"], rows["runs"], "run_uuid")}
        self._ids: dict[tuple[str, str], dict[Any, Any]] = {
            ("experiments", "experiment_id"): self.experiments,
            ("runs", "run_uuid"): self.runs,
            **{(table.name, WORKSPACE): {source: name} for table in tables.values() if WORKSPACE in table.columns},
        }
        for table in tables.values():
            self._add_ids(table)

    def rows(self, name: str) -> Iterator[list[Any]]:
        """Yield the rows of a table."""
        table = self._tables[name]
        changes = [(index, self._change(table, column)) for index, column in enumerate(table.columns)]
        changed = [(index, change) for index, change in changes if change is not None]
        for row in self._rows[name]:
            new = list(row)
            for index, change in changed:
                new[index] = change(row[index])
            if name == "model_version_tags" and new[table.columns.index("key")] == EXPERIMENTS_TAG:
                value = table.columns.index("value")
                new[value] = _NUMBER.sub(lambda found: str(self.experiments[int(found[0])]), new[value])
            yield new

    def moved(self, path: str) -> str:
        """Return a path in the artifact store with the new tenant, experiment and run."""
        found = _PATH.match(path)
        if not found or int(found["experiment"]) not in self.experiments or (found["run"] and found["run"] not in self.runs):
            raise NotCloneableError(f"Artifact path {path}: not one of a tenant's experiments.")
        run = f"/{self.runs[found['run']]}{found['rest'] or ''}" if found["run"] else ""
        return f"{found['root']}{self.name}/{self.experiments[int(found['experiment'])]}{run}"

    def _change(self, table: Table, column: str) -> Callable[[Any], Any] | None:
        """Return how a column's values change, None where they stay."""
        if (table.name, column) in PATHS:
            return self.moved
        ids = self._ids_of(table, column)
        return None if ids is None else lambda value: ids.get(value, value)

    def _ids_of(self, table: Table, column: str) -> dict[Any, Any] | None:
        """Return the new ids of a column: its own, or those of the column that it refers to."""
        if (table.name, column) in self._ids:
            return self._ids[table.name, column]
        for key in table.references:
            if column in key.columns and key.parent in self._tables:
                parent = key.parent_columns[key.columns.index(column)]
                return self._ids_of(self._tables[key.parent], parent)
        return None

    def _add_ids(self, table: Table) -> None:
        """Add new ids for a primary key that is a single UUID of the table's own."""
        if len(table.primary_key) != 1 or self._ids_of(table, table.primary_key[0]) is not None:
            return
        (column,) = table.primary_key
        olds = _column(table, self._rows[table.name], column)
        if not all(isinstance(old, str) and _UUID.fullmatch(old) for old in olds):
            raise NotCloneableError(f"Table {table.name}: ids of a form that cannot be cloned ({olds[0]}).")
        self._ids[table.name, column] = {old: _new_uuid(old, self.name) for old in olds}


def _new_uuid(old: str, name: str) -> str:
    """Return an id in the form of MLflow's, derived from that of the source and the new tenant, so that the same clone has the same ids."""
    return hashlib.sha256(f"{old}/{name}".encode()).hexdigest()[:32]


def _tenant_tables(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables that belong to tenants, each after those that it refers to."""
    missing = [name for name in (*ROOTS, "runs", "model_version_tags") if name not in tables]
    if missing or any(WORKSPACE not in tables[name].columns for name in ROOTS):
        raise NotCloneableError("Tables: not those of an MLflow with workspaces.")
    found = {name: tables[name] for name in ROOTS}
    while True:
        added = {
            name: table
            for name, table in tables.items()
            if name not in found
            and any(key.parent in found for key in table.references)
            # A parent that will still be added comes first.
            and not any(_leads_to(tables, key.parent, found) and key.parent not in found and key.parent != name for key in table.references)
        }
        if not added:
            return found
        found |= added


def _leads_to(tables: Mapping[str, Table], name: str, found: Mapping[str, Table], seen: frozenset[str] = frozenset()) -> bool:
    """Return whether foreign keys lead from a table to one of the found ones."""
    if name in found:
        return True
    return name not in seen and name in tables and any(_leads_to(tables, key.parent, found, seen | {name}) for key in tables[name].references)


def _parent(table: Table, tables: Mapping[str, Table]) -> Any:
    """Return the foreign key by which a table's rows belong to a tenant."""
    return next(key for key in table.references if key.parent in tables)


def _path_to_root(table: Table, tables: Mapping[str, Table]) -> tuple[str, str]:
    """Return the joins that lead from a table (t0) to its tenant, and the column that names the tenant."""
    joins, depth = [], 0
    while WORKSPACE not in table.columns:
        key = _parent(table, tables)
        on = " AND ".join(f"t{depth}.{quoted(own)} = t{depth + 1}.{quoted(theirs)}" for own, theirs in zip(key.columns, key.parent_columns, strict=True))
        joins.append(f"JOIN {quoted(key.parent)} AS t{depth + 1} ON {on}")
        table, depth = tables[key.parent], depth + 1
    return " ".join(joins), f"t{depth}.{quoted(WORKSPACE)}"


def _source_rows(database: TrackingDatabase, table: Table, tables: Mapping[str, Table], source: str) -> Rows:
    joins, workspace = _path_to_root(table, tables)
    columns = ", ".join(f"t0.{quoted(column)}" for column in table.columns)
    order = ", ".join(f"t0.{quoted(column)}" for column in table.primary_key or table.columns[:1])
    statement = f"SELECT {columns} FROM {quoted(table.name)} AS t0 {joins} WHERE {workspace} = ? ORDER BY {order}"  # noqa: S608 - names of the database
    return database.query(statement, source)


def _column(table: Table, rows: Rows, column: str) -> list[Any]:
    index = table.columns.index(column)
    return [row[index] for row in rows]


def _check_nothing_else(database: TrackingDatabase, tables: Mapping[str, Table], source: str) -> None:
    """Raise NotCloneableError if the tenant has rows in a table that is not cloned."""
    for table in database.tables().values():
        if table.name not in tables and WORKSPACE in table.columns:
            count = database.query(f"SELECT count(*) FROM {quoted(table.name)} WHERE {quoted(WORKSPACE)} = ?", source)[0][0]  # noqa: S608
            if count:
                raise NotCloneableError(f"Tenant {source}: has {count} rows in {table.name}, which are not cloned.")


def _check_text(tables: Mapping[str, Table], rows: Mapping[str, Rows], source: str) -> None:
    """Raise NotCloneableError if text of another column holds the id of a run or a path of the tenant, which a clone would not change."""
    runs = set(_column(tables["runs"], rows["runs"], "run_uuid"))
    for name, table in tables.items():
        keys = {column for key in table.references for column in key.columns} | set(table.primary_key)
        texts = [index for index, column in enumerate(table.columns) if (name, column) not in PATHS and column not in keys]
        for row in rows[name]:
            for index in texts:
                value = row[index]
                if isinstance(value, str) and (f"/workspaces/{source}/" in value or not runs.isdisjoint(_UUID.findall(value))):
                    raise NotCloneableError(f"Column {name}.{table.columns[index]}: holds ids of {source}, which are not expected there.")


def _copy_files(artifacts: str, runs: set[str], copies: Sequence[Copy]) -> int:
    """Give the files of the source's runs to the runs of every copy, and return how many.

    No journey writes into a run of the data set, so hard links are enough; where the file system gives none the file is copied. Raises MlflowError.
    """
    root = Path(artifacts)
    try:
        sources = {run: path for run, path in run_directories(artifacts).items() if run in runs}
        trees = {run: [(Path(folder).relative_to(path), names) for folder, _folders, names in os.walk(path)] for run, path in sources.items()}
        done = 0
        for copy in copies:
            for run, path in sources.items():
                target = root / "workspaces" / copy.name / str(copy.experiments[int(path.parent.name)]) / copy.runs[run]
                for folder, names in trees[run]:
                    os.makedirs(target / folder, exist_ok=True)
                    for name in names:
                        _link(path / folder / name, target / folder / name)
                    done += len(names)
        return done
    except OSError as error:
        raise MlflowError(f"Artifacts {artifacts}: {error.strerror} ({error.filename}). Free space, or set data_set_method to rest.") from error


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:  # left by a clone that was interrupted
        return
    except OSError:
        shutil.copy2(source, target)


def _verify(database: TrackingDatabase, source: str, names: Sequence[str]) -> None:
    """Raise MlflowError, so that nothing is committed, unless every new tenant has as many rows of each table as the source."""
    counts = counts_by_tenant(database)
    different = [name for name in names if counts.get(name) != counts[source]]
    if different:
        raise MlflowError(f"Clone of {source}: {len(different)} tenants have other rows ({different[0]}, …). Set data_set_method to rest.")
