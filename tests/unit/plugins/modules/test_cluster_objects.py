# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that create and inspect objects of a cluster, called as Ansible calls them."""

from __future__ import annotations

from importlib import import_module

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from fakes.fake_cluster import FakeCluster
from fakes.fake_http_server import FakeHttpServer, Reply, in_turn

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one"}}
RETURNED = {"changed", "unchanged", "unmanaged", "remaining"}


@pytest.fixture(name="cluster")
def fixture_cluster(monkeypatch):
    cluster = FakeCluster()
    for name in ("cluster_objects", "tls_secret", "ca_bundle", "deployment_info", "mlflow_server_info"):
        module = import_module(f"ansible_collections.perfscale.mlflow.plugins.modules.{name}")
        monkeypatch.setattr(module, "cluster_from", lambda _options: cluster)
    return cluster


def test_objects_come_and_go(run_module, cluster, tmp_path):
    (tmp_path / "two.yml").write_text("{apiVersion: v1, kind: Secret, metadata: {name: two}}")
    options = {
        "definition": [SECRET],
        "text": "{apiVersion: v1, kind: Secret, metadata: {name: three}}",
        "sources": [str(tmp_path)],
        "patches": [{"kind": "Secret", "metadata": {"name": "two"}, "data": {"a": "Yg=="}}],
        "namespace": "here",
        "run_id": "run-1",
    }
    checked = run_module("cluster_objects", options, check=True)
    assert checked["changed"]
    assert cluster.objects == {}
    made = run_module("cluster_objects", options)
    assert made["changed"]
    assert set(made["objects"]) == RETURNED
    assert made["objects"]["changed"] == ["Secret here/one", "Secret here/three", "Secret here/two"]
    assert cluster.objects["/api/v1/namespaces/here/secrets/two"]["data"] == {"a": "Yg=="}
    assert not run_module("cluster_objects", options)["changed"]
    kinds = [{"api_version": "v1", "kind": "Secret", "namespace": "here"}]
    gone = run_module("cluster_objects", {"state": "absent", "kinds": kinds, "run_id": "run-1"})
    assert gone["changed"]
    assert set(gone["objects"]) == RETURNED
    assert cluster.objects == {}


def test_kinds_that_the_cluster_lacks_are_left_out(run_module, cluster):
    text = "{apiVersion: v1, kind: Secret, metadata: {name: one}}\n---\n{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: two}}"
    options = {"text": text, "namespace": "here", "run_id": "run-1"}
    failed = run_module("cluster_objects", options)
    assert "Kind ServiceMonitor (monitoring.coreos.com/v1): not served by the cluster." in failed["msg"]
    made = run_module("cluster_objects", {**options, "skipped_kinds": ["ServiceMonitor"]})
    assert made["objects"]["unchanged"] == ["Secret here/one"]


def test_a_url_is_fetched_where_it_leads(run_module, cluster):
    manifest = b"{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: here}, data: {operator: =}}"
    with FakeHttpServer(lambda request: Reply(302, headers={"Location": "/b.yml"}) if request.path == "/a.yml" else Reply(200, manifest)) as server:
        address = server.url.replace("://", "://user:pass-w0rd@")
        result = run_module("cluster_objects", {"sources": [f"{address}/a.yml"], "run_id": "run-1"})
        logins = [request.headers.get("Authorization") for request in server.requests]
    assert result["changed"]
    assert logins == ["Basic dXNlcjpwYXNzLXcwcmQ=", None]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        pytest.param(Reply(404, b"<p>gone</p>"), "HTTP 404: gone", id="absent"),
        pytest.param(Reply(302, headers={"Location": "/a.yml"}), "HTTP 302: no text", id="round in circles"),
        pytest.param(Reply(200, b"\xff\x00\x01"), "not a text", id="binary"),
    ],
)
def test_a_url_that_cannot_be_fetched_is_named(run_module, cluster, monkeypatch, reply, problem):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with FakeHttpServer(in_turn(reply)) as server:
        result = run_module("cluster_objects", {"sources": [f"{server.url}/a.yml"]})
    assert result["failed"]
    assert result["msg"].startswith(f"Manifest {server.url}/a.yml: download failed ({problem}).")
    result = run_module("cluster_objects", {"sources": [f"{server.url.replace('://', '://user:pass-w0rd@')}/x.yml?token=pass-w0rd"]})
    assert result["msg"].startswith(f"Manifest {server.url}/x.yml?token=***: download failed (connection refused).")


