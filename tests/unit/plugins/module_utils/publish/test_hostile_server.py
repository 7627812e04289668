# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever stands where a sink should, its client ends in time, with a sentence; and all of them take the proxy of the environment."""

from __future__ import annotations

import time

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import bounded_response
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import RetryPolicy
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.proxies import VARIABLES
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import opensearch, s3
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.http_put import HttpSink
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.opensearch import OpenSearchSink
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.s3 import S3Sink
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import SinkError
from fakes.fake_hostile_server import HOSTILE_TO_UPLOADS, LIFE_S, drip_body, drip_headers, endless_body, hostile_server
from fakes.fake_http_server import FakeHttpServer, Reply, in_turn
from fakes.mutated_responses import mutations

SINKS = {
    "http": lambda url: HttpSink("s", url, timeout_s=0.4),
    "s3": lambda url: S3Sink("s", "bucket", endpoint=url, access_key_env="KEY", secret_key_env="KEY", timeout_s=0.4),
    "opensearch": lambda url: OpenSearchSink("s", url, timeout_s=0.4),
}


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch):
    """Every attempt is limited; how many there are is tested elsewhere."""
    monkeypatch.setenv("KEY", "value")
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for module in (s3, opensearch):
        monkeypatch.setattr(module, "ATTEMPTS", 1)
    monkeypatch.setitem(RetryPolicy.__init__.__kwdefaults__, "time_limit_s", 0.5)


@pytest.fixture
def server():
    with FakeHttpServer(in_turn(Reply(200, b"{}"))) as running:
        yield running


@pytest.mark.parametrize("behaviour", [drip_headers, drip_body])
@pytest.mark.parametrize("kind", SINKS)
def test_no_server_keeps_a_sink_by_sending_slowly(kind, behaviour):
    with hostile_server(behaviour) as address:
        sink = SINKS[kind](f"http://{address}")
        began = time.monotonic()
        with pytest.raises(SinkError):
            sink.check_access()
        assert time.monotonic() - began < LIFE_S
        sink.close()


@pytest.mark.parametrize("behaviour", HOSTILE_TO_UPLOADS)
@pytest.mark.parametrize("kind", ["http", "s3"])
def test_no_server_keeps_an_upload(kind, behaviour):
    """Clients of S3 ask before they send a body, so a store may answer early, and in part."""
    with hostile_server(behaviour) as address:
        sink = SINKS[kind](f"http://{address}")
        began = time.monotonic()
        with pytest.raises(SinkError):
            sink.put("run/file", bytes(16 << 20))
        assert time.monotonic() - began < LIFE_S
        sink.close()


@pytest.mark.parametrize("kind", SINKS)
def test_no_server_fills_the_memory(kind, monkeypatch):
    limits = bounded_response.Limits(1 << 20)
    monkeypatch.setattr(f"{bounded_response.__name__}.Limits.__init__.__defaults__", (limits.size, None))
    monkeypatch.setattr(s3, "RESPONSE_BYTES", 1 << 20)
    with hostile_server(endless_body) as address, pytest.raises(SinkError, match="larger than 1 MiB"):
        SINKS[kind](f"http://{address}").check_access()


@pytest.mark.parametrize("kind", SINKS)
def test_every_sink_takes_the_proxy_of_the_environment(kind, server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.url.replace("://", "://user:p%40ss@"))
    server.respond = in_turn(Reply(404, b"<Error><Code>NoSuchKey</Code></Error>"))
    SINKS[kind]("http://sink.example:9000").check_access()
    assert server.requests[0].path.startswith("http://sink.example:9000/")
    assert {name.lower(): value for name, value in server.requests[0].headers.items()}["proxy-authorization"] == "Basic dXNlcjpwQHNz"
    seen = len(server.requests)
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8,.example")
    with pytest.raises(SinkError):
        SINKS[kind]("http://sink.example:9000").check_access()
    assert len(server.requests) == seen


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_no_response_of_an_index_ends_in_a_raw_exception(server, status):
    headers = {"Content-Type": "application/json"}
    sink = OpenSearchSink("s", server.url)
    for body in mutations({"count": 1, "error": {"type": "x", "reason": "y"}, "items": [{"index": {"status": 200}}]}):
        server.respond = in_turn(Reply(status, body, headers))
        for ask in (sink.check_access, lambda: sink._send({"id": {"a": 1}}), lambda: sink._verify(["id"])):
            try:
                ask()
            except SinkError as error:
                assert "\x1b" not in str(error)
