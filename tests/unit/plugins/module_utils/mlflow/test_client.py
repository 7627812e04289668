# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import (
    ATTEMPTS,
    ErrorKind,
    HttpClient,
    HttpError,
    Response,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient, check_url, client_from
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import (
    MlflowAccessError,
    MlflowError,
    MlflowUnexpected,
    MlflowUnreachable,
    from_response,
)

SEARCH = "/api/2.0/mlflow/experiments/search"
OPTIONS = {"url": "http://127.0.0.1:1/", "token_file": None, "ca_file": None, "validate_certs": True, "request_timeout": 1.0, "parallelism": 2}


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


@pytest.mark.parametrize("url", ["", "localhost:5000", "ftp://x", "http://", "http://h:port", "http://h:99999", "http://h/?a=1", "http://[x"])
def test_other_urls_are_rejected(url):
    with pytest.raises(MlflowError, match=r"not a base URL\. Write it as"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    ["http://u:secretpw@h", "http://secretpw@h:5000/x", "u:secretpw@h", "http://u:secretpw@h:port", "http://h/?token=secretpw", "http://h/#id_token=secretpw"],
)
def test_no_message_shows_what_a_url_hides(url):
    with pytest.raises(MlflowError, match=r"^MLflow URL ") as caught:
        check_url(url)
    assert "secretpw" not in str(caught.value)


def test_keeps_the_connection_and_sends_the_workspace(server, client):
    for _unused in range(5):
        client.document("GET", SEARCH, workspace="default", query={"max_results": 1})
    assert server.connections == 1
    assert server.calls[0] == ("GET", SEARCH + "?max_results=1", "default")


def test_a_creation_is_repeated(server, client, pauses):
    """MLflow recognizes one that it has carried out by its name."""
    server.scripted[("POST", SEARCH)] = [(503, {}), (0, {}), (200, {})]
    assert client.document("POST", SEARCH, body={}) == {}
    assert len(pauses) == 2


def test_keeps_the_path_prefix(server):
    server.scripted[("GET", "/mlflow/x")] = [(200, {"a": 1})]
    assert MlflowClient(server.url + "/mlflow/").document("GET", "/x") == {"a": 1}


def test_attempts_are_bounded(server, client, pauses):
    server.scripted[("GET", SEARCH)] = [(503, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "busy."})] * ATTEMPTS
    with pytest.raises(MlflowError, match=r"failed with HTTP 503 \(TEMPORARILY_UNAVAILABLE: busy\)"):
        client.document("GET", SEARCH)
    assert len(pauses) == ATTEMPTS - 1
    assert len(server.calls) == ATTEMPTS


def test_does_not_repeat_an_unsafe_call(server, client, pauses):
    server.scripted[("POST", SEARCH)] = [(500, {})]
    assert client.request("POST", SEARCH, body={}, attempts=1).status == 500
    assert not pauses
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("status", "body", "error", "part"),
    [
        pytest.param(200, b"<html>Log in</html>", MlflowUnexpected, "HTTP 200 with an HTML page starting with 'Log in'. Give the base URL", id="html"),
        pytest.param(200, b"", MlflowUnexpected, "an HTML page", id="empty"),
        pytest.param(200, [1], MlflowUnexpected, "is not a JSON object", id="list"),
        pytest.param(404, b"<html>", MlflowUnexpected, "HTTP 404", id="not-found-page"),
        pytest.param(302, b"", MlflowAccessError, "redirect to an unknown address \\(HTTP 302 for GET /api", id="redirect"),
        pytest.param(401, b"<html>", MlflowAccessError, "HTTP 401", id="unauthorized"),
        pytest.param(403, {"error_code": "PERMISSION_DENIED"}, MlflowAccessError, "HTTP 403", id="forbidden"),
        pytest.param(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}, MlflowError, "INVALID_PARAMETER_VALUE: no", id="mlflow-error"),
        pytest.param(400, ["odd"], MlflowUnexpected, "application/json starting with", id="odd-json"),
    ],
)
def test_other_responses_are_named(server, client, status, body, error, part):
    server.scripted[("GET", SEARCH)] = [(status, body)]
    with pytest.raises(error, match=part) as caught:
        client.document("GET", SEARCH)
    assert str(caught.value).startswith(f"MLflow {server.url}: ")
    assert caught.value.status in (status, None)


