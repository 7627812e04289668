# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP client: what is sent, what is repeated, and and which error stands for which response."""

from __future__ import annotations

import email.utils
import json
import socket
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import http_client
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient, PrometheusError, client_from, connection_spec
from fakes.fake_http_server import self_signed
from fakes.fake_prometheus import FakePrometheus, success

OK = success("vector", [{"metric": {}, "value": [1, "2"]}])
LIMITS = {"tenancy_namespace": None, "timeout": 3.0, "retries": 1, "time_limit": 9.0}


@pytest.fixture(name="clock")
def fixture_clock(monkeypatch):
    """Pause are noted and not waited for; the clock goes on by them."""
    clock = SimpleNamespace(now=1000.0, pauses=[])

    def sleep(seconds):
        clock.pauses.append(seconds)
        clock.now += seconds

    monkeypatch.setattr(http_client.time, "sleep", sleep)
    monkeypatch.setattr(http_client.time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture(name="ask")
def fixture_ask(server, clock, tmp_path):
    """Send one instant query, without really sleeping."""

    def ask(*responses, token=None, **options):
        server.responses = list(responses)
        if token:
            (tmp_path / "token").write_text(token)
            options["token_file"] = str(tmp_path / "token")
        client = PrometheusClient(server.url, **options)
        return client, client.instant("up", 5, "targets")

    return ask


def test_a_query_is_posted_with_its_token(server, ask):
    client, data = ask(OK, token="secret")
    sent = server.queries[0]
    assert (sent["method"], sent["path"], sent["query"], sent["time"]) == ("POST", "/api/v1/query", "up", "5.000")
    assert sent["headers"]["Authorization"] == "Bearer secret"
    assert data["resultType"] == "vector"
    assert client.requests == 1


def test_a_tenancy_is_queried_by_get(server, ask):
    ask(OK, token="secret", tenancy_namespace="mine")
    sent = server.queries[0]
    assert (sent["method"], sent["path"]) == ("GET", "/api/v1/query?namespace=mine&query=up&time=5.000")
    assert sent["headers"]["Authorization"] == "Bearer secret"


def test_a_range_has_start_end_and_step(server):
    server.responses = [success("matrix", [])]
    PrometheusClient(server.url + "/prefix/").range("up", 1, 2.5, 0.25, "targets")
    sent = server.queries[0]
    assert (sent["path"], sent["start"], sent["end"], sent["step"]) == ("/prefix/api/v1/query_range", "1.000", "2.500", "0.250")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_requests_to_busy_servers_are_retried(server, ask, status):
    client, data = ask((status, "busy"), (status, "busy"), OK)
    assert len(server.queries) == 3
    assert client.requests == 1
    assert data["result"]


def test_the_server_sets_the_pause(ask, clock):
    ask((429, "", {"Retry-After": "7"}), OK)
    assert len(clock.pauses) == 1
    assert 7.0 <= clock.pauses[0] <= 7.0 + http_client.PAUSE_FIRST_S


def test_repetitions_are_bounded_in_number(server, ask):
    with pytest.raises(PrometheusError, match=r"status 503 \(down\) \(metric targets, at most 3 attempts"):
        ask((503, "down"), retries=2)
    assert len(server.queries) == 3


def test_repetitions_are_bounded_in_time(ask, clock):
    with pytest.raises(PrometheusError, match="within 2 s"):
        ask((503, "down"), retries=50, time_limit=2)
    assert clock.now <= 1002


def test_no_time_left_is_an_error(ask, clock):
    client, _data = ask(OK, time_limit=5)
    clock.now += 6
    with pytest.raises(PrometheusError, match="time limit of 5 s used up"):
        client.instant("up", 5, "targets")


@pytest.mark.parametrize(
    ("response", "options", "problem", "final"),
    [
        pytest.param((401, "no"), {}, r"login required \(401: no\)", True, id="no token"),
        pytest.param((401, "no"), {"token": "secret"}, r"token rejected \(401: no\)", True, id="wrong token"),
        pytest.param((403, "<p>Sign the\x1b[2J form</p>"), {"token": "secret"}, r"request rejected \(403: Sign the\\x1b\[2J form\)", True, id="forbidden"),
        pytest.param((404, "<html>no</html>"), {}, r"status 404 \(no\)", True, id="not found"),
        pytest.param((302, "", {"Location": "/login"}), {}, r"redirect to /login \(302\)", True, id="login redirect"),
        pytest.param((200, "<!DOCTYPE html><html>log in</html>"), {}, "an HTML page", True, id="login page"),
        pytest.param((200, "plain"), {}, "response is text and not JSON", True, id="no JSON"),
        pytest.param((200, '{"status": "error", "errorType": "x", "error": "y"}'), {}, "Prometheus says x: y", False, id="error with 200"),
        pytest.param((302, "", {"Location": "https://u:secret@sso/x?t=secret"}), {}, r"redirect to sso \(302\)", True, id="redirect to another host"),
        pytest.param((200, "[]"), {}, "not Prometheus'", True, id="other JSON"),
        pytest.param((200, '{"status": "success"}'), {}, "response says success and has no data. Check that the URL", True, id="no data"),
        pytest.param((200, '{"status": "error"}'), {}, "Prometheus says error without a text", False, id="error without a text"),
        pytest.param((400, '{"status": "error", "errorType": "bad_data", "error": "1:4: oh"}'), {}, "bad_data: 1:4: oh", False, id="bad query"),
        pytest.param((422, "what"), {}, "status 422 without a reason", True, id="unexplained"),
    ],
)  # fmt: skip
def test_rejected_requests_are_named(server, ask, response, options, problem, final):
    with pytest.raises(PrometheusError, match=problem) as caught:
        ask(response, **options)
    assert caught.value.final is final
    assert "secret" not in str(caught.value)
    assert len(server.queries) == 1


def test_a_closed_port_is_unreachable(clock):
    client = PrometheusClient("http://127.0.0.1:1", retries=2)
    with pytest.raises(PrometheusError, match=r"Prometheus http://127.0.0.1:1: not reachable \(connection refused\)"):
        client.instant("up", 5, "targets")
    assert len(clock.pauses) == 2


def test_a_silent_server_times_out():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = PrometheusClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2, retries=0)
        with pytest.raises(PrometheusError, match=r"no complete response within 0\.2 s"):
            client.instant("up", 5, "targets")


