# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Baselines of the PostgreSQL that role postgresql made in a cluster: template databases of that server, saved and restored by Jobs.

A copy and its description are one: the description is the comment of the copy, so they come and go together, and with the server's volume. The comment of
the live database is its start state. Any controller finds both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import artifacts
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.artifacts import artifact_store
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.database import running_pod
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.jobs import WORK, WORK_VOLUME, job, run
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import quantity
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.postgres import (
    BYTES,
    CONTAINER,
    ROWS,
    identifier,
    literal,
    psql_container,
    pull_secrets,
    results,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.readiness import Readiness, is_condition_true, wait
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.baseline import SPACE, check_space

PREFIX = "baseline_"
# How often a second psql ends the sessions of a database, a tenth of a second apart: longer than a statement waits for the last session.
_ENDS = 100
# MLflow's readiness probe comes every 5 s and may fail three times (seconds).
_HEALTH_S = 60.0


class ClusterStore:
    """A store of baselines (see mlflow/baseline.py). `database` and `mlflow` (its pods) are of target.json; methods raise ClusterError or MlflowError."""

    remedy = "Start with an empty database (playbooks/teardown.yml), which deletes all baselines, or set state_reset to never."

    def __init__(self, cluster: Cluster, database: Mapping[str, Any], mlflow: Mapping[str, str], run_id: str) -> None:
        """`run_id` labels the Jobs."""
        if not database.get("owned") or not database.get("job"):
            raise ClusterError(
                f"Database {database.get('kind', 'unknown')}: not a PostgreSQL of this collection, so its state cannot be restored. Set state_reset to never."
            )
        self._cluster = cluster
        self._job = database["job"]
        self._mlflow = mlflow
        self._run_id = run_id
        self._live = self._job["database"]
        self._known: dict[str, Any] | None = None
        self.place = f"{self._job['namespace']}/{self._job['host'].partition('.')[0]}"

    def server(self) -> dict[str, str]:
        """Return what a baseline has to fit (see BaselineStore)."""
        return {"schema_revision": self._state["revision"], "database_kind": "postgres"}

    def descriptions(self) -> list[dict[str, Any]]:
        """Return the descriptions of the baselines (see BaselineStore)."""
        return list(map(self._described, (self._state["copies"] or {}).values()))

    def save(self, description: Mapping[str, Any]) -> dict[str, Any]:
        """Save the live state (see BaselineStore)."""
        state, name = self._state, description["name"]
        self._check_space(name, state)
        baseline = {**description, "rows": state["rows"], "run_directories": state["present"]}
        text = json.dumps(baseline)
        self._run(save_script(self._live, name, text), with_artifacts=False)
        state["copies"] = {**(state["copies"] or {}), PREFIX + name: text}
        return baseline

    def restore(self, baseline: Mapping[str, Any], start_state: Mapping[str, Any]) -> dict[str, Any]:
        """Restore a baseline (see BaselineStore), and wait until MLflow's pods are ready."""
        state, text = self._state, json.dumps(start_state)
        names = [other["name"] for other in self.descriptions()]
        self._known = None
        done = self._run(restore_script(self._live, baseline["name"], text, names))
        self._known = {**state, **done, "start_state": text}
        self._wait_healthy()
        missing = 0 if done["present"] is None else (baseline["run_directories"] or 0) - done["present"]
        if missing > 0:
            raise ClusterError(f"Baseline {baseline['name']}: artifacts of {missing} runs are missing in MLflow's volume. {self.remedy}")
        reason = done["reason"] and f"Only the database was restored; files that earlier cells wrote are still there, because {done['reason']}."
        return {"removed_runs": done["removed"], "reason": reason}

    def rows(self) -> dict[str, int] | None:
        """Return the rows of the live database by table (see BaselineStore)."""
        return dict(self._state["rows"])

    def last(self) -> dict[str, Any]:
        """Return the start state of the live database, the comment of which it is (see BaselineStore)."""
        try:
            found = json.loads(self._state["start_state"] or "")
        except ValueError:
            return {}
        return found if isinstance(found, dict) and "cell" in found else {}

    def keep(self, start_state: Mapping[str, Any]) -> None:
        """Do nothing: a database that is restored gets its start state before it becomes the live one (see BaselineStore)."""

    @property
    def _state(self) -> dict[str, Any]:
        """What one Job read of the live database, its copies and artifacts."""
        if self._known is None:
            self._known = self._run(read_script(self._live))
        return self._known

    def _run(self, script: str, with_artifacts: bool = True) -> dict[str, Any]:
        """Run a script, then the container for artifacts if they can be reached, and return what both printed: present, removed and reason of the latter."""
        database = psql_container(self._job, script, [WORK])
        spec: dict[str, Any] = {"containers": [database], "volumes": [WORK_VOLUME], "imagePullSecrets": pull_secrets(self._job)}
        store = artifact_store(running_pod(self._cluster, self._mlflow), self._mlflow["container"])
        uses_artifacts = with_artifacts and store.reason is None
        if uses_artifacts:
            spec |= {"initContainers": [database], "containers": [artifacts.job_container(store, WORK)]}
            spec = artifacts.beside_mlflow(store, spec)
        logs = run(self._cluster, job(self._job["namespace"], spec), self._run_id)
        found: dict[str, Any] = {"present": None, "removed": None, "reason": store.reason}
        for part in results(logs[CONTAINER]):
            found |= part
        return {**found, **(artifacts.counts(logs[artifacts.CONTAINER]) if uses_artifacts else {})}

    def _described(self, comment: str) -> dict[str, Any]:
        try:
            baseline: dict[str, Any] = json.loads(comment or "")
            return {**baseline, "tenants": int(baseline["tenants"]), "name": str(baseline["name"])}
        except (ValueError, LookupError, TypeError) as error:
            raise ClusterError(f"Baselines in {self.place}: the description of one is damaged. {self.remedy}") from error

    def _check_space(self, name: str, state: Mapping[str, Any]) -> None:
        """Raise MlflowError when all databases and the new copy, and one that is being restored, exceed what the server's claim has."""
        claim = self._cluster.get(f"/api/v1/namespaces/{self._job['namespace']}/persistentvolumeclaims/{self._job['claim']}") or {}
        capacity = quantity(((claim.get("status") or {}).get("capacity") or {}).get("storage"))
        if capacity is not None:
            check_space(name, SPACE * state["bytes"], capacity - state["all_bytes"], f"PersistentVolumeClaim {self._job['claim']}")

    def _wait_healthy(self) -> None:
        """Wait until a pod of MLflow is ready. Its data are read through its API by the verification of the data set, before any load."""

        def check(pod: Mapping[str, Any] | None) -> Readiness:
            return Readiness() if is_condition_true(pod, "Ready") else Readiness(waiting_for=["its pod is not ready"])

        _pod, outcome = wait(lambda: running_pod(self._cluster, self._mlflow), check, _HEALTH_S)
        if not outcome.readiness.ready:
            why = "; ".join(outcome.readiness.reasons)
            raise ClusterError(f"MLflow in {self._mlflow['namespace']}: not ready after its database was restored ({why}). Read the log of its pod.")


def read_script(live: str) -> str:
    """Return the script that prints one object {revision, rows, bytes, all_bytes, copies, start_state}, and leaves the live run ids in a file."""
    copies = f"SELECT json_object_agg(datname, shobj_description(oid, 'pg_database')) FROM pg_database WHERE starts_with(datname, {literal(PREFIX)})"  # noqa: S608
    parts = {
        "revision": "(SELECT string_agg(version_num, ',' ORDER BY version_num) FROM alembic_version)",
        "rows": ROWS,
        "bytes": BYTES,
        "all_bytes": "(SELECT sum(pg_database_size(oid)) FROM pg_database)",
        "copies": f"({copies})",
        "start_state": "(SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database())",
    }
    return f"{_connect(live)}\n{_object(parts)}\n{_runs_into(artifacts.LIVE, [live])}"


def save_script(live: str, name: str, description: str) -> str:
    """Return the script that saves the live database as a copy with its description.

    The planner's statistics are brought up to date first, so that every restored copy has them. A partial copy has another name, so it is never restored.
    """
    partial, final = identifier(f"partial_{name}"), identifier(PREFIX + name)
    return "\n".join(
        [
            f"{_connect(live)}\nVACUUM (ANALYZE);",
            f"{_connect('postgres')}\n{_drop(f'partial_{name}')}",
            _alone(f"CREATE DATABASE {partial} TEMPLATE {identifier(live)};"),
            f"COMMENT ON DATABASE {partial} IS {literal(description)};",
            _drop(PREFIX + name),
            f"ALTER DATABASE {partial} RENAME TO {final};",
        ]
    )


def restore_script(live: str, name: str, start_state: str, known: list[str]) -> str:
    """Return the script that makes a copy the live database, prints one object {rows}, and leaves the run ids of the live and all `known` copies in files.

    The new database is complete before the live one is renamed away, and both are renamed in one transaction. Sessions of the live one are ended;
    MLflow tests each pooled connection before it uses it (pool_pre_ping) and connects again.
    """
    incoming, outgoing = f"{live}_restoring", f"{live}_replaced"
    swap = f"ALTER DATABASE {identifier(live)} RENAME TO {identifier(outgoing)};\nALTER DATABASE {identifier(incoming)} RENAME TO {identifier(live)};"
    return "\n".join(
        [
            _connect("postgres"),
            _drop(incoming),
            _drop(outgoing),
            f"CREATE DATABASE {identifier(incoming)} TEMPLATE {identifier(PREFIX + name)};",
            f"COMMENT ON DATABASE {identifier(incoming)} IS {literal(start_state)};",
            _alone(f"BEGIN;\n{swap}\nCOMMIT;"),
            _drop(outgoing),
            f"{_connect(live)}\n{_object({'rows': ROWS})}",
            _runs_into(artifacts.LIVE, [live]),
            _runs_into(artifacts.KNOWN, [PREFIX + other for other in known]),
        ]
    )


def _connect(database: str) -> str:
    return f"\\connect {identifier(database)}"


def _drop(database: str) -> str:
    return f"DROP DATABASE IF EXISTS {identifier(database)} WITH (FORCE);"


def _alone(statements: str) -> str:
    """Return the lines that end all sessions of the live database, and those that come, while the statements run.

    A statement that needs a database for itself locks new sessions out and then waits five seconds for the last one to end. MLflow's pool keeps its
    sessions, and requests open more, so ending them once before that statement is not enough.
    """
    done, ended = f"{WORK['mountPath']}/done", f"{WORK['mountPath']}/ended"
    # The name of the database is PGDATABASE in the container, so that no shell reads it as a part of a command.
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :'live'"
    end_sessions = f'echo "{query}" | psql -X -q -d postgres -v live="$PGDATABASE"'
    loop = f"{_until(done, end_sessions)}; touch {ended}"
    return "\n".join(
        [
            f"\\! rm -f {done} {ended}; ({loop}) >/dev/null 2>&1 &",
            statements,
            f"\\! touch {done}; {_until(ended, ':')}",
        ]
    )


def _until(file: str, action: str) -> str:
    """Return the shell's loop that does something until a file exists; it needs nothing that images of PostgreSQL lack."""
    return f"n=0; while [ $n -lt {_ENDS} ] && [ ! -e {file} ]; do {action}; n=$((n + 1)); sleep 0.1; done"


def _object(parts: Mapping[str, str]) -> str:
    return f"SELECT json_build_object({', '.join(f'{literal(key)}, {expression}' for key, expression in parts.items())});"


def _runs_into(file: str, databases: list[str]) -> str:
    """Return the lines that write the run ids of databases into one file, and end connected to the last of them."""
    selects = [f"{_connect(database)}\nSELECT run_uuid FROM runs;" for database in databases]
    return "\n".join([f"\\o {WORK['mountPath']}/{file}", *selects, "\\o"])
