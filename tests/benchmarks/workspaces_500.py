# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how long one call takes to create and to find 500 tenants on a fresh MLflow with SQLite.

Usage: workspaces_500.py; the server comes from PERFSCALE_MLFLOW or PATH (`mlflow`).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import ensure_workspaces, tenant_names
from programs.mlflow import started_mlflow

COUNT = 500
PARALLELISM = 8


def main() -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory(prefix="workspaces-") as directory, started_mlflow(Path(directory), tenants=0) as server:
        client = MlflowClient(server.url, connections=PARALLELISM)
        names = tenant_names("tenant-", range(1, COUNT + 1))
        for what in ("created", "found again"):
            done = ensure_workspaces(client, names, PARALLELISM)
            print(f"workspaces_500: {COUNT} tenants {what} and seen in {done['seconds']:.1f} s ({done['seconds'] / COUNT * 1000:.0f} ms each)")
        client.close()


if __name__ == "__main__":
    main()
