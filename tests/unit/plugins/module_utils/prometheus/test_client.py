# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP client: what is sent, what is repeated, and what each refusal is told as."""

from __future__ import annotations

import datetime
import email.utils
import ipaddress
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient, PrometheusError, read_token
from ansible_collections.perfscale.mlflow.tests.unit.plugins.module_utils.prometheus.prometheus_double import prometheus_double, success

OK = success("vector", [{"metric": {}, "value": [1, "2"]}])


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture(name="ask")
def fixture_ask(double):
    """Asks one instant query of the double, without really sleeping."""

    def ask(*answers, clock=None, **options):
        double.answers = list(answers)
        clock = clock or Clock()
        client = PrometheusClient(double.url, clock=clock.time, sleep=clock.sleep, **options)
        return client, client.instant("up", 5, "targets")

    return ask


def test_a_query_is_posted_with_its_token(double, ask):
    client, data = ask(OK, token="secret")
    asked = double.asked[0]
    assert (asked["method"], asked["path"], asked["query"], asked["time"]) == ("POST", "/api/v1/query", "up", "5.000")
    assert asked["headers"]["Authorization"] == "Bearer secret"
    assert data["resultType"] == "vector"
    assert client.requests == 1


def test_a_tenancy_is_asked_by_get(double, ask):
    ask(OK, token="secret", tenancy_namespace="mine")
    asked = double.asked[0]
    assert (asked["method"], asked["path"]) == ("GET", "/api/v1/query?namespace=mine&query=up&time=5.000")
    assert asked["headers"]["Authorization"] == "Bearer secret"


def test_a_range_has_start_end_and_step(double):
    double.answers = [success("matrix", [])]
    PrometheusClient(double.url + "/prefix/").range("up", 1, 2.5, 0.25, "targets")
    asked = double.asked[0]
    assert (asked["path"], asked["start"], asked["end"], asked["step"]) == ("/prefix/api/v1/query_range", "1.000", "2.500", "0.250")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_busy_servers_are_asked_again(double, ask, status):
    client, data = ask((status, "busy"), (status, "busy"), OK)
    assert len(double.asked) == 3
    assert client.requests == 1
    assert data["result"]


def test_the_server_says_how_long_to_wait(ask):
    clock = Clock()
    ask((429, "", {"Retry-After": "7"}), OK, clock=clock)
    assert clock.slept == [7.0]


def test_repetitions_are_bounded_in_number(double, ask):
    with pytest.raises(PrometheusError, match=r"answered 503 \(down\) \(metric targets, at most 3 attempts"):
        ask((503, "down"), retries=2)
    assert len(double.asked) == 3


def test_repetitions_are_bounded_in_time(double, ask):
    clock = Clock()
    with pytest.raises(PrometheusError, match="within 2 s"):
        ask((503, "down"), retries=50, time_limit=2, clock=clock)
    assert clock.now <= 1002


def test_no_time_left_is_said(double, ask):
    clock = Clock()
    client, _data = ask(OK, time_limit=5, clock=clock)
    clock.now += 6
    with pytest.raises(PrometheusError, match="the time limit of 5 s was used up"):
        client.instant("up", 5, "targets")


@pytest.mark.parametrize(
    ("answer", "options", "said", "final"),
    [
        pytest.param((401, "no"), {}, r"wants a token \(401\)", True, id="no token"),
        pytest.param((401, "no"), {"token": "secret"}, r"refused the token \(401\)", True, id="wrong token"),
        pytest.param((403, "no"), {"token": "secret"}, r"may not query \(403\)", True, id="forbidden"),
        pytest.param((404, "<html>no</html>"), {}, r"answered 404 \(Not Found\)", True, id="not found"),
        pytest.param((302, "", {"Location": "/login"}), {}, r"redirects to /login \(302\)", True, id="login redirect"),
        pytest.param((200, "<!DOCTYPE html><html>log in</html>"), {}, "an HTML page", True, id="login page"),
        pytest.param((200, "plain"), {}, "something that is not JSON", True, id="no JSON"),
        pytest.param((200, '{"status": "error", "errorType": "x", "error": "y"}'), {}, "Prometheus says x: y", False, id="error with 200"),
        pytest.param((200, "[]"), {}, "not Prometheus'", False, id="other JSON"),
        pytest.param((400, '{"status": "error", "errorType": "bad_data", "error": "1:4: oh"}'), {}, "bad_data: 1:4: oh", False, id="bad query"),
        pytest.param((422, "what"), {}, "answered 422 without saying why", True, id="unexplained"),
    ],
)  # fmt: skip
def test_refusals_are_sentences(double, ask, answer, options, said, final):
    with pytest.raises(PrometheusError, match=said) as caught:
        ask(answer, **options)
    assert caught.value.final is final
    assert "secret" not in str(caught.value)
    assert len(double.asked) == 1


