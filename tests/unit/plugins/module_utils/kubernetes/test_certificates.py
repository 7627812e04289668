# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates created for a server, the Secret that holds them, and the CA bundle of clients."""

from __future__ import annotations

import base64
import contextlib
import datetime
import ssl

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import certificates, ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects
from fakes.fake_cluster import FakeCluster

NAMES = ["mlflow.here.svc", "localhost"]
PATH = "/api/v1/namespaces/here/secrets/tls"
LATER = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=355)


@pytest.fixture(scope="module", name="issued")
def fixture_issued():
    return certificates.issue(NAMES, 365)


def secret(data: dict, run: str | None) -> dict:
    found = {"metadata": {"name": "tls"}, "data": {key: base64.b64encode(value).decode() for key, value in data.items()}}
    return found if run is None else ownership.labelled(found, run)


def ensure(cluster: FakeCluster, names: list[str] = NAMES, dry_run: bool = False) -> dict:
    return certificates.ensure_secret(Objects(cluster, "run-1"), "here", "tls", names, 365, dry_run=dry_run)


def test_tls_accepts_what_is_issued(issued, tmp_path) -> None:
    """OpenSSL is the judge: the pair fits, and the authority is one that it trusts."""
    for name, content in issued.items():
        (tmp_path / name).write_bytes(content)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    incoming, outgoing = (ssl.MemoryBIO(), ssl.MemoryBIO()), (ssl.MemoryBIO(), ssl.MemoryBIO())
    one = client.wrap_bio(incoming[0], outgoing[0], server_hostname=NAMES[0])
    other = server.wrap_bio(outgoing[0], incoming[0], server_side=True)
    for _ in range(4):
        for side in (one, other):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    assert ("DNS", NAMES[1]) in one.getpeercert()["subjectAltName"]


@pytest.mark.parametrize(
    ("names", "days", "now", "expected"),
    [
        pytest.param(NAMES, 14, None, True, id="serves"),
        pytest.param(["other"], 14, None, False, id="another-name"),
        pytest.param(NAMES, 14, LATER, False, id="ends-soon"),
        pytest.param(NAMES, 0, LATER, True, id="not-yet"),
    ],
)
def test_serves(issued, names: list, days: int, now, expected: bool) -> None:
    assert certificates.is_valid_for(issued["tls.crt"], names, days, now) is expected


def test_unreadable_certificates_are_not_used(issued) -> None:
    assert not certificates.is_valid_for(b"", NAMES, 0)
    assert not certificates.is_valid_for(issued["ca.crt"], NAMES, 0)
    assert not certificates.is_signed_by(b"nothing", issued["ca.crt"])


def test_trusted_by_its_own_authority_only(issued) -> None:
    other = certificates.issue(NAMES, 365)
    assert certificates.is_signed_by(issued["tls.crt"], other["ca.crt"] + issued["ca.crt"])
    assert not certificates.is_signed_by(issued["tls.crt"], other["ca.crt"])


def test_a_missing_secret_is_created_and_then_unchanged() -> None:
    cluster = FakeCluster()
    made = ensure(cluster)
    assert (made["changed"], made["owned"]) == (True, True)
    assert sorted(cluster.objects[PATH]["data"]) == ["ca.crt", "tls.crt", "tls.key"]
    assert cluster.objects[PATH]["type"] == "kubernetes.io/tls"
    assert ensure(cluster) == {**made, "changed": False}


def test_our_secret_is_renewed_when_it_lacks_a_name() -> None:
    cluster = FakeCluster()
    before = ensure(cluster)
    renewed = ensure(cluster, [*NAMES, "new.example.com"])
    assert renewed["changed"]
    assert renewed["fingerprint"] != before["fingerprint"]


def test_check_mode_creates_none() -> None:
    cluster = FakeCluster()
    assert ensure(cluster, dry_run=True)["changed"]
    assert cluster.objects == {}


def test_an_unmanaged_secret_is_only_read(issued) -> None:
    cluster = FakeCluster((PATH, secret({"tls.crt": issued["tls.crt"], "tls.key": issued["tls.key"]}, None)))
    found = ensure(cluster, [*NAMES, "more"])
    assert (found["changed"], found["owned"], len(found["fingerprint"])) == (False, False, 16)
    with pytest.raises(ClusterError, match="Secret here/tls: not managed by this collection, and its certificate is expired or not for other"):
        ensure(cluster, ["other"])


def test_ca_certificates_are_collected_from_all_sources(issued, tmp_path) -> None:
    other = certificates.issue(NAMES, 365)["ca.crt"].decode()
    (tmp_path / "ca.pem").write_text(f"a comment\n{other}")
    configured = {"metadata": {"name": "bundle"}, "data": {"ca.pem": issued["ca.crt"].decode() + other}}
    cluster = FakeCluster((PATH, secret(issued, "run-1")), ("/api/v1/namespaces/here/configmaps/bundle", configured))
    sources = [
        {"kind": "Secret", "namespace": "here", "name": "tls", "key": "ca.crt"},
        {"kind": "ConfigMap", "namespace": "here", "name": "bundle", "key": "ca.pem"},
        {"kind": "ConfigMap", "namespace": "here", "name": "absent", "key": "ca.pem"},
        {"kind": "Secret", "namespace": "here", "name": "tls", "key": "tls.key"},
        {"kind": "File", "name": str(tmp_path / "ca.pem")},
    ]
    found, missing = certificates.collect_ca_certificates(cluster, sources)
    assert found == [issued["ca.crt"].decode().strip(), other.strip()]
    assert missing == ["ConfigMap here/absent, key ca.pem", "Secret here/tls, key tls.key"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param({"kind": "Secret", "name": "tls"}, "Secret tls: missing namespace or key", id="no-namespace"),
        pytest.param({"kind": "File", "name": "/absent/ca.pem"}, "CA file /absent/ca.pem: unreadable", id="no-file"),
    ],
)
def test_sources_that_cannot_be_read(source: dict, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        certificates.collect_ca_certificates(FakeCluster(), [source])
