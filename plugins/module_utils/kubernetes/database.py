# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows and size of a database of ours in a cluster, read by one command in a pod that can reach it: PostgreSQL's own, or MLflow's with its SQLite file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import Container, run
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import check_running

TIMEOUT_S = 60.0
# One line per table, then the size. query_to_xml runs a query whose text is composed, so that all tables take one statement.
_POSTGRES_QUERY = (
    "SELECT c.relname, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', s.nspname, c.relname), false, true, '')))[1] "
    "FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE c.relkind = 'r' AND s.nspname = ANY (current_schemas(false)) "
    "UNION ALL SELECT '', pg_database_size(current_database())::text::xml"
)
# The password is a mounted file; it is in no argument list.
_POSTGRES = (
    'PGPASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")" exec psql -X -A -t -F " " -v ON_ERROR_STOP=1 -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "$1"'
)
_SQLITE_PROGRAM = """
import os, sqlite3, sys
path = sys.argv[1]
connection = sqlite3.connect("file:" + path + "?mode=ro", uri=True, timeout=30)
for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"):
    print(name, connection.execute('SELECT count(*) FROM "' + name.replace('"', '""') + '"').fetchone()[0])
print("", sum(os.path.getsize(file) for file in (path, path + "-wal") if os.path.exists(file)))
"""
_SQLITE = 'exec "$(command -v python3 || command -v python)" -c "$1" "$2"'


def read_database(cluster: Cluster, database: Mapping[str, Any]) -> dict[str, Any]:
    """Return {rows: {table: rows}, bytes} of the database of target.json, whose `pod` names where a command can read it.

    Raises ClusterError: no pod of it runs, commands in it are forbidden, or the command fails.
    """
    place = database["pod"]
    container = _running(cluster, place)
    words = [_POSTGRES, "sh", _POSTGRES_QUERY] if database["kind"] == "postgres" else [_SQLITE, "sh", _SQLITE_PROGRAM, place["path"]]
    result = run(cluster, container, ["sh", "-c", *words], timeout_s=TIMEOUT_S)
    lines = [line.rpartition(" ")[::2] for line in result.stdout.decode("utf-8", "replace").splitlines() if line]
    if result.code != 0 or not lines or not all(value.isdigit() for _name, value in lines):
        cause = " ".join(result.stderr.split()) or f"exit code {result.code}"
        raise ClusterError(f"Database in pod {container.namespace}/{container.pod}: rows cannot be counted ({cause}). Check that it runs.")
    counts = {name: int(value) for name, value in lines}
    size = counts.pop("", None)
    return {"rows": dict(sorted(counts.items())), "bytes": size}


def _running(cluster: Cluster, place: Mapping[str, str]) -> Container:
    for pod in cluster.items(f"/api/v1/namespaces/{place['namespace']}/pods"):
        name = pod["metadata"]["name"]
        if re.fullmatch(place["pod"], name) and not pod["metadata"].get("deletionTimestamp") and check_running(pod, place["container"]).ready:
            return Container(place["namespace"], name, place["container"])
    raise ClusterError(f"Database in pods {place['namespace']}/{place['pod']}: none runs. Check their status.")