def test_a_closed_port_is_unreachable():
    clock = Clock()
    client = PrometheusClient("http://127.0.0.1:1", clock=clock.time, sleep=clock.sleep, retries=2)
    with pytest.raises(PrometheusError, match=r"Prometheus http://127.0.0.1:1: cannot be reached \(Connection refused\)"):
        client.instant("up", 5, "targets")
    assert len(clock.slept) == 2


def test_a_silent_server_times_out():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = PrometheusClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2, retries=0)
        with pytest.raises(PrometheusError, match=r"did not answer within 0\.2 s"):
            client.instant("up", 5, "targets")


def test_warnings_of_the_server_are_kept(ask):
    client, _data = ask((200, OK[1][:-1] + ', "warnings": ["half a store"]}'))
    assert client.warnings == ["Metric targets: Prometheus warns: half a store"]


@pytest.mark.parametrize(("shift", "expected"), [pytest.param(0, 0, id="same"), pytest.param(60, 60, id="ahead"), pytest.param(-60, -60, id="behind")])
def test_the_servers_clock_is_compared(double, shift, expected):
    double.answers = [(*OK, {"Date": email.utils.formatdate(time.time() + shift, usegmt=True)})]
    client = PrometheusClient(double.url)
    client.instant("up", 5, "targets")
    assert client.clock_offset_s == pytest.approx(expected, abs=1.5)


def test_a_server_without_a_clock_is_no_problem(ask):
    client, _data = ask((*OK, {"Date": "noon"}))
    assert client.clock_offset_s is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"url": ""}, "is not a URL", id="empty"),
        pytest.param({"url": "localhost:9090"}, "is not a URL", id="no scheme"),
        pytest.param({"url": "http://user:pass@host"}, "Prometheus host: its URL holds credentials", id="credentials"),
        pytest.param({"url": "https://host", "ca_file": "/nowhere.pem"}, "CA file /nowhere.pem: does not exist", id="no CA file"),
    ],
)
def test_bad_addresses_are_refused_before_anything_is_sent(options, said):
    with pytest.raises(PrometheusError, match=said):
        PrometheusClient(**options)


@pytest.fixture(name="tls", scope="module")
def fixture_tls(tmp_path_factory):
    """A double behind a certificate that signed itself: yields (the double with its https URL, the certificate's path)."""
    directory = tmp_path_factory.mktemp("tls")
    certificate, key_file = directory / "certificate.pem", directory / "key.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1))
    hosts = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate.write_bytes(made.add_extension(hosts, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key_file)
    with prometheus_double(context) as double:
        double.answers = [OK]
        yield double, certificate


def test_an_untrusted_certificate_is_not_asked_twice(tls):
    clock = Clock()
    with pytest.raises(PrometheusError, match=r"its certificate is not trusted \(self.signed certificate\)"):
        PrometheusClient(tls[0].url, clock=clock.time, sleep=clock.sleep).instant("up", 5, "targets")
    assert clock.slept == []


@pytest.mark.parametrize("trust", [pytest.param(True, id="its authority is given"), pytest.param(False, id="checks are off")])
def test_a_certificate_can_be_trusted(tls, trust):
    options = {"ca_file": str(tls[1])} if trust else {"validate_certs": False}
    assert PrometheusClient(tls[0].url, **options).instant("up", 5, "targets")["result"]


def test_a_file_without_certificates_is_named(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing", encoding="utf-8")
    with pytest.raises(PrometheusError, match=r"CA file .*ca\.pem: holds no certificate"):
        PrometheusClient("https://localhost", ca_file=str(tmp_path / "ca.pem"))


def test_a_token_file_holds_one_token(tmp_path):
    (tmp_path / "token").write_text("abc\n", encoding="utf-8")
    assert read_token(str(tmp_path / "token")) == "abc"
    assert read_token(None) is None


@pytest.mark.parametrize(
    "content", [pytest.param(None, id="absent"), pytest.param(b"", id="empty"), pytest.param(b"a b", id="two"), pytest.param(b"\xff", id="binary")]
)
def test_other_token_files_are_refused_without_their_content(tmp_path, content):
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(PrometheusError, match=r"Token file .*token: ") as caught:
        read_token(str(tmp_path / "token"))
    assert "a b" not in str(caught.value)
