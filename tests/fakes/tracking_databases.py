# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small SQLite file with the tables of a tracking database that baselines read, and an artifact store of its runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import DEFAULTS

REVISION = "dc11669786a5"


class FakeTrackingDatabase:
    """A database of ours in a directory: runs of one experiment, each with an artifact."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "mlflow.db"
        self.artifacts = directory / "artifacts"
        self.target: dict[str, Any] = {
            "kind": "sqlite", "owned": True, "path": str(self.path), "artifacts_dir": str(self.artifacts), "baselines_dir": str(directory / "baselines"),
        }  # fmt: skip
        self.execute("CREATE TABLE alembic_version (version_num)")
        self.execute("CREATE TABLE runs (run_uuid PRIMARY KEY)")
        self.execute("INSERT INTO alembic_version VALUES (?)", REVISION)

    def execute(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def add_run(self, number: int) -> Path:
        """Add a run with an artifact and return its directory."""
        run = f"{number:032x}"
        self.execute("INSERT INTO runs VALUES (?)", run)
        directory = self.artifacts / "workspaces" / "tenant-1" / "1" / run
        (directory / "artifacts").mkdir(parents=True)
        (directory / "artifacts" / "model.json").write_text("{}")
        return directory

    def runs(self) -> int:
        return int(self.execute("SELECT count(*) FROM runs")[0][0])


# What that tenant holds.
SHAPE = dict.fromkeys(DEFAULTS, 1)


class FakeTenantDatabase(FakeTrackingDatabase):
    """The same with the tables of tenants that a clone has to know, and one tenant with one experiment, run, prompt and artifact."""

    RUN = "a" * 32
    TABLES = (
        "experiments (experiment_id INTEGER PRIMARY KEY, name, artifact_location, workspace, creation_time)",
        "metrics (key, value, run_uuid, PRIMARY KEY (key, run_uuid), FOREIGN KEY (run_uuid) REFERENCES runs (run_uuid))",
        "params (key, value, run_uuid, PRIMARY KEY (key, run_uuid), FOREIGN KEY (run_uuid) REFERENCES runs (run_uuid))",
        "tags (key, value, run_uuid, PRIMARY KEY (key, run_uuid), FOREIGN KEY (run_uuid) REFERENCES runs (run_uuid))",
        "traces (request_id PRIMARY KEY, experiment_id, FOREIGN KEY (experiment_id) REFERENCES experiments (experiment_id))",
        "spans (request_id, name, PRIMARY KEY (request_id, name), FOREIGN KEY (request_id) REFERENCES traces (request_id))",
        "registered_models (name, workspace, PRIMARY KEY (workspace, name))",
        "model_versions (name, version, workspace, source, PRIMARY KEY (workspace, name, version),"
        " FOREIGN KEY (workspace, name) REFERENCES registered_models (workspace, name))",
        "model_version_tags (key, value, name, version, workspace, PRIMARY KEY (key, name, version, workspace),"
        " FOREIGN KEY (workspace, name, version) REFERENCES model_versions (workspace, name, version))",
        "webhooks (webhook_id PRIMARY KEY, workspace)",
    )

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.execute("DROP TABLE runs")
        self.execute(
            "CREATE TABLE runs (run_uuid PRIMARY KEY, artifact_uri, experiment_id, FOREIGN KEY (experiment_id) REFERENCES experiments (experiment_id))"
        )
        for table in self.TABLES:
            self.execute(f"CREATE TABLE {table}")
        self.execute("INSERT INTO experiments VALUES (7, 'e', 'mlflow-artifacts:/workspaces/t-1/7', 't-1', 5)")
        self.execute("INSERT INTO runs VALUES (?, ?, 7)", self.RUN, f"mlflow-artifacts:/workspaces/t-1/7/{self.RUN}/artifacts")
        for table in ("metrics", "params", "tags"):
            self.execute(f"INSERT INTO {table} VALUES ('k', 'v', ?)", self.RUN)  # noqa: S608 - a constant
        self.execute("INSERT INTO registered_models VALUES ('p', 't-1')")
        self.execute("INSERT INTO model_versions VALUES ('p', 1, 't-1', 'dummy')")
        self.execute("""INSERT INTO model_version_tags VALUES ('mlflow.prompt.experiment_ids', '["7"]', 'p', 1, 't-1')""")
        files = self.artifacts / "workspaces" / "t-1" / "7" / self.RUN / "artifacts"
        files.mkdir(parents=True)
        (files / "artifact_1.json").write_text("content")
