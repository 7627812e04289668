# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP layer against a real server: what is retried, when, for how long, and which error stands for which failure."""

from __future__ import annotations

import copy
import datetime
import email.utils
import gzip
import socket
import time

import kubernetes
import pytest
import urllib3

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import bounded_response, http_client
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.bounded_response import Limits, TimedBytes, TimedFile
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import (
    ErrorKind,
    HttpClient,
    HttpError,
    HttpOptionError,
    Response,
    RetryPolicy,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.proxies import VARIABLES
from fakes.fake_hostile_server import DRIPPING, ENDLESS, LIFE_S, drip_body, endless_body, hostile_server
from fakes.fake_http_server import RESET, FakeHttpServer, Reply, in_turn, self_signed

OK = Reply(200, b"done")


class Clock:
    """A monotonic clock that only sleeping moves."""

    def __init__(self):
        self.now = 1000.0
        self.pauses = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """Pause are noted and not waited for."""
    fake = Clock()
    monkeypatch.setattr(http_client.time, "sleep", fake.sleep)
    monkeypatch.setattr(http_client.time, "monotonic", fake.monotonic)
    return fake


@pytest.fixture
def server():
    with FakeHttpServer(in_turn(OK)) as running:
        yield running


@pytest.fixture
def client():
    created = HttpClient(timeout_s=5)
    yield created
    created.close()


@pytest.mark.parametrize("failure", [*(Reply(status) for status in sorted(http_client.RETRY_STATUSES)), RESET], ids=lambda reply: str(reply.status or "reset"))
def test_idempotent_requests_are_retried(server, client, clock, failure):
    server.respond = in_turn(failure, failure, OK)
    response = client.request("GET", f"{server.url}/x", headers={"A": "b"})
    assert (response.status, response.data, response.is_success) == (200, b"done", True)
    assert [request.headers["A"] for request in server.requests] == ["b"] * 3
    assert len(clock.pauses) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 413, 501])
def test_other_statuses_are_returned_at_once(server, client, clock, status):
    server.respond = in_turn(Reply(status, b"no", {"Retry-After": "1"}))
    assert client.request("GET", server.url).status == status
    assert len(server.requests) == 1


def test_the_last_response_is_returned(server, client, clock):
    server.respond = in_turn(Reply(503, b"down"))
    assert client.request("GET", server.url).data == b"down"
    assert len(server.requests) == http_client.ATTEMPTS


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_other_methods_are_not_repeated_once_they_may_have_been_carried_out(server, client, clock, method):
    server.respond = in_turn(Reply(503))
    assert client.request(method, server.url, b"x").status == 503
    server.respond = in_turn(RESET)
    with pytest.raises(HttpError) as caught:
        client.request(method, server.url, b"x")
    assert caught.value.kind == ErrorKind.CONNECTION
    assert len(server.requests) == 2


def test_every_method_is_repeated_where_nothing_was_done(server, client, clock):
    server.respond = in_turn(Reply(429), OK)
    assert client.request("POST", server.url, b"x").status == 200
    with pytest.raises(HttpError, match="connection refused"):
        client.request("POST", "http://127.0.0.1:1", b"x", retry=RetryPolicy(2))
    assert len(clock.pauses) == 3


def test_a_caller_can_declare_a_post_repeatable(server, client, clock):
    server.respond = in_turn(Reply(502), RESET, OK)
    assert client.request("POST", server.url, b"x", retry=RetryPolicy(allowed_methods=None)).status == 200
    assert [request.body for request in server.requests] == [b"x"] * 3


def test_a_file_is_sent_whole_each_time(server, client, clock, tmp_path):
    file = tmp_path / "body"
    file.write_bytes(b"0123456789" * 10000)
    server.respond = in_turn(Reply(503), OK)
    client.request("PUT", server.url, file)
    assert [request.body for request in server.requests] == [file.read_bytes()] * 2
    assert server.requests[0].headers["Content-Length"] == "100000"


