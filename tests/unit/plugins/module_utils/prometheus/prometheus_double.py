# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test double of Prometheus' HTTP API that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def success(kind: str, result: Any, **more: Any) -> tuple[int, str]:
    """Returns a successful answer."""
    return 200, json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more})


@dataclass
class PrometheusDouble:
    """`answers` are given in turn, the last one for ever: (status, body) or (status, body, headers)."""

    answers: list[tuple[Any, ...]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""


@contextmanager
def prometheus_double(tls: ssl.SSLContext | None = None) -> Iterator[PrometheusDouble]:
    """Yields a running double on a free port of the loopback."""
    double = PrometheusDouble()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._answer(urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))

        def do_GET(self) -> None:
            self._answer(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query))

        def _answer(self, form: dict[str, list[str]]) -> None:
            double.asked.append({"method": self.command, "path": self.path, "headers": dict(self.headers), **{key: values[0] for key, values in form.items()}})
            status, body, *headers = double.answers.pop(0) if len(double.answers) > 1 else double.answers[0]
            own = headers[0] if headers else {}
            self.send_response_only(status)
            for key, value in {"Date": self.date_time_string(), **own}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    double.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
