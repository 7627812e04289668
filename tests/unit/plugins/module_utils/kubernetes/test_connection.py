# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a cluster: options, environment, kubeconfig and a pod's service account, with kubernetes.core's own client as the reference."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml
from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as core
from kubernetes import client as library
from kubernetes.config import incluster_config

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import connection
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.options import connection_spec

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: it
contexts: [{name: it, context: {cluster: c, user: u}}, {name: second, context: {cluster: d, user: u}}]
clusters: [{name: c, cluster: {server: "%s"}}, {name: d, cluster: {server: "https://second.invalid:6443"}}]
users: [{name: u, user: {token: from-the-file}}]
"""
# What decides which server a request reaches, as whom, and how its certificate is verified.
ATTRIBUTES = ("host", "ssl_ca_cert", "cert_file", "key_file", "verify_ssl", "tls_server_name", "proxy", "no_proxy", "proxy_headers")


@pytest.fixture(name="kubeconfig")
def fixture_kubeconfig(tmp_path):
    """Path of a kubeconfig with two contexts."""
    file = tmp_path / "config"
    file.write_text(KUBECONFIG % "https://first.invalid:6443/")
    return str(file)


@pytest.fixture(name="service_account")
def fixture_service_account(tmp_path, monkeypatch):
    """The files and variables that a pod has."""
    (tmp_path / "token").write_text("token-of-the-pod")
    (tmp_path / "ca.crt").write_text("certificate")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")


@pytest.fixture(name="reference")
def fixture_reference(monkeypatch):
    """The result of kubernetes.core for options: (attributes, authorization, headers)."""

    def configure(**options: Any):
        monkeypatch.setattr(library.Configuration, "_default", None)
        configuration = core._create_configuration(core._create_auth_spec(**options))
        found = _settings(configuration), configuration.get_api_key_with_prefix("BearerToken", alias="authorization"), core._create_headers(**options)
        monkeypatch.setattr(library.Configuration, "_default", None)
        return found

    return configure


def _settings(configuration):
    found = {name: getattr(configuration, name) for name in ATTRIBUTES}
    return {**found, "host": found["host"].rstrip("/"), "proxy_headers": found["proxy_headers"] or None}


def configured(options: dict[str, Any]):
    """The result of this collection for the same options."""
    cluster = connect(options)
    headers = {name: value for name, value in cluster.headers().items() if name.startswith("Impersonate")}
    return _settings(cluster.configuration), cluster.headers().get("authorization"), headers


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        pytest.param({"host": "https://127.0.0.1:6443/", "api_key": "t0ken"}, {}, id="token"),
        pytest.param({"host": "https://h", "client_cert": "cert.pem", "client_key": "key.pem", "ca_cert": "ca.pem"}, {}, id="certificate"),
        pytest.param({"host": "https://h", "api_key": "t", "validate_certs": False}, {}, id="unverified"),
        pytest.param({"host": "https://h", "api_key": "t", "proxy": "http://p:3128", "no_proxy": "a.b"}, {}, id="proxy"),
        pytest.param({"host": "https://h", "api_key": "t", "proxy_headers": {"proxy_basic_auth": "u:p"}}, {}, id="proxy-headers"),
        pytest.param({"host": "https://h", "api_key": "t", "impersonate_user": "me"}, {}, id="impersonation"),
        pytest.param({}, {"K8S_AUTH_HOST": "https://h", "K8S_AUTH_API_KEY": "t", "K8S_AUTH_VERIFY_SSL": "no"}, id="environment"),
        pytest.param({}, {"K8S_AUTH_KUBECONFIG": "{kubeconfig}"}, id="environment-kubeconfig"),
        pytest.param({"kubeconfig": "{kubeconfig}"}, {}, id="kubeconfig"),
        pytest.param({"kubeconfig": "{kubeconfig}", "context": "second"}, {}, id="context"),
        pytest.param({"kubeconfig": "{kubeconfig}", "persist_config": True}, {}, id="persisted"),
        pytest.param({"kubeconfig": "{kubeconfig}", "host": "https://other", "validate_certs": False}, {}, id="overridden-host"),
        pytest.param({"kubeconfig": {}}, {"K8S_AUTH_HOST": "https://h", "K8S_AUTH_API_KEY": "t"}, id="empty-kubeconfig"),
    ],
)
def test_connects_as_kubernetes_core_does(kubeconfig, reference, monkeypatch, options, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(kubeconfig=kubeconfig))
    given = {name: value.format(kubeconfig=kubeconfig) if isinstance(value, str) else value for name, value in options.items()}
    assert configured(given) == reference(**given)


def test_a_kubeconfig_may_be_a_dictionary(kubeconfig, reference):
    content = yaml.safe_load(KUBECONFIG % "https://dictionary.invalid")
    assert configured({"kubeconfig": content}) == reference(kubeconfig=content)


def test_a_pod_uses_its_service_account(service_account, reference):
    assert configured({}) == reference()
    assert configured({})[1] == "bearer token-of-the-pod"


def test_a_named_context_takes_precedence_over_the_service_account(service_account, kubeconfig, monkeypatch):
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", kubeconfig)
    assert configured({"context": "second"})[0]["host"] == "https://second.invalid:6443"


def test_a_token_takes_precedence_over_that_of_the_kubeconfig(kubeconfig):
    assert configured({"kubeconfig": kubeconfig, "api_key": "option"})[1] == "Bearer option"


def test_a_user_and_a_password_are_sent(kubeconfig):
    login = base64.b64encode(b"me:secret").decode()
    assert configured({"host": "https://h", "username": "me", "password": "secret"})[1] == f"Basic {login}"


def test_a_connection_does_not_depend_on_the_one_before(server, tmp_path):
    file = tmp_path / "config"
    (tmp_path / "pem").write_text("certificate and key")
    file.write_text((KUBECONFIG % "https://nowhere.invalid").replace("token: from-the-file", f"client-certificate: {tmp_path}/pem, client-key: {tmp_path}/pem"))
    assert connect({"kubeconfig": str(file)}).configuration.cert_file
    assert connect({"host": server.url, "api_key": "t"}).configuration.cert_file is None


def test_authenticates_with_a_kubeconfig(server, tmp_path):
    file = tmp_path / "config"
    file.write_text(KUBECONFIG % server.url)
    connect({"kubeconfig": str(file)}).request("GET", "/version")
    assert server.headers[0]["authorization"] == "Bearer from-the-file"


def test_impersonates_a_user_of_several_groups(server):
    cluster = connect({"host": server.url, "api_key": "t", "impersonate_user": "me", "impersonate_groups": ["a", "b"]})
    cluster.request("GET", "/version")
    assert server.headers[0]["Impersonate-User"] == "me"
    assert cluster.headers().getlist("Impersonate-Group") == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        pytest.param(None, "Invalid kube-config file", id="absent"),
        pytest.param("hello", "no usable configuration", id="no-kubeconfig"),
        pytest.param("a: [", "no usable configuration", id="no-yaml"),
        pytest.param(KUBECONFIG.replace("current-context: it", "current-context: other"), "other", id="unknown-context"),
    ],
)
def test_fails_without_a_usable_configuration(tmp_path, content, part):
    file = tmp_path / "config"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ClusterError, match=r"^Kubernetes: no usable configuration \(.*\)\. Set KUBECONFIG") as caught:
        connect({"kubeconfig": str(file)})
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_client_is_created_from_a_module_s_parameters() -> None:
    given = {**dict.fromkeys(connection_spec()), "host": "https://127.0.0.1:6443/", "api_key": "t0ken", "validate_certs": False}
    cluster = connection.cluster_from({**given, "namespace": "not an option of the connection"}, connections=3)
    assert cluster.host == "https://127.0.0.1:6443"
    assert cluster.headers()["authorization"] == "Bearer t0ken"
    cluster.close()