def test_a_response_that_cannot_change_is_final(server, client, clock):
    server.respond = in_turn(Reply(503, b"FEATURE_DISABLED"))
    policy = RetryPolicy(is_final=lambda response: b"FEATURE_DISABLED" in response.data)
    assert client.request("GET", server.url, retry=policy).status == 503
    assert len(server.requests) == 1


def test_delays_grow_exponentially_with_jitter(server, client, clock):
    server.respond = in_turn(Reply(503))
    client.request("GET", server.url, retry=RetryPolicy(9))
    expected = [min(http_client.PAUSE_FIRST_S * 2**number, http_client.PAUSE_MAX_S) for number in range(9)]
    assert all(base * (1 - http_client.JITTER) <= pause <= base * (1 + http_client.JITTER) for base, pause in zip(expected, clock.pauses, strict=True))
    assert [pause / base for base, pause in zip(expected, clock.pauses, strict=True)] != [clock.pauses[0] / expected[0]] * 9


def _http_date(seconds):
    return email.utils.format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("sent", "low", "high"),
    [
        pytest.param("3", 3.0, 3.0 + http_client.PAUSE_FIRST_S, id="seconds"),
        pytest.param("0", 0.0, http_client.PAUSE_FIRST_S, id="at once"),
        pytest.param("86400", http_client.RETRY_AFTER_MAX_S, http_client.RETRY_AFTER_MAX_S + http_client.PAUSE_FIRST_S, id="capped"),
        pytest.param(_http_date(3600), http_client.RETRY_AFTER_MAX_S, http_client.RETRY_AFTER_MAX_S + http_client.PAUSE_FIRST_S, id="date"),
        pytest.param("soon", http_client.PAUSE_FIRST_S * (1 - http_client.JITTER), http_client.PAUSE_FIRST_S * (1 + http_client.JITTER), id="malformed"),
    ],
)
def test_retry_after_is_respected_up_to_its_cap(server, client, clock, sent, low, high):
    server.respond = in_turn(Reply(429, headers={"Retry-After": sent}), OK)
    client.request("GET", server.url)
    assert len(clock.pauses) == 1
    assert low <= clock.pauses[0] <= high


def test_no_attempt_begins_after_the_time_limit(server, client, clock):
    server.respond = in_turn(Reply(503, b"down"))
    assert client.request("GET", server.url, retry=RetryPolicy(1000, time_limit_s=20)).data == b"down"
    assert clock.now < 1020
    server.respond = in_turn(RESET)
    with pytest.raises(HttpError):
        client.request("GET", server.url, retry=RetryPolicy(1000, time_limit_s=20))
    assert clock.now < 1040
    assert len(server.requests) > 6


def test_a_pause_that_would_pass_the_time_limit_is_not_waited_for(server, client, clock):
    server.respond = in_turn(Reply(429, headers={"Retry-After": "9"}))
    client.request("GET", server.url, retry=RetryPolicy(time_limit_s=5))
    assert clock.pauses == []


def test_time_runs_from_the_first_failure_for_clients_that_do_not_start_it(server, clock):
    """Kubernetes' client hands the same policy to every request of its pool."""
    server.respond = in_turn(Reply(503))
    pool = urllib3.PoolManager(retries=copy.deepcopy(RetryPolicy(1000, time_limit_s=20)))
    for begun in (1000.0, 5000.0):
        clock.now = begun
        assert pool.request("GET", server.url).status == 503
        assert begun < clock.now < begun + 20


def test_a_download_is_handed_over_in_blocks(server, client, clock, tmp_path):
    server.respond = in_turn(Reply(503), Reply(200, b"x" * (3 << 20)))
    with (tmp_path / "copy").open("wb") as stream:
        assert client.download(server.url, stream.writelines) == 200
    assert (tmp_path / "copy").read_bytes() == b"x" * (3 << 20)
    server.respond = in_turn(Reply(404, b"no"))
    assert client.download(server.url, pytest.fail) == 404


def test_a_download_that_is_cut_is_an_error(server, client):
    server.respond = in_turn(Reply(200, b"half", length=8, is_cut=True))
    with pytest.raises(HttpError) as caught:
        client.download(server.url, list)
    assert caught.value.kind == ErrorKind.CONNECTION