def test_warnings_of_the_server_are_returned(ask):
    client, _data = ask((200, OK[1][:-1] + ', "warnings": ["half a store"]}'))
    assert client.warnings == ["Metric targets: Prometheus warns: half a store"]


@pytest.mark.parametrize(("shift", "expected"), [pytest.param(0, 0, id="same"), pytest.param(60, 60, id="ahead"), pytest.param(-60, -60, id="behind")])
def test_the_servers_clock_is_compared(server, shift, expected):
    server.responses = [(*OK, {"Date": email.utils.formatdate(time.time() + shift, usegmt=True)})]
    client = PrometheusClient(server.url)
    client.instant("up", 5, "targets")
    assert client.clock_offset_s == pytest.approx(expected, abs=1.5)


def test_a_server_without_a_clock_is_no_problem(ask):
    client, _data = ask((*OK, {"Date": "noon"}))
    assert client.clock_offset_s is None


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        pytest.param({"url": ""}, "not a base URL", id="empty"),
        pytest.param({"url": "localhost:9090"}, "not a base URL", id="no scheme"),
        pytest.param({"url": "http://user:pass@host"}, "Prometheus host: credentials in its URL", id="credentials"),
        pytest.param({"url": "http://host:9090/?token=abc"}, "Prometheus 'http://host:9090/': not a base URL", id="query"),
        pytest.param({"url": "http://host:9090/graph#tab"}, "Prometheus 'http://host:9090/graph': not a base URL", id="fragment"),
        pytest.param({"url": "https://host", "ca_file": "/nowhere.pem"}, "CA file /nowhere.pem: not readable", id="no CA file"),
    ],
)
def test_bad_urls_are_rejected_before_anything_is_sent(options, problem):
    with pytest.raises(PrometheusError, match=problem):
        PrometheusClient(**options)


