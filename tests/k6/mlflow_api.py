# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a real MLflow what the k6 scripts left in it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

API = "/api/2.0/mlflow"


class Mlflow:
    """A running MLflow at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, workspace: str | None = "tenant-1") -> dict[str, Any]:
        """Sends one request and returns the answer's JSON; raises urllib.error.HTTPError."""
        headers = {"Content-Type": "application/json"} | ({"X-MLFLOW-WORKSPACE": workspace} if workspace else {})
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"{}")

    def experiments(self, workspace: str, prefix: str) -> list[dict[str, Any]]:
        """Experiments whose name begins with `prefix`."""
        body = {"filter": f"name LIKE '{prefix}%'", "max_results": 1000}
        return self.call("POST", f"{API}/experiments/search", body, workspace).get("experiments", [])

    def runs(self, workspace: str, experiment: str) -> list[dict[str, Any]]:
        """Active runs of an experiment."""
        return self.call("POST", f"{API}/runs/search", {"experiment_ids": [experiment], "max_results": 1000}, workspace).get("runs", [])

    def artifacts(self, workspace: str, run: str) -> list[str]:
        """Paths in the artifact root of a run."""
        return [file["path"] for file in self.call("GET", f"{API}/artifacts/list?run_id={run}", workspace=workspace).get("files", [])]

    def prompts(self, workspace: str, prefix: str) -> dict[str, list[str]]:
        """Prompts whose name begins with `prefix`, with the numbers of their latest versions."""
        path = f"{API}/registered-models/search?max_results=1000&filter=tags.%60mlflow.prompt.is_prompt%60%20=%20%27true%27"
        found = self.call("GET", path, workspace=workspace).get("registered_models", [])
        return {model["name"]: [v["version"] for v in model.get("latest_versions", [])] for model in found if model["name"].startswith(prefix)}