def test_connections_are_kept_and_redirects_not_followed(server, client):
    server.respond = in_turn(OK, Reply(302, headers={"Location": f"{server.url}/login"}))
    assert client.request("GET", server.url).status == 200
    response = client.request("GET", server.url)
    assert response.is_redirect
    assert response.headers["location"] == f"{server.url}/login"
    assert (server.connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize(
    ("url", "kind", "reason", "repeats"),
    [
        pytest.param("http://127.0.0.1:1", ErrorKind.CONNECTION_REFUSED, "connection refused", 5, id="refused"),
        pytest.param("http://no-such-host.invalid", ErrorKind.NAME, "host name cannot be resolved", 0, id="name"),
    ],
)
def test_failures_to_connect_have_a_kind(client, clock, url, kind, reason, repeats):
    with pytest.raises(HttpError) as caught:
        client.request("GET", url)
    assert (caught.value.kind, caught.value.reason) == (kind, reason)
    assert len(clock.pauses) == repeats


def test_a_silent_server_times_out():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(HttpError) as caught:
        HttpClient(timeout_s=0.2).request("GET", f"http://127.0.0.1:{silent.getsockname()[1]}", retry=RetryPolicy(0))
    assert (caught.value.kind, caught.value.reason) == (ErrorKind.TIMEOUT, "timed out")


def test_a_server_without_tls_is_distinguished_from_an_untrusted_one(server, client, clock):
    with pytest.raises(HttpError) as caught:
        client.request("GET", server.url.replace("http:", "https:"))
    assert caught.value.kind == ErrorKind.TLS
    assert clock.pauses == []


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """The context of a server and its CA file; the certificate is for 127.0.0.1 alone."""
    return self_signed(tmp_path_factory.mktemp("tls"))


def test_certificates_are_verified(tls, clock):
    with FakeHttpServer(in_turn(OK), tls[0]) as server:
        assert HttpClient(ca_file=str(tls[1])).request("GET", server.url).status == 200
        assert HttpClient(validate_certs=False).request("GET", server.url).status == 200
        for method in ("GET", "POST"):
            with pytest.raises(HttpError) as caught:
                HttpClient().request(method, server.url)
            assert (caught.value.kind, caught.value.reason) == (ErrorKind.CERTIFICATE, "self-signed certificate")
        with pytest.raises(HttpError) as caught:
            HttpClient(ca_file=str(tls[1])).request("GET", server.url.replace("127.0.0.1", "localhost"))
        assert caught.value.kind == ErrorKind.CERTIFICATE
        assert "'localhost'" in caught.value.reason
    assert clock.pauses == []


@pytest.mark.parametrize(
    ("content", "part"),
    [
        pytest.param(None, "not readable", id="absent"),
        pytest.param(b"hello", "no PEM certificate", id="no PEM"),
        pytest.param(b"\xff", "not a text file", id="binary"),
    ],
)
def test_unusable_ca_files_are_named(tmp_path, content, part):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(HttpOptionError, match=rf"CA file {file}: {part}"):
        HttpClient(ca_file=str(file))


def test_a_token_file_holds_one_token(tmp_path):
    (tmp_path / "token").write_text("abc\n", encoding="utf-8")
    assert http_client.read_login(str(tmp_path / "token")) == "abc"
    assert http_client.read_login(None) is None


@pytest.mark.parametrize(
    ("content", "part"),
    [
        pytest.param(None, "not readable", id="absent"),
        pytest.param(b"", "no single bearer token", id="empty"),
        pytest.param(b"a-secret b", "no single bearer token", id="two words"),
        pytest.param("tök".encode(), "no single bearer token", id="not ASCII"),
        pytest.param(b"\xff\xf0", "not a text file", id="binary"),
    ],
)
def test_other_token_files_are_named_without_their_content(tmp_path, content, part):
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(HttpOptionError, match=f"Token file .*token: {part}") as caught:
        http_client.read_login(str(tmp_path / "token"))
    assert "a-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b" two\n lines ", "two lines", id="plain"),
        pytest.param(b"<html><b>Bad</b> gateway</html>", "Bad gateway", id="HTML"),
        pytest.param(b"x" * 500, "x" * 200, id="long"),
        pytest.param(b"\xff", "\ufffd", id="binary"),
    ],
)
def test_the_text_of_a_response_is_short_and_plain(body, text):
    assert Response(500, {}, body).text() == text


