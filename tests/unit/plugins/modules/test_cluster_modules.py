# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules about tenants, tokens, the lease, preflight and teardown on a cluster, against a stand-in of its API server."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils" / "kubernetes"))

from stand_in_api_server import StandInApiServer

MODULES = "ansible_collections.perfscale.mlflow.plugins.modules"
NEEDED = {
    "workspace_namespaces": {"count": 1, "run_id": "r1"},
    "service_account_token": {"name": "load", "namespace": "a", "seconds": 600, "dest": "token"},
    "run_lease": {"namespace": "a", "run_id": "r1"},
    "cluster_teardown": {"run_id": "r1", "kinds": ["Pod"]},
    "cluster_preflight_info": {},
}


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    with StandInApiServer() as stand_in:
        yield stand_in


@pytest.fixture
def run(run_module, server):
    """Runs a module against the stand-in."""
    return lambda name, /, check=False, **arguments: run_module(name, {"host": server.url, "api_key": "key-of-the-tests", **arguments}, check)


def gives_tokens(server):
    def hook(_method, path, body):
        if not path.endswith("/token"):
            return None
        namespace = path.split("/")[4]
        status = {"token": f"canary-of-{namespace}", "expirationTimestamp": "2026-11-24T13:00:00Z"}
        return 201, {"spec": {"expirationSeconds": body["spec"]["expirationSeconds"]}, "status": status}

    server.hook = hook


def test_tenants_are_made_once(run, server):
    account = {"namespace": "base", "name": "load"}
    first = run("workspace_namespaces", count=2, run_id="r1", service_account=account)
    assert first["changed"] and first["workspaces"]["created"] == ["tenant-1", "tenant-2"] and first["workspaces"]["bindings"] == 2
    second = run("workspace_namespaces", names=["tenant-1", "tenant-2"], run_id="r1", service_account=account)
    assert not second["changed"] and set(second["workspaces"]) == set(first["workspaces"])
    told = run("workspace_namespaces", check=True, count=3, run_id="r1", tenant_service_account="own")
    assert told["changed"] and told["workspaces"]["accounts"] == 3 and server.get("/api/v1/namespaces/tenant-3") is None


