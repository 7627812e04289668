# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small SQLite file with the tables of a tracking database that baselines read, and an artifact store of its runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

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
