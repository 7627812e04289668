# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs are published to real servers with TLS whose CA only ca_file names: an S3 gateway and nginx with WebDAV, which needs a token."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.certificates import issue
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import sinks
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.publication import publish
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.restoration import restore
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Scanner
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import SinkError
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sinks import SettingsError
from fakes.publish_servers import SCHEMAS, TOKEN

ADDRESS = {"s3": "endpoint", "http": "url"}


@pytest.fixture(params=list(ADDRESS))
def settings(request, tmp_path):
    """The settings of a sink without TLS options, below a prefix of the test's own."""
    if request.param == "s3":
        return {"kind": "s3", "endpoint": request.getfixturevalue("s3_tls_url"), "bucket": "results", "prefix": tmp_path.name}
    return {"kind": "http", "url": f"{request.getfixturevalue('nginx_tls_url')}/dav", "prefix": tmp_path.name}


@pytest.fixture
def trusted(tls):
    return {"ca_file": str(tls / "ca.crt")}


def send(run, settings):
    return publish(run, sinks.create_sinks([settings], {}), Scanner(), SCHEMAS)


def bring(settings, place):
    return restore("latest", place, sinks.create_sinks([settings], {}), SCHEMAS)


@pytest.fixture(params=["ca_file", "machine", "validate_certs"])
def trust(request, trusted, monkeypatch):
    """The options by which a server is taken; what the system trusts needs none."""
    if request.param == "machine":
        monkeypatch.setenv("SSL_CERT_FILE", trusted["ca_file"])
    return {"ca_file": trusted, "machine": {}, "validate_certs": {"validate_certs": False}}[request.param]


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_run_goes_and_comes_back(run, settings, trust, tmp_path):
    assert send(run, {**settings, **trust})["problems"] == []
    found = bring({**settings, **trust}, tmp_path / "back")
    assert (found["found"], found["run_id"], found["restored"]) == (True, "run-1", 5)


@pytest.mark.parametrize("is_named", [pytest.param(False, id="no CA"), pytest.param(True, id="another CA")])
def test_an_unknown_ca_is_an_error(run, settings, trusted, tmp_path, is_named):
    (tmp_path / "other.crt").write_bytes(issue(["localhost"], 2)["ca.crt"])
    distrusting = {**settings, **({"ca_file": str(tmp_path / "other.crt")} if is_named else {})}
    problem = r"certificate of \S+: not trusted \(unable to get local issuer certificate\)\. Give its CA bundle as ca_file, [^.]+\."
    with pytest.raises(SinkError, match=rf"^Sink {settings['kind']} \({settings['kind']}\): {problem}$"):
        bring(distrusting, tmp_path / "back")
    assert "not trusted (unable to get local issuer certificate)." in send(run, distrusting)["problems"][0]
    assert bring({**settings, **trusted}, tmp_path / "back")["found"] is False


def test_a_name_that_the_certificate_is_not_for_is_an_error(run, settings, trusted):
    key = ADDRESS[settings["kind"]]
    problem = send(run, {**settings, **trusted, key: settings[key].replace("localhost", "127.0.0.1")})["problems"][0]
    assert "not trusted (" in problem
    assert "'127.0.0.1'" in problem
    assert "use a host name of the certificate, " in problem


@pytest.mark.parametrize("text", [pytest.param(None, id="absent"), pytest.param("no certificate", id="another file")])
def test_a_ca_file_that_cannot_be_used_is_named(settings, tmp_path, text):
    if text:
        (tmp_path / "ca.crt").write_text(text)
    with pytest.raises(SinkError, match=rf"CA file {tmp_path}/ca\.crt: (not readable|no PEM certificate)"):
        sinks.create_sinks([{**settings, "ca_file": str(tmp_path / "ca.crt")}], {})


@pytest.mark.parametrize("token", [pytest.param("wrong-token-of-the-tests", id="wrong"), pytest.param("", id="missing")])
def test_a_rejected_token_is_named_by_its_place(run, nginx_tls_url, trusted, monkeypatch, token):
    monkeypatch.setenv("PERFSCALE_UPLOAD_TOKEN", token)
    sent = send(run, {"kind": "http", "url": f"{nginx_tls_url}/dav", **trusted})
    place = f"Sink http (http): GET {nginx_tls_url}/dav/run-1/manifest.json"
    assert sent["problems"][0].startswith(f"{place}: status 401 (401 Authorization Required 401 Authorization Required nginx/")
    assert "). Set or correct the secret in the environment of ansible-playbook (in AWX: in the credential)." in sent["problems"][0]
    assert TOKEN not in repr(sent)
    assert "wrong-token" not in repr(sent)


@pytest.mark.parametrize("secret", [pytest.param("token\nof-the-tests", id="line break"), pytest.param("token–of-the-tests", id="dash")])
def test_a_secret_that_no_header_carries_is_named_by_its_variable(monkeypatch, secret):
    monkeypatch.setenv("PERFSCALE_UPLOAD_TOKEN", secret)
    monkeypatch.setenv("PERFSCALE_S3_ACCESS_KEY", secret)
    with pytest.raises(SettingsError) as raised:
        sinks.create_sinks([{"kind": "http", "url": "https://localhost"}, {"kind": "s3", "bucket": "results"}], {})
    for variable in ("PERFSCALE_UPLOAD_TOKEN", "PERFSCALE_S3_ACCESS_KEY"):
        assert f"the environment variable {variable} holds a character that a header cannot carry." in str(raised.value)
    assert "of-the-tests" not in str(raised.value)
