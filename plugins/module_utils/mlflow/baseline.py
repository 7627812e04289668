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
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

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
# Free space that a copy needs, as a multiple of the live database: the copy itself, and as much for its restoration.
_SPACE = 2
_REMEDY = "Start empty with local_stack_reset=true, which deletes all baselines, or set state_reset to never."


class DataSet(NamedTuple):
    """The data set whose levels are saved: its digest, and the prefix of the tenants."""

    digest: str
    prefix: str


class Baselines:
    """The baselines of one database of ours. `database` is that part of target.json; methods raise MlflowError."""

    def __init__(self, database: Mapping[str, Any], mlflow_version: str, data_set: DataSet) -> None:
        self._database = database
        self._copies = copies_of(database)
        self._directory = Path(database["baselines_dir"])
        self._artifacts = str(database["artifacts_dir"])
        self._mlflow_version = mlflow_version
        self._data_set = data_set

    def check(self) -> None:
        """Raise MlflowError if a baseline is of another MLflow version, schema or kind of database than the live server."""
        current = self._server()
        for baseline in self._all():
            different = [f"{key} {baseline[key]} instead of {current[key]}" for key in SERVER_KEYS if baseline[key] != current[key]]
            if different:
                raise MlflowError(f"Baseline {baseline['name']} in {self._directory}: of another server ({', '.join(different)}). {_REMEDY}")

    def save_initial(self) -> bool:
        """Save the state that the first run finds, unless there are baselines already; return whether it was saved."""
        is_first = not self._all()
        if is_first:
            self._save(INITIAL, 0)
        return is_first

    def save(self, tenants: int) -> dict[str, Any]:
        """Save the live state as the baseline of so many tenants, and return its description."""
        return self._save(self._name(tenants), tenants)

    def largest(self, tenants: int) -> dict[str, Any]:
        """Return the baseline with the most tenants, but not more than `tenants`: that level itself, a smaller one, or the initial state."""
        fitting = [baseline for baseline in self._all() if baseline["tenants"] <= tenants and baseline["name"] in self._names()]
        if not fitting:
            raise MlflowError(f"Baselines in {self._directory}: the initial state is missing. {_REMEDY}")
        return max(fitting, key=lambda baseline: baseline["tenants"])

    def restore(self, baseline: Mapping[str, Any]) -> dict[str, Any]:
        """Restore a baseline and return {seconds, removed_runs}.

        The database comes first, all or nothing; then the artifacts of runs that no baseline knows are removed. An interruption in between leaves files
        without runs, which the next restoration removes.
        """
        started = time.monotonic()
        self._copies.restore(baseline["name"])
        known = {run for other in self._all() for run in other["runs"]}
        removed = remove_runs(self._artifacts, known)
        missing = set(baseline["runs"]) - set(run_directories(self._artifacts))
        if missing:
            raise MlflowError(f"Baseline {baseline['name']}: artifacts of {len(missing)} runs are missing in {self._artifacts}. {_REMEDY}")
        return {"seconds": round(time.monotonic() - started, 3), "removed_runs": removed}

    def _save(self, name: str, tenants: int) -> dict[str, Any]:
        self._check_space(name)
        # The description comes last: a copy without one is not a baseline.
        self._description_file(name).unlink(missing_ok=True)
        self._copies.save(name)
        present = run_directories(self._artifacts)
        baseline = {
            "schema_version": 1,
            "name": name,
            "tenants": tenants,
            "data_set_digest": self._data_set.digest if tenants else None,
            "prefix": self._data_set.prefix if tenants else None,
            **self._server(),
            "rows": database_rows.count_rows(self._database),
            "runs": sorted(run for (run,) in self._copies.query("SELECT run_uuid FROM runs") if run in present),
        }
        write_json(self._description_file(name), baseline)
        return baseline

    def _check_space(self, name: str) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        needed = _SPACE * (database_rows.count_bytes(self._database) or 0)
        free = shutil.disk_usage(self._directory).free
        if free < needed:
            raise MlflowError(
                f"Baseline {name}: needs {needed // 2**20} MiB in {self._directory}, {free // 2**20} MiB are free. Free space, or set state_reset to never."
            )

    def _server(self) -> dict[str, Any]:
        revisions = [revision for (revision,) in self._copies.query("SELECT version_num FROM alembic_version")]
        return {"mlflow_version": self._mlflow_version, "schema_revision": ",".join(sorted(revisions)), "database_kind": self._database["kind"]}

    def _all(self) -> list[dict[str, Any]]:
        """Return the baselines whose copies are complete."""
        copies = self._copies.names()
        found = [_read(path) for path in sorted(self._directory.glob("*.json"))]
        return [baseline for baseline in found if baseline["name"] in copies]

    def _names(self) -> set[str]:
        """Return the names that the baselines of this data set may have."""
        return {INITIAL} | {self._name(baseline["tenants"]) for baseline in self._all()}

    def _name(self, tenants: int) -> str:
        prefix = hashlib.sha256(self._data_set.prefix.encode("utf-8")).hexdigest()[:6]
        return f"t{tenants}_{self._data_set.digest}_{prefix}"

    def _description_file(self, name: str) -> Path:
        return self._directory / f"{name}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        baseline: dict[str, Any] = read_json(path)
        return {**baseline, "runs": list(baseline["runs"]), "tenants": int(baseline["tenants"]), "name": str(baseline["name"])}
    except (ValueError, LookupError, TypeError) as error:
        raise MlflowError(f"Baseline {path}: damaged. {_REMEDY}") from error