@pytest.fixture(name="tls", scope="module")
def fixture_tls(tmp_path_factory):
    """A server behind a certificate that signed itself, and the certificate's path."""
    context, certificate = self_signed(tmp_path_factory.mktemp("tls"))
    with FakePrometheus(context) as server:
        server.responses = [OK]
        yield server, certificate


def test_an_untrusted_certificate_is_not_retried(tls, clock):
    with pytest.raises(PrometheusError, match=r"certificate not trusted \(self.signed certificate\)"):
        PrometheusClient(tls[0].url).instant("up", 5, "targets")
    assert clock.pauses == []


@pytest.mark.parametrize("trust", [pytest.param(True, id="its CA is given"), pytest.param(False, id="checks are off")])
def test_a_certificate_can_be_trusted(tls, trust):
    options = {"ca_file": str(tls[1])} if trust else {"validate_certs": False}
    assert PrometheusClient(tls[0].url, **options).instant("up", 5, "targets")["result"]


def test_unusable_files_are_named(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing", encoding="utf-8")
    with pytest.raises(PrometheusError, match=r"CA file .*ca\.pem: no PEM certificate"):
        PrometheusClient("https://localhost", ca_file=str(tmp_path / "ca.pem"))


def options(**changes):
    """The options as Ansible completes them when only the URL is set, and the changes."""
    given = {name: spec.get("default") for name, spec in connection_spec().items()}
    return {**given, "url": "http://127.0.0.1:9090", **LIMITS, **changes}


def test_the_client_has_the_settings_of_the_options():
    client = client_from(options(tenancy_namespace="mine", validate_certs=False))
    assert client.tenancy_namespace == "mine"
    assert (client.timeout, client.retries, client.time_limit) == (3.0, 1, 9.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"url": "prometheus"}, "not a base URL", id="no URL"),
        pytest.param({"ca_file": "/no/where.pem"}, "CA file /no/where.pem: not readable", id="no CA file"),
        pytest.param({"token_file": "/no/where"}, "/no/where", id="no token file"),
    ],
)
def test_unusable_options_are_rejected(changes, message):
    with pytest.raises(PrometheusError, match=message):
        client_from(options(**changes))


def test_the_token_is_no_argument():
    assert "token" not in connection_spec()


@pytest.mark.parametrize("status", [200, 400])
def test_hints_of_a_response_are_kept(server, status):
    """Warnings are about the result, infos about the query (Prometheus 3)."""
    hints = {"warnings": ["PromQL warning: mixed \x1b[1mfloats", "again", "again"], "infos": ["PromQL info: metric might not be a counter"]}
    body = {"status": "success", "data": {"resultType": "vector", "result": []}} if status == 200 else {"status": "error", "error": "x"}
    server.responses = [(status, json.dumps({**body, **hints}))]
    client = PrometheusClient(server.url)
    with nullcontext() if status == 200 else pytest.raises(PrometheusError, match="Prometheus says error: x"):
        client.instant("up", 5, "targets")
    assert client.warnings == [
        "Metric targets: Prometheus warns: PromQL warning: mixed \\x1b[1mfloats",
        "Metric targets: Prometheus warns: again",
        "Metric targets: Prometheus informs: PromQL info: metric might not be a counter",
    ]


@pytest.mark.parametrize("url", ["http://user:secretpw@h", "user:secretpw@h:9090", "http://u:secretpw@h:port", "ftp://h/?token=secretpw", "http://[x"])
def test_no_message_shows_what_a_url_hides(url):
    with pytest.raises(PrometheusError, match=r"^Prometheus ") as caught:
        PrometheusClient(url)
    assert "secretpw" not in str(caught.value)


def test_user_and_password_are_sent(server, tmp_path):
    file = tmp_path / "login"
    file.write_text("admin:secretpw\n")
    server.responses = [OK]
    PrometheusClient(server.url, token_file=str(file)).instant("up", 5, "targets")
    assert server.queries[0]["headers"]["Authorization"] == "Basic YWRtaW46c2VjcmV0cHc="
