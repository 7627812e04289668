# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus that returns the responses of a test, and records the queries."""

from __future__ import annotations

import json
import ssl
import urllib.parse
from typing import Any

from fakes.fake_http_server import FakeHttpServer, Reply, Request


def success(kind: str, result: Any, **more: Any) -> tuple[int, str]:
    """Return a successful response."""
    return 200, json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more})


class FakePrometheus(FakeHttpServer):
    """`responses` are given in turn, the last one for all further requests: (status, body) or (status, body, headers)."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._respond, tls)
        self.responses: list[tuple[Any, ...]] = []
        self.queries: list[dict[str, Any]] = []

    def _respond(self, request: Request) -> Reply:
        form = urllib.parse.parse_qs(request.body.decode() or urllib.parse.urlsplit(request.path).query)
        self.queries.append(
            {"method": request.method, "path": request.path, "headers": dict(request.headers), **{key: values[0] for key, values in form.items()}}
        )
        status, body, *headers = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        return Reply(status, body.encode(), headers[0] if headers else {})