@pytest.mark.parametrize("shift", [0, 60, -60])
def test_the_servers_clock_is_read(shift):
    response = Response(200, {"date": email.utils.formatdate(time.time() + shift, usegmt=True)})
    assert response.date() == pytest.approx(time.time() + shift, abs=10)


@pytest.mark.parametrize("headers", [{}, {"date": "noon"}])
def test_a_server_without_a_clock_has_no_date(headers):
    assert Response(200, headers).date() is None


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        pytest.param(
            "SSL validation failed for https://h/b [SSL] certificate verify failed: unable to get local issuer certificate (_ssl.c:1006)",
            "unable to get local issuer certificate",
            id="botocore",
        ),
        pytest.param("hostname 'a' doesn't match 'b'", "hostname 'a' doesn't match 'b'", id="name"),
        pytest.param("connection reset", None, id="another error"),
    ],
)
def test_certificate_problems_are_recognized(error, problem):
    assert http_client.certificate_problem(Exception(error)) == problem


@pytest.fixture
def no_proxies(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_requests_go_through_the_proxy_of_the_environment(server, client, no_proxies, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url.replace("://", "://user:p%40ss@"))
    assert client.request("GET", "http://prometheus.example/x").status == 200
    assert server.requests[0].path == "http://prometheus.example/x"
    assert server.requests[0].headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"
    # Loopback has none: the server is reached itself.
    assert client.request("GET", f"{server.url}/y").status == 200
    assert server.requests[1].path == "/y"


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        pytest.param("http://user:secret@127.0.0.1:1", "connection refused, through proxy http://127.0.0.1:1", id="refused"),
        pytest.param("socks5://user:secret@127.0.0.1:1", "Variable HTTP_PROXY: a proxy of kind socks5. Allowed: http, https", id="kind"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(client, clock, no_proxies, monkeypatch, proxy, reason):
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(HttpError) as caught:
        client.request("GET", "http://prometheus.example/x")
    assert caught.value.reason == reason


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("behaviour", DRIPPING)
def test_no_server_keeps_a_client_by_sending_slowly(tmp_path, behaviour, is_tls):
    tls, certificate = self_signed(tmp_path) if is_tls else (None, None)
    with hostile_server(behaviour, tls) as address:
        client = HttpClient(timeout_s=0.4, ca_file=str(certificate) if is_tls else None)
        began = time.monotonic()
        with pytest.raises(HttpError) as caught:
            client.request("GET", f"http{'s' * is_tls}://{address}/", retry=RetryPolicy(1, time_limit_s=1))
        assert caught.value.kind == ErrorKind.TIMEOUT
        assert time.monotonic() - began < LIFE_S
        client.close()


@pytest.mark.parametrize("behaviour", ENDLESS)
def test_no_server_fills_the_memory(client, behaviour):
    with hostile_server(behaviour) as address, pytest.raises(HttpError, match="response larger than 1 MiB") as caught:
        client.request("GET", f"http://{address}/", retry=RetryPolicy(0), limits=Limits(1 << 20))
    assert caught.value.kind == ErrorKind.TOO_LARGE


def test_a_response_that_grows_when_unpacked_is_limited_too(server, client):
    server.respond = in_turn(Reply(200, gzip.compress(b" " * 3_000_000), {"Content-Encoding": "gzip"}))
    with pytest.raises(HttpError, match="response larger than 1 MiB"):
        client.request("GET", server.url, limits=Limits(1 << 20))
    assert len(client.request("GET", server.url).data) == 3_000_000
    server.respond = in_turn(Reply(200, b"no gzip", {"Content-Encoding": "gzip"}))
    with pytest.raises(HttpError, match="response damaged"):
        client.request("GET", server.url)


def test_downloads_end_too(client, tmp_path):
    with hostile_server(endless_body) as address, pytest.raises(HttpError, match="response larger than 2 MiB"):
        client.download(f"http://{address}/", lambda blocks: [None for _ in blocks] and None, size=1 << 20)
    slow = HttpClient(timeout_s=0.4)
    began = time.monotonic()
    with hostile_server(drip_body) as address, pytest.raises(HttpError, match="timed out"):
        slow.download(f"http://{address}/", lambda blocks: [None for _ in blocks] and None)
    assert time.monotonic() - began < LIFE_S


@pytest.mark.parametrize("kind", [TimedFile, TimedBytes])
def test_uploads_end_too(tmp_path, monkeypatch, kind):
    """A server that takes a body slowly: time passes while it reads."""
    file = tmp_path / "body"
    file.write_bytes(b"x" * 200_000)
    timed = kind(str(file) if kind is TimedFile else file.read_bytes()).limit(1.0)
    assert timed.bytes == 200_000
    assert timed.read(10) == b"x" * 10
    start = time.monotonic()
    monkeypatch.setattr(bounded_response.time, "monotonic", lambda: start + 1.0 + 200_000 / bounded_response.TRANSFER_RATE + 0.1)
    with pytest.raises(TimeoutError):
        timed.read(10)
    timed.seek(0)
    assert len(timed.read()) == 200_000
    timed.close()


@pytest.mark.parametrize("content", ["user:", ":secretpw", "a:secretpw\nb:secretpw", "{'a': 'secretpw'}", "two words:secretpw", "a:secret\x00pw"])
def test_a_login_is_checked_and_never_shown(tmp_path, content):
    file = tmp_path / "login"
    file.write_text(content)
    with pytest.raises(HttpOptionError, match="no single bearer token in it, and no user:password") as caught:
        http_client.authorization(str(file))
    assert "secretpw" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "header"),
    [
        pytest.param(b"abc\n", "Bearer abc", id="token"),
        pytest.param(b"admin:password1234\r\n", "Basic YWRtaW46cGFzc3dvcmQxMjM0", id="user and password"),
        # RFC 7617: UTF-8, and colons in the password.
        pytest.param("\ufeffJörg:a: b".encode(), "Basic SsO2cmc6YTogYg==", id="other letters"),
    ],
)
def test_clients_log_in_with_a_token_or_with_user_and_password(tmp_path, content, header):
    file = tmp_path / "login"
    file.write_bytes(content)
    assert http_client.authorization(str(file)) == {"Authorization": header}
    assert http_client.authorization(None) == {}


