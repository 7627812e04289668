# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows and size of a database of ours in a cluster: of PostgreSQL by a Job, of SQLite by one command in MLflow's pod, which alone can open the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import Container, run
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import check_running
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.postgres import read_rows

TIMEOUT_S = 60.0
_SQLITE_PROGRAM = """
import os, sqlite3, sys
path = sys.argv[1]
connection = sqlite3.connect("file:" + path + "?mode=ro", uri=True, timeout=30)
for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"):
    print(name, connection.execute('SELECT count(*) FROM "' + name.replace('"', '""') + '"').fetchone()[0])
print("", sum(os.path.getsize(file) for file in (path, path + "-wal") if os.path.exists(file)))
"""
_SQLITE = 'exec "$(command -v python3 || command -v python)" -c "$1" "$2"'


def read_database(cluster: Cluster, database: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Return {rows: {table: rows}, bytes} of the database of target.json, with its `job` for PostgreSQL, or the `pod` that has the file of SQLite.

    `run_id` labels the Job. Raises ClusterError: no pod of it runs, commands in it or Jobs are forbidden, or reading fails.
    """
    if database["kind"] == "postgres":
        return read_rows(cluster, database["job"], run_id)
    place = database["pod"]
    container = Container(place["namespace"], running_pod(cluster, place)["metadata"]["name"], place["container"])
    result = run(cluster, container, ["sh", "-c", _SQLITE, "sh", _SQLITE_PROGRAM, place["path"]], timeout_s=TIMEOUT_S)
    lines = [line.rpartition(" ")[::2] for line in result.stdout.decode("utf-8", "replace").splitlines() if line]
    if result.code != 0 or not lines or not all(value.isdigit() for _name, value in lines):
        cause = " ".join(result.stderr.split()) or f"exit code {result.code}"
        raise ClusterError(f"Database in pod {container.namespace}/{container.pod}: rows cannot be counted ({cause}). Check that it runs.")
    counts = {name: int(value) for name, value in lines}
    size = counts.pop("", None)
    return {"rows": dict(sorted(counts.items())), "bytes": size}


def running_pod(cluster: Cluster, place: Mapping[str, str]) -> dict[str, Any]:
    """Return a pod whose name `pod` of {namespace, pod, container} matches as a whole, and whose container runs. Raises ClusterError without one."""
    for pod in cluster.items(f"/api/v1/namespaces/{place['namespace']}/pods"):
        name = pod["metadata"]["name"]
        if re.fullmatch(place["pod"], name) and not pod["metadata"].get("deletionTimestamp") and check_running(pod, place["container"]).ready:
            return pod
    raise ClusterError(f"Pods {place['namespace']}/{place['pod']}: none runs. Check their status.")
