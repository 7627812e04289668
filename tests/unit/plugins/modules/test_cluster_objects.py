# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that make and watch objects of a cluster, called as Ansible calls them."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.tests.unit.plugins.module_utils.kubernetes.cluster_stand_in import ClusterStandIn

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one"}}
RETURNED = {"changed", "same", "foreign", "stays"}


@pytest.fixture(name="cluster")
def fixture_cluster(monkeypatch):
    cluster = ClusterStandIn()
    for name in ("cluster_objects", "tls_secret", "authority_bundle", "deployment_info", "mlflow_server_info"):
        module = import_module(f"ansible_collections.perfscale.mlflow.plugins.modules.{name}")
        monkeypatch.setattr(module, "cluster_from", lambda _options: cluster)
    return cluster


def test_objects_come_and_go(run_module, cluster, tmp_path):
    (tmp_path / "two.yml").write_text("{apiVersion: v1, kind: Secret, metadata: {name: two}}")
    wanted = {
        "definition": [SECRET],
        "text": "{apiVersion: v1, kind: Secret, metadata: {name: three}}",
        "sources": [str(tmp_path)],
        "patches": [{"kind": "Secret", "metadata": {"name": "two"}, "data": {"a": "Yg=="}}],
        "namespace": "here",
        "run_id": "run-1",
    }
    told = run_module("cluster_objects", wanted, check=True)
    assert told["changed"] and cluster.objects == {}
    made = run_module("cluster_objects", wanted)
    assert made["changed"] and set(made["objects"]) == RETURNED
    assert made["objects"]["changed"] == ["Secret here/one", "Secret here/three", "Secret here/two"]
    assert cluster.objects["/api/v1/namespaces/here/secrets/two"]["data"] == {"a": "Yg=="}
    assert not run_module("cluster_objects", wanted)["changed"]
    kinds = [{"api_version": "v1", "kind": "Secret", "namespace": "here"}]
    gone = run_module("cluster_objects", {"state": "absent", "kinds": kinds, "run_id": "run-1"})
    assert gone["changed"] and set(gone["objects"]) == RETURNED
    assert cluster.objects == {}


def test_a_url_that_cannot_be_fetched_is_named(run_module, cluster, monkeypatch):
    module = sys.modules["ansible_collections.perfscale.mlflow.plugins.modules.cluster_objects"]

    def refuse(url, timeout):
        raise OSError("refused")

    monkeypatch.setattr(module, "open_url", refuse)
    answer = run_module("cluster_objects", {"sources": ["http://127.0.0.1/x.yml"]})
    assert answer["failed"] and answer["msg"].startswith("Manifest http://127.0.0.1/x.yml: cannot be fetched (refused).")


def test_a_certificate_is_made_once_and_its_key_is_not_told(run_module, cluster, tmp_path):
    options = {"name": "tls", "namespace": "here", "dns_names": ["a.here.svc"], "run_id": "run-1"}
    made = run_module("tls_secret", options)
    assert made["changed"] and sorted(made["tls"]) == ["fingerprint", "owned"]
    assert "PRIVATE" not in str(made)
    assert not run_module("tls_secret", options)["changed"]
    bundle = {"dest": str(tmp_path / "ca.crt"), "sources": [{"kind": "Secret", "namespace": "here", "name": "tls"}]}
    assert run_module("authority_bundle", bundle, check=True)["changed"] and not (tmp_path / "ca.crt").exists()
    found = run_module("authority_bundle", bundle)
    assert found["changed"] and found["bundle"] == {"path": str(tmp_path / "ca.crt"), "certificates": 1, "missing": []}
    assert not run_module("authority_bundle", bundle)["changed"]


def test_without_authorities_no_file_is_left(run_module, cluster, tmp_path):
    (tmp_path / "ca.crt").write_text("of an earlier target")
    answer = run_module("authority_bundle", {"dest": str(tmp_path / "ca.crt"), "sources": []})
    assert answer["changed"] and answer["bundle"]["path"] is None
    assert not (tmp_path / "ca.crt").exists()


def test_a_bundle_that_cannot_be_written_is_named(run_module, cluster, tmp_path):
    (tmp_path / "ca.crt").mkdir()
    answer = run_module("authority_bundle", {"dest": str(tmp_path / "ca.crt"), "sources": []})
    assert answer["failed"] and f"File {tmp_path}/ca.crt:" in answer["msg"]


@pytest.mark.parametrize(
    ("module", "options", "key", "reason"),
    [
        pytest.param("deployment_info", {"name": "d", "namespace": "here"}, "deployment", "Deployment d: does not exist", id="deployment"),
        pytest.param("mlflow_server_info", {"namespace": "here"}, "server", "MLflow mlflow: does not exist", id="mlflow"),
    ],
)
def test_one_look_at_what_is_not_there(run_module, cluster, module, options, key, reason):
    answer = run_module(module, options)
    assert not answer["changed"]
    assert (answer[key]["ready"], answer[key]["exists"], answer[key]["ended"], answer[key]["reasons"]) == (False, False, "time", [reason])


@pytest.mark.parametrize(
    ("module", "options"),
    [
        pytest.param("cluster_objects", {"definition": [SECRET], "namespace": "here"}, id="objects"),
        pytest.param("tls_secret", {"name": "tls", "namespace": "here", "dns_names": ["a"], "run_id": "r"}, id="certificate"),
        pytest.param("authority_bundle", {"dest": "/absent/ca", "sources": [{"kind": "Secret", "namespace": "a", "name": "b"}]}, id="authorities"),
        pytest.param("deployment_info", {"name": "d", "namespace": "here"}, id="deployment"),
        pytest.param("mlflow_server_info", {"namespace": "here"}, id="mlflow"),
    ],
)
def test_a_refusal_is_one_sentence(run_module, cluster, monkeypatch, module, options):
    def refuse(*_arguments, **_options):
        raise ClusterError("GET x: the API server answered 403 (no). Give this right.", 403, "Forbidden")

    monkeypatch.setattr(cluster, "get", refuse)
    assert run_module(module, options)["msg"] == "GET x: the API server answered 403 (no). Give this right."
