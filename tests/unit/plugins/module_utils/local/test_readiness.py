# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the wait for a process to serve."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import ports, readiness


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers /200 with 200, /204 with 204 and so on."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer((ports.LOOPBACK, 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("path", "seen"), [("200", ""), ("204", "status 204"), ("503", "status 503")])
def test_only_200_is_ready(url: str, path: str, seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert readiness.last_seen({"url": f"{url}/{path}"}) == seen


def test_nothing_to_wait_for_is_ready() -> None:
    assert readiness.last_seen({}) == ""


def test_a_port_is_ready_when_it_accepts() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        ready = {"port": server.getsockname()[1]}
        assert readiness.last_seen(ready) == ""
    assert readiness.last_seen(ready) == "no connection"


@pytest.mark.parametrize(
    ("alive", "timeout_s"),
    [pytest.param(lambda: True, 0.2, id="limit"), pytest.param(lambda: False, 60.0, id="process ended")],
)
def test_the_wait_ends_and_says_what_it_last_saw(alive: Any, timeout_s: float) -> None:
    address = f"http://127.0.0.1:{ports.choose()}/"
    assert "refused" in readiness.wait({"url": address, "timeout_s": timeout_s}, alive)