def test_a_certificate_is_created_once_and_its_key_is_not_returned(run_module, cluster, tmp_path):
    options = {"name": "tls", "namespace": "here", "dns_names": ["a.here.svc"], "run_id": "run-1"}
    made = run_module("tls_secret", options)
    assert made["changed"]
    assert sorted(made["tls"]) == ["fingerprint", "owned"]
    assert "PRIVATE" not in str(made)
    assert not run_module("tls_secret", options)["changed"]
    bundle = {"dest": str(tmp_path / "ca.crt"), "sources": [{"kind": "Secret", "namespace": "here", "name": "tls"}]}
    assert run_module("ca_bundle", bundle, check=True)["changed"]
    assert not (tmp_path / "ca.crt").exists()
    found = run_module("ca_bundle", bundle)
    assert found["changed"]
    assert found["bundle"] == {"path": str(tmp_path / "ca.crt"), "certificates": 1, "missing": []}
    assert not run_module("ca_bundle", bundle)["changed"]


def test_without_certificates_no_file_is_left(run_module, cluster, tmp_path):
    (tmp_path / "ca.crt").write_text("of an earlier target")
    result = run_module("ca_bundle", {"dest": str(tmp_path / "ca.crt"), "sources": []})
    assert result["changed"]
    assert result["bundle"]["path"] is None
    assert not (tmp_path / "ca.crt").exists()


def test_a_bundle_that_cannot_be_written_is_named(run_module, cluster, tmp_path):
    (tmp_path / "ca.crt").mkdir()
    result = run_module("ca_bundle", {"dest": str(tmp_path / "ca.crt"), "sources": []})
    assert result["failed"]
    assert f"File {tmp_path}/ca.crt:" in result["msg"]


@pytest.mark.parametrize(
    ("module", "options", "key", "reason"),
    [
        pytest.param("deployment_info", {"name": "d", "namespace": "here"}, "deployment", "Deployment d: does not exist", id="deployment"),
        pytest.param("mlflow_server_info", {"namespace": "here"}, "server", "MLflow mlflow: does not exist", id="mlflow"),
    ],
)
def test_a_single_check_of_absent_objects(run_module, cluster, module, options, key, reason):
    result = run_module(module, options)
    assert not result["changed"]
    assert (result[key]["ready"], result[key]["exists"], result[key]["ended"], result[key]["reasons"]) == (False, False, "time", [reason])


@pytest.mark.parametrize(
    ("module", "options"),
    [
        pytest.param("cluster_objects", {"definition": [SECRET], "namespace": "here"}, id="objects"),
        pytest.param("tls_secret", {"name": "tls", "namespace": "here", "dns_names": ["a"], "run_id": "r"}, id="certificate"),
        pytest.param("ca_bundle", {"dest": "/absent/ca", "sources": [{"kind": "Secret", "namespace": "a", "name": "b"}]}, id="ca-bundle"),
        pytest.param("deployment_info", {"name": "d", "namespace": "here"}, id="deployment"),
        pytest.param("mlflow_server_info", {"namespace": "here"}, id="mlflow"),
    ],
)
def test_a_denied_request_is_one_sentence(run_module, cluster, monkeypatch, module, options):
    def deny(*_arguments, **_options):
        raise ClusterError("GET x: the API server returned 403 (no). Grant this permission.", 403, "Forbidden")

    monkeypatch.setattr(cluster, "get", deny)
    assert run_module(module, options)["msg"] == "GET x: the API server returned 403 (no). Grant this permission."
