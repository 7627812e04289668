# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for an MLflow server: real HTTP on loopback, workspaces in memory, other answers scripted by the test."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

WORKSPACES = "/api/3.0/mlflow/workspaces"


class StandInMlflow:
    """Answers like MLflow's workspace API; `answers[(method, path)]` overrides it, as a list used up one by one."""

    def __init__(self) -> None:
        self.workspaces = {"default": "Default workspace for legacy resources"}
        self.token: str | None = None
        self.server_info: dict[str, Any] = {"store_type": "SqlStore", "workspaces_enabled": True}
        self.answers: dict[tuple[str, str], list[tuple[int, Any]]] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> StandInMlflow:
        self._thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, body: Any, headers: Any) -> tuple[int, dict[str, str], bytes]:
        """Returns (status, headers, body) of one request."""
        plain = urlsplit(path).path
        with self._lock:
            self.requests.append((method, path, headers.get("X-MLFLOW-WORKSPACE")))
            scripted = self.answers.get((method, plain))
            if scripted:
                return _packed(*scripted.pop(0))
            if plain in ("/health", "/version"):
                return 200, {"Content-Type": "text/html; charset=utf-8"}, b"OK" if plain == "/health" else b"3.17.2"
            if self.token and headers.get("Authorization") != f"Bearer {self.token}":
                return _packed(401, {"detail": "Unauthorized"})
            if plain == "/api/3.0/mlflow/server-info":
                return _packed(200, self.server_info)
            if plain == WORKSPACES:
                return _packed(*(self._create(body) if method == "POST" else (200, self._listed())))
            if headers.get("X-MLFLOW-WORKSPACE", "default") not in self.workspaces:
                return _packed(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Workspace not found"})
            return _packed(200, {})

    def _listed(self) -> dict[str, Any]:
        return {"workspaces": [{"name": name, "description": text} for name, text in self.workspaces.items()]}

    def _create(self, body: dict[str, str]) -> tuple[int, Any]:
        if body["name"] in self.workspaces:
            return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "Workspace already exists."}
        self.workspaces[body["name"]] = body.get("description", "")
        return 201, {"workspace": body}


def _packed(status: int, body: Any) -> tuple[int, dict[str, str], bytes]:
    headers = dict(body.pop("__headers", {})) if isinstance(body, dict) else {}
    if isinstance(body, bytes):
        return status, {"Content-Type": "text/html", **headers}, body
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


def _handler(stand_in: StandInMlflow) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            stand_in.connections += 1
            super().setup()

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, data = stand_in.answer(self.command, self.path, json.loads(raw) if raw else None, self.headers)
            if status == 0:  # scripted: the connection breaks without an answer
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _serve

        def log_message(self, *_unused: object) -> None:
            """Keeps the tests' output clean."""

    return Handler
