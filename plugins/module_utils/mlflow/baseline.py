# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Baselines: the state of database and artifacts after prefill, saved before any load and restored before cells, so that all start from the same data.

A baseline belongs to one data set, prefix and number of tenants, and to one MLflow version, schema revision and kind of database. The state that the
first run found is the initial baseline, of no tenants: each further one is built on the largest smaller one, so levels may come in any order.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import database_rows
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.artifact_directories import remove_runs, run_directories
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.database_copies import copies_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import list_workspaces, tenant_names

INITIAL = "initial"
# What has to be the same for a copy to fit into the live server.
SERVER_KEYS = ("mlflow_version", "schema_revision", "database_kind")
# What the record of a cell has of its baseline.
RECORDED_KEYS = ("name", "tenants", "data_set_digest", "prefix", *SERVER_KEYS, "rows")
# Free space that a copy needs, as a multiple of the live database: the copy itself, and as much for its restoration.
SPACE = 2
# Options of the modules, documented in the fragment baseline.
OPTIONS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["initialized", "restored", "saved"], "required": True},
    "database": {"type": "dict", "required": True},
    "mlflow_version": {"type": "str", "required": True},
    "data_set_digest": {"type": "str", "required": True},
    "prefix": {"type": "str", "required": True},
    "tenants": {"type": "int"},
    "state_reset": {"type": "str", "choices": ["cell", "level"], "default": "cell"},
    "cell_directory": {"type": "path"},
    "plan_digest": {"type": "str", "default": ""},
}
_OF_LEVELS = ["tenants", "cell_directory"]
REQUIRED = [("state", "restored", _OF_LEVELS), ("state", "saved", _OF_LEVELS)]
_REMEDY = "Start empty with local_stack_reset=true, which deletes all baselines, or set state_reset to never."


class DataSet(NamedTuple):
    """The data set whose levels are saved: its digest, and the prefix of the tenants."""

    digest: str
    prefix: str


class BaselineStore(Protocol):
    """Where baselines are kept, and what restores them. Methods raise MlflowError, or ClusterError for a store in a cluster."""

    place: str
    # What to do about baselines that cannot be used.
    remedy: str

    def server(self) -> dict[str, str]:
        """Return {schema_revision, database_kind} of the live database."""

    def descriptions(self) -> list[dict[str, Any]]:
        """Return the descriptions of the complete baselines."""

    def save(self, description: Mapping[str, Any]) -> dict[str, Any]:
        """Save the live state under the name of the description, and return that with `rows` and what else the store needs to restore it."""

    def restore(self, baseline: Mapping[str, Any], start_state: Mapping[str, Any]) -> dict[str, Any]:
        """Restore a baseline and return {removed_runs, reason}; `start_state` is what the live database is from then on.

        The database comes first, all or nothing; then the artifacts of runs that no baseline knows are removed. An interruption in between leaves files
        without runs, which the next restoration removes. `reason`: what was not restored, or None.
        """

    def rows(self) -> dict[str, int] | None:
        """Return the rows of the live database by table."""

    def last(self) -> dict[str, Any]:
        """Return the start state that was kept last, or {}."""

    def keep(self, start_state: Mapping[str, Any]) -> None:
        """Keep the start state of the live database; an empty one says that it is not known."""