class StartState:
    """What the live database of ours was restored to last, and for which cell: the start state of that cell's record.

    It lies beside the baselines, so a controller that attaches to the load of another one finds it.
    """

    def __init__(self, baselines: Baselines, database: Mapping[str, Any]) -> None:
        self._baselines = baselines
        self._database = database
        self._file = Path(database["baselines_dir"]) / "start_state"

    def attached(self, cell: str, tenants: int) -> dict[str, Any]:
        """Return the start state of a cell whose load was begun by an earlier execution; nothing is restored under it."""
        last = self._last()
        if last.get("cell") == cell:
            return {**last, "status": "attached"}
        reason = "The load was begun by an earlier execution, and what its database was restored to is not known."
        return _start_state("attached", cell, tenants, reason)

    def restored(self, cell: str, tenants: int, state_reset: str) -> dict[str, Any]:
        """Restore the level of a cell, or the largest smaller one, and return the start state; its `tenants` are those that are filled now.

        With state_reset `level` a level that the same run restored last continues with what its earlier cells left. So does the prefill of a level that
        an earlier execution of the same cell began: no load has run since. Raises MlflowError.
        """
        baseline, last = self._baselines.largest(tenants), self._last()
        if baseline["tenants"] < tenants and last.get("cell") == cell and last["baseline"]["name"] == baseline["name"]:
            return last
        is_same_level = (last.get("baseline") or {}).get("name") == baseline["name"] and last["cell"].split("/")[0] == cell.split("/")[0]
        if state_reset == "level" and baseline["tenants"] == tenants and is_same_level:
            reason = f"Restored before the first cell of this level ({last['cell'].split('/')[1]}); the rows of the cells since then stay."
            return {**last, "status": "continued", "reason": reason, "rows": database_rows.count_rows(self._database)}
        return self._restore(baseline, cell)

    def saved(self, cell: str, tenants: int) -> dict[str, Any]:
        """Save the filled level and restore it at once: its first cell starts from a restored copy, as all others do. Raises MlflowError."""
        return self._restore(self._baselines.save(tenants), cell)

    def _restore(self, baseline: dict[str, Any], cell: str) -> dict[str, Any]:
        # What is live is unknown until the restoration is complete.
        self._file.unlink(missing_ok=True)
        done = self._baselines.restore(baseline)
        state = {
            **_start_state("restored", cell, baseline["tenants"], None),
            **done,
            "baseline": {key: value for key, value in baseline.items() if key not in ("schema_version", "runs")},
            "rows": database_rows.count_rows(self._database),
        }
        write_json(self._file, state)
        return state

    def _last(self) -> dict[str, Any]:
        try:
            last: dict[str, Any] = read_json(self._file)
        except ValueError:
            return {}
        return last


def _start_state(status: str, cell: str, tenants: int, reason: str | None) -> dict[str, Any]:
    return {"status": status, "reason": reason, "cell": cell, "tenants": tenants, "seconds": None, "removed_runs": None, "baseline": None, "rows": None}


def check_health(client: MlflowClient, data_set: DataSet, tenants: int) -> None:
    """Raise MlflowError unless the server lists all tenants of a restored level, which it reads from the database."""
    visible = list_workspaces(client)
    missing = [name for name in tenant_names(data_set.prefix, range(1, tenants + 1)) if name not in visible]
    if missing:
        raise MlflowError(f"MLflow {client.url}: lacks {len(missing)} tenants after its database was restored ({missing[0]}, …). {_REMEDY}")
