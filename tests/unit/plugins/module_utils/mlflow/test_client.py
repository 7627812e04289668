# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import client as client_module
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import (
    MlflowClient,
    check_ca,
    check_url,
    pause,
    read_token,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import (
    MlflowError,
    MlflowRefused,
    MlflowUnexpected,
    MlflowUnreachable,
)

SEARCH = "/api/2.0/mlflow/experiments/search"


@pytest.mark.parametrize(
    ("url", "base"),
    [
        pytest.param("http://127.0.0.1:5000", "http://127.0.0.1:5000", id="plain"),
        pytest.param(" https://gateway.example.com/mlflow/ ", "https://gateway.example.com/mlflow", id="prefix-and-slash"),
        pytest.param("http://[::1]:5000", "http://[::1]:5000", id="ipv6"),
    ],
)
def test_accepts_base_urls(url, base):
    assert check_url(url) == base


@pytest.mark.parametrize("url", ["", "localhost:5000", "ftp://x", "http://", "http://h:port", "http://h:99999", "http://h/?a=1", "http://user:pw@h", "http://[x"])
def test_refuses_what_is_no_base_url(url):
    with pytest.raises(MlflowError, match=r"is not a base URL\. Write it as"):
        check_url(url)


def test_reads_a_token(tmp_path):
    file = tmp_path / "token"
    file.write_text("secret-1\n")
    assert read_token(str(file)) == "secret-1"
    assert read_token(None) is None


@pytest.mark.parametrize(
    ("content", "part"),
    [
        pytest.param(None, "cannot be read", id="absent"),
        pytest.param(b"", "no single bearer token", id="empty"),
        pytest.param(b"a b", "no single bearer token", id="two-words"),
        pytest.param("tök".encode(), "no single bearer token", id="not-ascii"),
        pytest.param(b"\xff\xfe", "not text", id="binary"),
    ],
)
def test_refuses_unusable_token_files(tmp_path, content, part):
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(MlflowError, match=part):
        read_token(str(file))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        pytest.param(None, "cannot be read", id="absent"),
        pytest.param(b"hello", "no PEM certificate", id="no-pem"),
        pytest.param(b"\xff", "not text", id="binary"),
    ],
)
def test_refuses_unusable_ca_files(tmp_path, content, part):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(MlflowError, match=part):
        check_ca(str(file))


def test_accepts_a_pem_file(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\n")
    assert check_ca(str(file)) == str(file)


def test_keeps_the_connection_and_sends_the_workspace(server, client):
    for _unused in range(5):
        client.document("GET", SEARCH, workspace="default", query={"max_results": 1})
    assert server.connections == 1
    assert server.requests[0] == ("GET", SEARCH + "?max_results=1", "default")


def test_keeps_the_path_prefix(server):
    server.answers[("GET", "/mlflow/x")] = [(200, {"a": 1})]
    assert MlflowClient(server.url + "/mlflow/").document("GET", "/x") == {"a": 1}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 0], ids=lambda status: f"http-{status}" if status else "broken-connection")
def test_tries_again_with_growing_pauses(server, client, pauses, status):
    server.answers[("GET", SEARCH)] = [(status, {}), (status, {}), (200, {"experiments": []})]
    assert client.document("GET", SEARCH) == {"experiments": []}
    assert len(pauses) == 2 and pauses[1] > pauses[0]


def test_waits_as_long_as_the_server_asks(server, client, pauses):
    server.answers[("GET", SEARCH)] = [(429, {"__headers": {"Retry-After": "3"}}), (200, {})]
    client.document("GET", SEARCH)
    assert pauses == [3.0]


def test_gives_up_after_its_attempts(server, client, pauses):
    server.answers[("GET", SEARCH)] = [(503, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "busy."})] * 5
    with pytest.raises(MlflowError, match=r"failed with HTTP 503 \(TEMPORARILY_UNAVAILABLE: busy\)"):
        client.document("GET", SEARCH)
    assert len(pauses) == 4 and len(server.requests) == 5