class LocalStore:
    """Baselines on this machine, beside the data of a database of ours. `database` is that part of target.json; methods raise MlflowError."""

    remedy = _REMEDY

    def __init__(self, database: Mapping[str, Any]) -> None:
        self._database = database
        self._copies = copies_of(database)
        self._directory = Path(database["baselines_dir"])
        self._artifacts = str(database["artifacts_dir"])
        self._start_state_file = self._directory / "start_state"
        self.place = str(self._directory)

    def server(self) -> dict[str, str]:
        """Return what a baseline has to fit (see BaselineStore)."""
        revisions = [revision for (revision,) in self._copies.query("SELECT version_num FROM alembic_version")]
        return {"schema_revision": ",".join(sorted(revisions)), "database_kind": self._database["kind"]}

    def descriptions(self) -> list[dict[str, Any]]:
        """Return the descriptions of the baselines whose copies are complete (see BaselineStore)."""
        copies = self._copies.names()
        found = [_read(path) for path in sorted(self._directory.glob("*.json"))]
        return [baseline for baseline in found if baseline["name"] in copies]

    def save(self, description: Mapping[str, Any]) -> dict[str, Any]:
        """Save the live state (see BaselineStore)."""
        name = description["name"]
        self._check_space(name)
        # The description comes last: a copy without one is not a baseline.
        self._description_file(name).unlink(missing_ok=True)
        self._copies.save(name)
        present = run_directories(self._artifacts)
        runs = sorted(run for (run,) in self._copies.query("SELECT run_uuid FROM runs") if run in present)
        baseline = {**description, "rows": self.rows(), "runs": runs}
        write_json(self._description_file(name), baseline)
        return baseline

    def restore(self, baseline: Mapping[str, Any], start_state: Mapping[str, Any]) -> dict[str, Any]:
        """Restore a baseline (see BaselineStore)."""
        self._copies.restore(baseline["name"])
        known = {run for other in self.descriptions() for run in other["runs"]}
        removed = remove_runs(self._artifacts, known)
        missing = set(baseline["runs"]) - set(run_directories(self._artifacts))
        if missing:
            raise MlflowError(f"Baseline {baseline['name']}: artifacts of {len(missing)} runs are missing in {self._artifacts}. {_REMEDY}")
        return {"removed_runs": removed, "reason": None}

    def rows(self) -> dict[str, int] | None:
        """Return the rows of the live database (see BaselineStore)."""
        return database_rows.count_rows(self._database)

    def last(self) -> dict[str, Any]:
        """Return the last start state (see BaselineStore)."""
        try:
            last: dict[str, Any] = read_json(self._start_state_file)
        except ValueError:
            return {}
        return last

    def keep(self, start_state: Mapping[str, Any]) -> None:
        """Keep the start state in a file beside the baselines (see BaselineStore)."""
        if start_state:
            write_json(self._start_state_file, dict(start_state))
        else:
            self._start_state_file.unlink(missing_ok=True)

    def _check_space(self, name: str) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        check_space(name, SPACE * (database_rows.count_bytes(self._database) or 0), shutil.disk_usage(self._directory).free, self.place)

    def _description_file(self, name: str) -> Path:
        return self._directory / f"{name}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        baseline: dict[str, Any] = read_json(path)
        return {**baseline, "runs": list(baseline["runs"]), "tenants": int(baseline["tenants"]), "name": str(baseline["name"])}
    except (ValueError, LookupError, TypeError) as error:
        raise MlflowError(f"Baseline {path}: damaged. {_REMEDY}") from error


def check_space(name: str, needed: float, free: float, place: str) -> None:
    """Raise MlflowError unless a baseline that needs so many bytes fits into what is free."""
    if free < needed:
        sizes = f"needs {int(needed) // 2**20} MiB in {place}, {int(free) // 2**20} MiB are free"
        raise MlflowError(f"Baseline {name}: {sizes}. Free space, or set state_reset to never.")


