# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever stands where an API server should, its client ends in time, with a result or a sentence."""

from __future__ import annotations

import time

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import bounded_response
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import cluster as module
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError, from_response
from fakes.fake_hostile_server import DRIPPING, ENDLESS, LIFE_S, hostile_server
from fakes.fake_http_server import FakeHttpServer, Reply, in_turn
from fakes.mutated_responses import mutations

LIST = {"kind": "PodList", "metadata": {"resourceVersion": "5"}, "items": [{"metadata": {"name": "a"}}]}
PROXIED = "http://api.example:6443"


@pytest.fixture
def server():
    with FakeHttpServer(in_turn(Reply(200, b"{}"))) as running:
        yield running


@pytest.mark.parametrize("behaviour", DRIPPING)
def test_no_server_keeps_a_client_by_sending_slowly(behaviour):
    began = time.monotonic()
    with hostile_server(behaviour) as address, pytest.raises(ClusterError, match="does not respond"):
        connect({"host": f"http://{address}", "api_key": "x"}).get("/version", timeout_s=0.4, attempts=1)
    assert time.monotonic() - began < LIFE_S


@pytest.mark.parametrize("behaviour", ENDLESS)
def test_no_server_fills_the_memory(behaviour):
    small = bounded_response.limited(bounded_response.Limits(1 << 20))
    with hostile_server(behaviour) as address, small, pytest.raises(ClusterError, match="response larger than 1 MiB"):
        connect({"host": f"http://{address}", "api_key": "x"}).get("/version", attempts=1)


@pytest.mark.parametrize("status", [200, 400, 404, 409])
def test_no_response_ends_in_a_raw_exception(server, status):
    client = connect({"host": server.url, "api_key": "x"})
    named = 0
    for body in mutations(LIST):
        server.respond = in_turn(Reply(status, body))
        for ask in (client.items, client.get):
            try:
                ask("/api/v1/pods")
            except ClusterError as error:
                named += 1
                assert "\x1b" not in str(error)
    assert named > 20


def test_a_login_page_is_named(server):
    server.respond = in_turn(Reply(200, b"<html>Log in</html>"))
    problem = r"^GET /x: the response of http://127.0.0.1:\d+ is not the Kubernetes API's \(<html>Log in</html>\)\. Check the address"
    with pytest.raises(ClusterError, match=problem):
        connect({"host": server.url, "api_key": "x"}).get("/x")


def test_pages_come_to_an_end(server, monkeypatch):
    monkeypatch.setattr(module, "_PAGES", 5)
    server.respond = in_turn(Reply(200, b'{"metadata": {"continue": "again"}}'))
    with pytest.raises(ClusterError, match="more than 5 pages"):
        connect({"host": server.url, "api_key": "x"}).items("/x")


def test_messages_of_the_server_have_no_control_characters():
    assert "(a \\x1b[2Jb)" in str(from_response("GET /x", 409, b'{"message": "a\\n \\u001b[2Jb"}'))


@pytest.mark.parametrize(
    ("environment", "is_proxied"),
    [
        pytest.param({"HTTP_PROXY": "PROXY"}, True, id="proxy"),
        pytest.param({"HTTPS_PROXY": "PROXY"}, False, id="of the other scheme"),
        pytest.param({"HTTP_PROXY": "PROXY", "NO_PROXY": "example"}, False, id="exempt"),
    ],
)
def test_the_proxy_of_the_environment_is_used_by_the_rules_of_all_clients(server, monkeypatch, environment, is_proxied):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("PROXY", server.url.replace("://", "://user:pass@")))
    client = connect({"host": PROXIED, "api_key": "x"})
    if is_proxied:
        assert client.get("/version") == {}
        assert server.requests[0].path == f"{PROXIED}/version"
        assert server.requests[0].headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
    else:
        with pytest.raises(ClusterError, match="resolve"):
            client.get("/version", attempts=1)
        assert not server.requests
