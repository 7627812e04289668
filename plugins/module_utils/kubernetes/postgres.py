# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""psql in a Job of ours: scripts for the PostgreSQL that role postgresql made, which connect over the network as the database's owner."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.jobs import job, run

CONTAINER = "postgresql"
# Of one statement: copying 1 GB takes less, also on a busy node (seconds).
_STATEMENT_S = 300
_RESOURCES = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}}
_SHELL = 'printf "%s" "$1" | psql -X -q -A -t -v ON_ERROR_STOP=1 -f -'
# query_to_xml runs a query whose text is composed, so that all tables take one statement.
_COUNT = "(xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', s.nspname, c.relname), false, true, '')))[1]::text::bigint"
ROWS = (
    f"(SELECT json_object_agg(c.relname, {_COUNT}) FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace "  # noqa: S608 - constants
    "WHERE c.relkind = 'r' AND s.nspname = ANY (current_schemas(false)))"
)
BYTES = "pg_database_size(current_database())"


def psql_container(place: Mapping[str, Any], script: str, mounts: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the container that runs a script of psql; `place` is `database.job` of target.json.

    The script ends at the first error. Its lines of JSON are its result; anything else in the log is a message.
    """
    user = place.get("run_as_user")
    return {
        "name": CONTAINER,
        "image": place["image"],
        "imagePullPolicy": place["image_pull_policy"],
        # Kubernetes makes one dollar sign of two.
        "command": ["sh", "-c", _SHELL, "sh", script.replace("$", "$$")],
        "env": environment(place),
        "resources": _RESOURCES,
        "securityContext": {"runAsUser": user, "runAsGroup": user} if user else {},
        "volumeMounts": mounts or [],
    }


def environment(place: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return libpq's variables for the connection of a container to `database.job` of target.json; the password comes from its Secret."""
    values = {
        "PGHOST": place["host"],
        "PGUSER": place["user"],
        "PGDATABASE": place["database"],
        "PGCONNECT_TIMEOUT": "10",
        "PGAPPNAME": "perfscale.mlflow",
        "PGOPTIONS": f"-c statement_timeout={_STATEMENT_S}s -c client_min_messages=error",
    }
    password = {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": place["secret"], "key": "password"}}}
    return [*({"name": name, "value": value} for name, value in values.items()), password]


def pull_secrets(place: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the pull secrets of PostgreSQL's image as a pod has them."""
    return [{"name": name} for name in place.get("image_pull_secrets") or []]


def results(log: str) -> list[dict[str, Any]]:
    """Return the JSON objects among the lines of a log, in their order. Raises ClusterError when one is cut off."""
    try:
        return [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    except ValueError as error:
        raise ClusterError("Database: the output of psql is incomplete. Run the same again.") from error


def read_rows(cluster: Cluster, place: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Return {rows: {table: rows}, bytes} of the database, by a Job. Raises ClusterError."""
    script = f"SELECT json_build_object('rows', {ROWS}, 'bytes', {BYTES});"
    spec = {"containers": [psql_container(place, script)], "imagePullSecrets": pull_secrets(place)}
    [found] = results(run(cluster, job(place["namespace"], spec), run_id)[CONTAINER])
    return {"rows": dict(sorted(found["rows"].items())), "bytes": int(found["bytes"])}


def identifier(name: str) -> str:
    """Return a name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL quotes it (with standard_conforming_strings, the default)."""
    return "'" + text.replace("'", "''") + "'"