def test_the_text_of_a_response_is_for_people():
    page = b"<html><head><style>a{}</style><title>No \x1b[31m way</title></head><script>x()</script><body>Go\r\naway</body></html>"
    assert Response(403, {}, page).text() == "No \\x1b[31m way Go away"


def test_kubernetes_client_follows_the_policy(server, clock):
    """Creations are repeated only if the API server did not process them, which a response's text can show too."""
    no_account = Reply(403, b"error looking up service account")
    policy = RetryPolicy(
        status_forcelist=http_client.RETRY_STATUSES | {403}, unprocessed=http_client.UNPROCESSED_STATUSES | {403},
        is_final=lambda response: response.data == b"Forbidden",
    )
    configuration = kubernetes.client.Configuration(host=server.url, retries=policy)
    api = kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(copy.deepcopy(configuration)))
    created = Reply(201, b'{"kind": "Pod"}', {"Content-Type": "application/json"})
    server.respond = in_turn(no_account, Reply(429), created)
    assert api.create_namespaced_pod("n", {}).kind == "Pod"
    server.respond = in_turn(Reply(503), RESET, Reply(200, created.body, created.headers))
    assert api.read_namespaced_pod("p", "n").kind == "Pod"
    assert len(server.requests) == 6
    for reply, status in ((Reply(500), 500), (Reply(403, b"Forbidden"), 403)):
        server.respond = in_turn(reply)
        with pytest.raises(kubernetes.client.ApiException) as caught:
            api.create_namespaced_pod("n", {})
        assert caught.value.status == status
    assert len(server.requests) == 8
