# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clones of a tenant in a cluster: mlflow/clone.py, run by the Python of MLflow's image in a Job of ours that reaches its database and mounts its artifacts.

The database and the volume are then written by the same code as on the local stack, in one transaction, and no row passes the controller.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import untrusted_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.artifacts import CONTAINER, artifact_store, beside_mlflow, python_container
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.database import running_pod
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.jobs import WORK, WORK_VOLUME, job, run
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.postgres import environment, pull_secrets, results
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import artifact_directories, clone, database_rows, errors, shape, tracking_schema

# What the Job imports: the clone and what it uses, none of which needs a package besides a driver of PostgreSQL.
_MODULES = (artifact_directories, clone, database_rows, errors, shape, tracking_schema, untrusted_text)
# Writes the modules where they can be imported, and prints the result of clone.fill, or {error}.
_PROGRAM = f"""
import json, pathlib, sys
sources, options, work = sys.argv[1:]
for name, text in json.loads(sources).items():
    path = pathlib.Path(work, *name.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
sys.path.insert(0, work)
from {clone.__name__} import MlflowError, fill
try:
    result = fill(**json.loads(options))
except MlflowError as error:
    result = {{"error": str(error)}}
print(json.dumps(result))
"""
_RESOURCES = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}


def fill(cluster: Cluster, database: Mapping[str, Any], mlflow: Mapping[str, str], run_id: str, tenants: Mapping[str, Any]) -> dict[str, Any]:
    """Fill empty tenants with clones of a complete one, by a Job, and return the same as clone.fill.

    `database` and `mlflow` (its pods) are of target.json, `run_id` labels the Job, `tenants` has the keys prefix, count, shape and is_dry. Raises
    ClusterError and MlflowError.
    """
    if not database.get("owned") or not database.get("job"):
        return {**clone.NOTHING, "reason": f"Database {database.get('kind', 'unknown')}: not a PostgreSQL of this collection."}
    place = database["job"]
    store = artifact_store(running_pod(cluster, mlflow), mlflow["container"])
    if store.reason:
        return {**clone.NOTHING, "reason": f"Artifacts: {store.reason}."}
    container = python_container(store, WORK, *program(store.directory, tenants), WORK["mountPath"])
    container |= {"env": environment(place), "resources": _RESOURCES}
    spec = beside_mlflow(store, {"containers": [container], "volumes": [WORK_VOLUME], "imagePullSecrets": pull_secrets(place)})
    found = results(run(cluster, job(place["namespace"], spec), run_id)[CONTAINER])
    if len(found) != 1:
        raise ClusterError("Clones: the Job printed no result. Run the same again, or set data_set_method to rest.")
    if "error" in found[0]:
        raise errors.MlflowError(found[0]["error"])
    return found[0]


def program(artifacts: str, tenants: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the program of the Job, and its arguments but the last, a directory that it may write."""
    sources = {module.__name__: inspect.getsource(module) for module in _MODULES}
    return _PROGRAM, json.dumps(sources), json.dumps({"database": {"kind": "postgres"}, "artifacts": artifacts, **tenants})