@pytest.mark.parametrize(
    ("status", "headers", "body", "login", "parts"),
    [
        pytest.param(
            403, {}, b"Invalid Host header - possible DNS rebinding attack detected", "token",
            ["host not allowed (HTTP 403 for GET /x: Invalid Host header - possible DNS rebinding attack detected). Start the server with this host in"],
            id="host",
        ),
        pytest.param(
            401, {"www-authenticate": 'Basic realm="mlflow"'}, b"You are not authenticated. Please see https://x.", "",
            ["login required, none given (HTTP 401 for GET /x: You are not authenticated. Please see https://x). Put user:password into the token file"],
            id="basic",
        ),
        pytest.param(401, {"www-authenticate": "Bearer"}, b"", "password", ["password rejected (HTTP 401 for GET /x: no text). Put a valid"], id="bearer"),
        pytest.param(
            403, {}, b'{"error_code": "PERMISSION_DENIED", "message": "Tenant \\u001b[31m is closed."}', "token",
            ["request rejected (HTTP 403 for GET /x: PERMISSION_DENIED: Tenant \\x1b[31m is closed). Give this login the permission"], id="words",
        ),
        pytest.param(403, {}, b"<html><body>RBAC: access denied</body></html>", "", ["none given (HTTP 403 for GET /x: RBAC: access denied)"], id="page"),
        pytest.param(302, {"location": "https://u:pw@sso.example/login?token=pw"}, b"", "token", ["redirect to sso.example (HTTP 302"], id="redirect"),
    ],
)
def test_a_request_that_is_turned_away_is_named_in_the_words_of_the_server(status, headers, body, login, parts):
    error = from_response("http://h", "GET /x", Response(status, headers, body), login)
    assert isinstance(error, MlflowAccessError)
    assert all(part in str(error) for part in parts), error
    assert "pw" not in str(error).replace("password", "")


def test_user_and_password_are_sent(server, tmp_path):
    server.scripted[("GET", "/x")] = [(200, {})]
    file = tmp_path / "login"
    file.write_text("admin:secretpw\n")
    MlflowClient(server.url, token_file=str(file)).document("GET", "/x")
    assert server.authorizations[-1] == "Basic YWRtaW46c2VjcmV0cHc="


def test_the_token_is_sent_and_a_rejected_one_named(server, tmp_path):
    server.token = "right"
    file = tmp_path / "token"
    file.write_text("right")
    assert MlflowClient(server.url, str(file)).document("GET", "/api/3.0/mlflow/server-info")["workspaces_enabled"]
    file.write_text("wrong")
    with pytest.raises(MlflowAccessError, match=r"token rejected \(HTTP 401") as caught:
        MlflowClient(server.url, str(file)).document("GET", "/api/3.0/mlflow/server-info")
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "part"),
    [
        pytest.param("http://127.0.0.1:1", "connection refused", id="refused"),
        pytest.param("http://no-such-host.invalid", "cannot be resolved", id="name"),
    ],
)
def test_failures_to_connect_are_named(pauses, url, part):
    with pytest.raises(MlflowUnreachable, match=part):
        MlflowClient(url, timeout_s=2).document("GET", "/health")


def test_failed_tls_is_named(server):
    with pytest.raises(MlflowUnreachable, match="TLS failed"):
        MlflowClient(server.url.replace("http:", "https:"), validate_certs=False, timeout_s=2).document("GET", "/health")


def test_a_late_response_is_a_timeout(monkeypatch, server):
    monkeypatch.setattr(HttpClient, "request", lambda *_args: (_ for _ in ()).throw(HttpError(ErrorKind.TIMEOUT, "timed out")))
    with pytest.raises(MlflowUnreachable, match="request timed out"):
        MlflowClient(server.url).document("GET", "/health")


@pytest.mark.parametrize("option", ["token_file", "ca_file"])
def test_unusable_files_are_named(server, option):
    with pytest.raises(MlflowError, match="file /nowhere: not readable"):
        MlflowClient(server.url, **{option: "/nowhere"})


def test_a_client_is_created_from_options():
    assert client_from(OPTIONS).url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        pytest.param({"parallelism": 0}, "Option parallelism 0: out of range. Allowed: 1 to 64", id="no-parallelism"),
        pytest.param({"parallelism": 65}, "out of range", id="too-parallel"),
        pytest.param({"request_timeout": 0.0}, "not a duration", id="no-time"),
        pytest.param({"url": "x"}, "not a base URL", id="url"),
    ],
)
def test_unusable_options_are_rejected(changed, part):
    with pytest.raises(MlflowError, match=part):
        client_from({**OPTIONS, **changed})
