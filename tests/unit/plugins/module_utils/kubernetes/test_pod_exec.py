# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in a container, against a fake that speaks the WebSocket protocol of the API server."""

from __future__ import annotations

import json
import time

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import pod_exec
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import Container, exit_code, run
from fakes.fake_exec import FakeExec
from fakes.fake_hostile_server import LIFE_S

SUCCESS = b'{"status": "Success"}'
FAILURE = json.dumps({"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}).encode()


@pytest.fixture(name="ask")
def fixture_ask():
    """Run a command against a fake server; return the result and the server."""
    made = []

    def ask(frames, stdin=b"", timeout_s=5.0, **options):
        fake = FakeExec(frames, wait_for=len(stdin), **options)
        made.append(fake)
        cluster = connect({"host": fake.url, "api_key": "token-1"})
        return run(cluster, Container("a", "p", "k6"), ["sh", "x y"], stdin, timeout_s), fake

    yield ask
    for fake in made:
        fake.close()


def test_output_arrives_by_channel_with_the_exit_code(ask):
    result, fake = ask([(1, b"one\n"), (2, b"oh"), (1, b"\xff\x00"), (3, FAILURE)])
    assert (result.code, result.stdout, result.stderr) == (7, b"one\n\xff\x00", "oh")
    line, *headers = fake.request.decode().split("\r\n")
    assert line.startswith("GET /api/v1/namespaces/a/pods/p/exec?command=sh&command=x+y&container=k6&stdin=false&stdout=true")
    assert "authorization: Bearer token-1" in headers
    assert any(header.lower() == "sec-websocket-protocol: v4.channel.k8s.io" for header in headers)


def test_standard_input_arrives_whole(ask):
    result, fake = ask([(3, SUCCESS)], stdin=b"x" * 40000)
    assert result.code == 0
    assert fake.received == b"x" * 40000


@pytest.mark.parametrize("is_cut", [pytest.param(True, id="cut"), pytest.param(False, id="closed")])
def test_an_empty_last_channel_is_no_success(ask, is_cut):
    result, _fake = ask([(1, b"half")], is_cut=is_cut)
    assert (result.code, result.stdout) == (None, b"half")


def test_output_that_comes_slowly_within_a_frame_is_left(ask):
    began = time.monotonic()
    with pytest.raises(ClusterError, match=r"not finished within 0.4 s") as caught:
        ask([], timeout_s=0.4, drips="frame")
    assert caught.value.reason == "Timeout"
    assert time.monotonic() - began < LIFE_S


def test_a_handshake_that_comes_slowly_is_left(ask, monkeypatch):
    monkeypatch.setattr(pod_exec, "CONNECT_S", 0.2)
    began = time.monotonic()
    with pytest.raises(ClusterError, match=r"does not respond \(no response within 0.4 s\)"):
        ask([], drips="handshake")
    assert time.monotonic() - began < LIFE_S


def test_output_without_end_is_left(ask, monkeypatch):
    monkeypatch.setattr(pod_exec, "RECEIVED_LIMIT", 1 << 20)
    with pytest.raises(ClusterError, match=r"Command in pod a/p \(sh …\): output larger than 1 MiB"):
        ask([], is_endless=True)


def test_a_command_that_does_not_end_is_left(ask):
    with pytest.raises(ClusterError, match=r"Command in pod a/p \(sh …\): not finished within 0.3 s") as caught:
        ask([], timeout_s=0.3, hangs=True)
    assert caught.value.reason == "Timeout"


def test_a_http_error_is_that_of_the_api_server(ask):
    body = b'{"message": "pods \\"p\\" not found", "reason": "NotFound"}'
    http_error = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with pytest.raises(ClusterError, match="not found") as caught:
        ask([], http_error=http_error)
    assert caught.value.status == 404


def test_a_server_that_is_gone_is_named():
    cluster = connect({"host": "http://127.0.0.1:9", "api_key": "t"})
    with pytest.raises(ClusterError, match="does not respond") as caught:
        run(cluster, Container("a", "p", "k6"), ["sh"])
    assert caught.value.status == 0


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"{", None, id="no-json"),
        pytest.param(b"[]", None, id="no-object"),
        pytest.param(SUCCESS, 0, id="success"),
        pytest.param(FAILURE, 7, id="exit-code"),
    ],
)
def test_the_exit_code(status, code):
    assert exit_code(status) == code


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param('exec: "sh": executable file not found in $PATH', "NotStarted", id="no-shell"),
        pytest.param("read init-p: connection reset by peer", "Trouble", id="trouble"),
    ],
)
def test_a_command_that_could_not_be_started(message, reason):
    with pytest.raises(ClusterError, match="could not be started") as caught:
        exit_code(json.dumps({"status": "Failure", "message": message}).encode())
    assert caught.value.reason == reason
