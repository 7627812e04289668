# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An MLflow server whose workspaces are in memory, over real HTTP; a test scripts any other response."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import urlsplit

from fakes.fake_http_server import RESET, FakeHttpServer, Reply, Request

WORKSPACES = "/api/3.0/mlflow/workspaces"


class FakeMlflow(FakeHttpServer):
    """Responds like MLflow's workspace API; `scripted[(method, path)]` overrides it, as a list used up one by one (status 0: connection reset)."""

    def __init__(self) -> None:
        super().__init__(self._respond)
        self.workspaces = {"default": "Default workspace for legacy resources"}
        self.token: str | None = None
        self.server_info: dict[str, Any] = {"store_type": "SqlStore", "workspaces_enabled": True}
        self.scripted: dict[tuple[str, str], list[tuple[int, Any]]] = {}
        self.calls: list[tuple[str, str, str | None]] = []
        self.authorizations: list[str | None] = []
        self._lock = threading.Lock()

    def _respond(self, request: Request) -> Reply:
        path, workspace = urlsplit(request.path).path, request.headers.get("X-MLFLOW-WORKSPACE")
        with self._lock:
            self.calls.append((request.method, request.path, workspace))
            self.authorizations.append(request.headers.get("Authorization"))
            scripted = self.scripted.get((request.method, path))
            if scripted:
                return _reply(*scripted.pop(0))
            if path in ("/health", "/version"):
                return Reply(200, b"OK" if path == "/health" else b"3.17.2", {"Content-Type": "text/html; charset=utf-8"})
            if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
                return _reply(401, {"detail": "Unauthorized"})
            if path == "/api/3.0/mlflow/server-info":
                return _reply(200, self.server_info)
            if path == WORKSPACES:
                return _reply(*(self._create(json.loads(request.body)) if request.method == "POST" else (200, self._listed())))
            if (workspace or "default") not in self.workspaces:
                return _reply(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Workspace not found"})
            return _reply(200, {})

    def _listed(self) -> dict[str, Any]:
        return {"workspaces": [{"name": name, "description": text} for name, text in self.workspaces.items()]}

    def _create(self, body: dict[str, str]) -> tuple[int, Any]:
        if body["name"] in self.workspaces:
            return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "Workspace already exists."}
        self.workspaces[body["name"]] = body.get("description", "")
        return 201, {"workspace": body}


def _reply(status: int, body: Any) -> Reply:
    headers = dict(body.pop("__headers", {})) if isinstance(body, dict) else {}
    if status == 0:
        return RESET
    if isinstance(body, bytes):
        return Reply(status, body, {"Content-Type": "text/html", **headers})
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
