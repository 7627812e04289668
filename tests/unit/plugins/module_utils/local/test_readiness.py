# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of ports, and of the wait for a process to serve."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import readiness
from fakes.fake_http_server import FakeHttpServer, Reply


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that responds to /200 with 200, to /204 with 204 and so on."""
    with FakeHttpServer(lambda request: Reply(int(request.path.strip("/")))) as server:
        yield server.url


@pytest.mark.parametrize(("path", "seen"), [("200", ""), ("204", "status 204"), ("503", "status 503")])
def test_only_200_is_ready(url: str, path: str, seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert readiness.last_seen({"url": f"{url}/{path}"}) == seen


def test_nothing_to_wait_for_is_ready() -> None:
    assert readiness.last_seen({}) == ""


def test_a_port_is_ready_when_it_accepts() -> None:
    with socket.create_server((readiness.LOOPBACK, 0)) as server:
        ready = {"port": server.getsockname()[1]}
        assert readiness.last_seen(ready) == ""
    assert readiness.last_seen(ready) == "no connection"


@pytest.mark.parametrize(
    ("alive", "timeout_s"),
    [pytest.param(lambda: True, 0.2, id="limit"), pytest.param(lambda: False, 60.0, id="process ended")],
)
def test_the_wait_ends_with_what_it_last_saw(alive: Any, timeout_s: float) -> None:
    address = f"http://127.0.0.1:{readiness.choose_port()}/"
    assert "refused" in readiness.wait({"url": address, "timeout_s": timeout_s}, alive)


def test_a_chosen_port_is_free() -> None:
    assert readiness.is_free(readiness.choose_port())


def test_the_preferred_port_is_taken_when_it_is_free() -> None:
    port = readiness.choose_port()
    assert readiness.choose_port(port) == port


def test_a_port_in_use_is_neither_free_nor_chosen() -> None:
    with socket.create_server((readiness.LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert not readiness.is_free(port)
        assert readiness.choose_port(port) != port
        assert readiness.accepts_connections(port)
    assert not readiness.accepts_connections(port)