class Baselines:
    """The baselines of one data set in a store. Methods raise MlflowError, or ClusterError for a store in a cluster."""

    def __init__(self, store: BaselineStore, mlflow_version: str, data_set: DataSet) -> None:
        self.store = store
        self._mlflow_version = mlflow_version
        self._data_set = data_set

    def check(self) -> None:
        """Raise MlflowError if a baseline is of another MLflow version, schema or kind of database than the live server."""
        current = self._server()
        for baseline in self.store.descriptions():
            different = [f"{key} {baseline[key]} instead of {current[key]}" for key in SERVER_KEYS if baseline[key] != current[key]]
            if different:
                raise MlflowError(f"Baseline {baseline['name']} in {self.store.place}: of another server ({', '.join(different)}). {self.store.remedy}")

    def save_initial(self) -> bool:
        """Save the state that the first run finds, unless there are baselines already; return whether it was saved."""
        is_first = not self.store.descriptions()
        if is_first:
            self._save(INITIAL, 0)
        return is_first

    def save(self, tenants: int) -> dict[str, Any]:
        """Save the live state as the baseline of so many tenants, and return its description."""
        return self._save(self._name(tenants), tenants)

    def largest(self, tenants: int) -> dict[str, Any]:
        """Return the baseline with the most tenants, but not more than `tenants`: that level itself, a smaller one, or the initial state."""
        everything = self.store.descriptions()
        names = {INITIAL} | {self._name(baseline["tenants"]) for baseline in everything}
        fitting = [baseline for baseline in everything if baseline["tenants"] <= tenants and baseline["name"] in names]
        if not fitting:
            raise MlflowError(f"Baselines in {self.store.place}: the initial state is missing. {self.store.remedy}")
        return max(fitting, key=lambda baseline: baseline["tenants"])

    def restore(self, baseline: Mapping[str, Any], start_state: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Restore a baseline, of which the live state has `start_state` from then on, and return {seconds, removed_runs, reason}."""
        started = time.monotonic()
        done = self.store.restore(baseline, start_state or {})
        return {"seconds": round(time.monotonic() - started, 3), **done}

    def _save(self, name: str, tenants: int) -> dict[str, Any]:
        description = {
            "schema_version": 1,
            "name": name,
            "tenants": tenants,
            "data_set_digest": self._data_set.digest if tenants else None,
            "prefix": self._data_set.prefix if tenants else None,
            **self._server(),
        }
        return self.store.save(description)

    def _server(self) -> dict[str, Any]:
        return {"mlflow_version": self._mlflow_version, **self.store.server()}

    def _name(self, tenants: int) -> str:
        prefix = hashlib.sha256(self._data_set.prefix.encode("utf-8")).hexdigest()[:6]
        return f"t{tenants}_{self._data_set.digest}_{prefix}"


class StartState:
    """What the live database of ours was restored to last, and for which cell: the start state of that cell's record.

    It lies beside the baselines, so a controller that attaches to the load of another one finds it.
    """

    def __init__(self, baselines: Baselines) -> None:
        self._baselines = baselines
        self._store = baselines.store

    def attached(self, cell: str, tenants: int) -> dict[str, Any]:
        """Return the start state of a cell whose load was begun by an earlier execution; nothing is restored under it."""
        last = self._store.last()
        if last.get("cell") == cell:
            return {**last, "status": "attached"}
        reason = "The load was begun by an earlier execution, and what its database was restored to is not known."
        return _start_state("attached", cell, tenants, reason)

    def restored(self, cell: str, tenants: int, state_reset: str) -> dict[str, Any]:
        """Restore the level of a cell, or the largest smaller one, and return the start state; its `tenants` are those that are filled now.

        With state_reset `level` a level that the same run restored last continues with what its earlier cells left. So does the prefill of a level that
        an earlier execution of the same cell began: no load has run since. Raises MlflowError.
        """
        baseline, last = self._baselines.largest(tenants), self._store.last()
        if baseline["tenants"] < tenants and last.get("cell") == cell and last["baseline"]["name"] == baseline["name"]:
            return last
        is_same_level = (last.get("baseline") or {}).get("name") == baseline["name"] and last["cell"].split("/")[0] == cell.split("/")[0]
        if state_reset == "level" and baseline["tenants"] == tenants and is_same_level:
            reason = f"Restored before the first cell of this level ({last['cell'].split('/')[1]}); the rows of the cells since then stay."
            return {**last, "status": "continued", "reason": reason, "rows": self._store.rows()}
        return self._restore(baseline, cell)

    def saved(self, cell: str, tenants: int) -> dict[str, Any]:
        """Save the filled level and restore it at once: its first cell starts from a restored copy, as all others do. Raises MlflowError."""
        return self._restore(self._baselines.save(tenants), cell)

    def _restore(self, baseline: dict[str, Any], cell: str) -> dict[str, Any]:
        # What is live is unknown until the restoration is complete.
        self._store.keep({})
        described = {key: baseline[key] for key in RECORDED_KEYS}
        state = {**_start_state("restored", cell, baseline["tenants"], None), "baseline": described, "rows": baseline["rows"]}
        state |= self._baselines.restore(baseline, state)
        state["rows"] = self._store.rows()
        self._store.keep(state)
        return state


def _start_state(status: str, cell: str, tenants: int, reason: str | None) -> dict[str, Any]:
    return {"status": status, "reason": reason, "cell": cell, "tenants": tenants, "seconds": None, "removed_runs": None, "baseline": None, "rows": None}


def carry_out(baselines: Baselines, options: Mapping[str, Any], goes_on: Callable[[Path], bool]) -> tuple[bool, dict[str, Any]]:
    """Return (changed, start state) for the options of a module; the start state of `initialized` is empty.

    `goes_on` returns whether the load of the cell with this directory, begun by an earlier execution, goes on or ended without a record, so that the cell is
    about what it found; it stops other loads, which may not write into what is restored. Raises MlflowError, or ClusterError for a store in a cluster.
    """
    if options["state"] == "initialized":
        baselines.check()
        return baselines.save_initial(), {}
    state, directory, tenants = StartState(baselines), Path(options["cell_directory"]), options["tenants"]
    cell = f"{directory.parents[1].name}/{directory.name}"
    if goes_on(directory):
        return False, state.attached(cell, tenants)
    found = state.saved(cell, tenants) if options["state"] == "saved" else state.restored(cell, tenants, options["state_reset"])
    return found["status"] == "restored", found


def check_health(client: MlflowClient, data_set: DataSet, tenants: int) -> None:
    """Raise MlflowError unless the server lists all tenants of a restored level, which it reads from the database."""
    visible = list_workspaces(client)
    missing = [name for name in tenant_names(data_set.prefix, range(1, tenants + 1)) if name not in visible]
    if missing:
        raise MlflowError(f"MLflow {client.url}: lacks {len(missing)} tenants after its database was restored ({missing[0]}, …). {_REMEDY}")