def test_a_token_goes_into_a_private_file_and_nowhere_else(run, server, tmp_path):
    gives_tokens(server)
    said = run("service_account_token", name="load", namespace="a", seconds=3600, dest=str(tmp_path / "token"))
    assert said["changed"] and said["token"] == {"expires": 1795525200.0, "expires_at": "2026-11-24T13:00:00Z", "count": 1, "file": str(tmp_path / "token")}
    assert (tmp_path / "token").read_text() == "canary-of-a" and (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert "canary" not in json.dumps(said)


def test_tokens_of_tenants_go_into_one_map(run, server, tmp_path):
    gives_tokens(server)
    said = run("service_account_token", name="load", tenants=["t1", "t2"], seconds=3600, dest=str(tmp_path / "tokens"))
    assert said["token"]["count"] == 2 and "canary" not in json.dumps(said)
    assert json.loads((tmp_path / "tokens").read_text()) == {"t1": "canary-of-t1", "t2": "canary-of-t2"}
    assert (tmp_path / "tokens").stat().st_mode & 0o777 == 0o600


def test_a_token_can_end_with_a_secret(run, server, tmp_path):
    gives_tokens(server)
    server.put("/api/v1/namespaces/a/secrets/s")
    run("service_account_token", name="load", namespace="a", seconds=600, secret="s", dest=str(tmp_path / "token"))
    assert server.requests[-1][2]["spec"]["boundObjectRef"]["uid"] == "uid-s"


@pytest.mark.parametrize(("more", "count"), [({"namespace": "a"}, 1), ({"tenants": ["t1", "t2"]}, 2)], ids=["one", "map"])
def test_check_mode_asks_for_no_token(run, server, tmp_path, more, count):
    said = run("service_account_token", check=True, name="load", seconds=600, dest=str(tmp_path / "token"), **more)
    assert said["changed"] and said["token"]["count"] == count and not server.requests and not (tmp_path / "token").exists()


def test_a_lease_is_held_refused_and_given_back(run):
    assert run("run_lease", namespace="a", run_id="r1")["lease"]["holder"] == "r1"
    refused = run("run_lease", namespace="a", run_id="r2")
    assert refused["failed"] and "run r1 holds it until" in refused["msg"]
    assert not run("run_lease", namespace="a", run_id="r2", state="released")["changed"]
    given_back = run("run_lease", namespace="a", run_id="r1", state="released")
    assert given_back["changed"] and given_back["lease"] == {"holder": "", "until": None, "until_at": "", "taken_over": ""}


def test_teardown_finds_nothing_the_second_time(run):
    run("workspace_namespaces", count=1, run_id="r1")
    first = run("cluster_teardown", run_id="r1")
    assert first["changed"] and first["teardown"]["deleted"]["Namespace"] == ["tenant-1"] and first["teardown"]["remaining"] == []
    assert not run("cluster_teardown", all_runs=True)["changed"]


@pytest.mark.parametrize("arguments", [{}, {"run_id": "r1", "all_runs": True}], ids=["neither", "both"])
def test_teardown_wants_to_know_of_what(run, arguments):
    assert "Give run_id, or all_runs: true" in run("cluster_teardown", **arguments)["msg"]


def test_preflight_names_all_problems_of_a_cluster(run, server, tmp_path):
    roles = tmp_path / "rbac.yml"
    roles.write_text(
        "kind: ClusterRole\napiVersion: rbac.authorization.k8s.io/v1\nmetadata: {name: r}\nrules: [{apiGroups: [''], resources: [pods], verbs: [get]}]\n"
    )
    server.hook = lambda _method, path, _body: (201, {"status": {"allowed": False}}) if "accessreviews" in path else None
    said = run(
        "cluster_preflight_info",
        oldest_version="9.9",
        rights_file=str(roles),
        crds=[{"name": "x.y", "version": "v1", "remedy": "Install it."}],
        storage_class="",
        image_pull_secrets=[{"namespace": "a", "name": "pull"}],
        token={"namespace": "a", "names": ["default"], "seconds": 600},
        prometheus={"url": "http://127.0.0.1:1"},
    )
    assert [problem.split(":")[0] for problem in said["problems"][:5]] == [
        "Rights of the user of the kubeconfig",
        "Kubernetes v1.34.4",
        "CRD x.y",
        "Storage class",
        "Image pull secret a/pull",
    ]
    assert len(said["problems"]) == 6 and "127.0.0.1:1" in said["problems"][5] and not said["changed"]
    assert said["facts"]["version"] == "v1.34.4"


def test_preflight_asks_only_for_what_it_is_told(run):
    assert run("cluster_preflight_info")["problems"] == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        pytest.param({"host": "http://127.0.0.1:1"}, "the API server http://127.0.0.1:1 does not answer", id="nobody-there"),
        pytest.param({"kubeconfig": "/nowhere/config"}, "Kubernetes: no usable configuration", id="no-kubeconfig"),
    ],
)
def test_preflight_says_in_one_sentence_that_there_is_no_cluster(run_module, monkeypatch, arguments, part):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    said = run_module("cluster_preflight_info", {"api_key": "key-of-the-tests", **arguments})
    assert len(said["problems"]) == 1 and part in said["problems"][0] and said["facts"] == {}


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        pytest.param("workspace_namespaces", {"count": 0}, "Tenants: none", id="no-tenants"),
        pytest.param("workspace_namespaces", {"parallelism": 99}, "Option parallelism 99: is out of range", id="parallelism"),
        pytest.param("service_account_token", {"seconds": 5}, "5 s is too short", id="short-life"),
        pytest.param("service_account_token", {"tenants": ["t1"]}, "mutually exclusive: namespace|tenants", id="two-kinds"),
        pytest.param("service_account_token", {"secret": "s"}, "secrets/s: the API server answered 404", id="no-secret"),
        pytest.param("service_account_token", {}, "serviceaccounts/load/token: the API server answered", id="no-account"),
        pytest.param("cluster_teardown", {"parallelism": 0}, "Option parallelism 0", id="teardown-parallelism"),
    ],
)
def test_refuses_with_one_sentence(run, server, name, arguments, sentence):
    server.answers[("POST", "/api/v1/namespaces/a/serviceaccounts/load/token")] = [(404, {"message": "not found"})]
    said = run(name, **{**NEEDED[name], **arguments})
    assert said["failed"] and sentence in said["msg"] and "Traceback" not in said["msg"]


@pytest.mark.parametrize("name", NEEDED)
def test_says_that_a_library_is_missing(run, monkeypatch, name):
    monkeypatch.setattr(f"{MODULES}.{name}.MISSING", "ImportError")
    assert "kubernetes" in run(name, **NEEDED[name])["msg"]


def test_preflight_says_that_yaml_is_missing(run, monkeypatch):
    monkeypatch.setattr(f"{MODULES}.cluster_preflight_info.manifests.YAML_ERROR", "ImportError")
    assert "PyYAML" in run("cluster_preflight_info")["msg"]