def test_does_not_repeat_an_unsafe_call(server, client, pauses):
    server.answers[("POST", SEARCH)] = [(500, {})]
    assert client.request("POST", SEARCH, body={}, attempts=1)[0] == 500
    assert not pauses and len(server.requests) == 1


def test_refuses_no_attempts(client):
    with pytest.raises(ValueError, match="at least 1"):
        client.request("GET", "/health", attempts=0)


@pytest.mark.parametrize(
    ("attempt", "retry_after", "low", "high"),
    [
        pytest.param(1, None, 0.15, 0.25, id="first"),
        pytest.param(4, None, 1.2, 2.0, id="fourth"),
        pytest.param(20, None, 6.0, 10.0, id="bounded"),
        pytest.param(1, "2", 2.0, 2.0, id="asked"),
        pytest.param(1, "9999", 8.0, 8.0, id="asked-too-much"),
        pytest.param(1, "Wed, 21 Oct 2026 07:28:00 GMT", 0.15, 0.25, id="a-date"),
    ],
)
def test_pauses_are_bounded(attempt, retry_after, low, high):
    assert low <= pause(attempt, retry_after) <= high


@pytest.mark.parametrize(
    ("status", "body", "error", "part"),
    [
        pytest.param(200, b"<html>Log in</html>", MlflowUnexpected, "HTTP 200 and an HTML page. Give the base URL", id="html"),
        pytest.param(200, b"", MlflowUnexpected, "an HTML page", id="empty"),
        pytest.param(200, [1], MlflowUnexpected, "JSON that is no object", id="list"),
        pytest.param(404, b"<html>", MlflowUnexpected, "HTTP 404", id="not-found-page"),
        pytest.param(302, b"", MlflowRefused, "wants a token, and none was given", id="login-redirect"),
        pytest.param(401, b"<html>", MlflowRefused, "HTTP 401", id="unauthorized"),
        pytest.param(403, {"error_code": "PERMISSION_DENIED"}, MlflowRefused, "HTTP 403", id="forbidden"),
        pytest.param(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}, MlflowError, "INVALID_PARAMETER_VALUE: no", id="mlflow-error"),
        pytest.param(400, ["odd"], MlflowUnexpected, "application/json starting with", id="odd-json"),
    ],
)
def test_says_what_is_wrong_with_an_answer(server, client, status, body, error, part):
    server.answers[("GET", SEARCH)] = [(status, body)]
    with pytest.raises(error, match=part) as caught:
        client.document("GET", SEARCH)
    assert str(caught.value).startswith(f"MLflow {server.url}: ") and caught.value.status in (status, None)


def test_sends_the_token_and_says_when_it_is_refused(server, tmp_path):
    server.token = "right"
    file = tmp_path / "token"
    file.write_text("right")
    assert MlflowClient(server.url, str(file)).document("GET", "/api/3.0/mlflow/server-info")["workspaces_enabled"]
    file.write_text("wrong")
    with pytest.raises(MlflowRefused, match=r"refused the token \(HTTP 401") as caught:
        MlflowClient(server.url, str(file)).document("GET", "/api/3.0/mlflow/server-info")
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "part"),
    [
        pytest.param("http://127.0.0.1:1", "connection refused", id="refused"),
        pytest.param("http://no-such-host.invalid", "cannot be resolved", id="name"),
    ],
)
def test_says_why_nothing_answers(pauses, url, part):
    with pytest.raises(MlflowUnreachable, match=part):
        MlflowClient(url, timeout_s=2).document("GET", "/health")


def test_says_that_tls_failed(server):
    with pytest.raises(MlflowUnreachable, match="TLS failed"):
        MlflowClient(server.url.replace("http:", "https:"), validate_certs=False, timeout_s=2).document("GET", "/health")


def test_says_that_the_answer_is_late(monkeypatch, server, pauses):
    waiting = client_module.urllib3.exceptions.ReadTimeoutError(None, "/", "Read timed out. (read timeout=1)")
    made = MlflowClient(server.url)
    monkeypatch.setattr(made._pool, "request", lambda *_args, **_kwargs: (_ for _ in ()).throw(waiting))
    with pytest.raises(MlflowUnreachable, match="did not answer in time"):
        made.document("GET", "/health")
