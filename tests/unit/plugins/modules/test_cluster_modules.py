# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules about tenants, tokens, the lease, preflight and teardown on a cluster, against a fake API server."""

from __future__ import annotations

import base64
import json
import time

import pytest

from fakes.fake_api_server import FakeApiServer
from fakes.fake_jobs import MLFLOW_PODS, PLACE

MODULES = "ansible_collections.perfscale.mlflow.plugins.modules"
NEEDED = {
    "workspace_namespaces": {"count": 1, "run_id": "r1"},
    "service_account_token": {"name": "load", "namespace": "a", "seconds": 600, "dest": "token"},
    "run_lease": {"namespace": "a", "run_id": "r1"},
    "cluster_teardown": {"run_id": "r1", "kinds": ["Pod"]},
    "cluster_preflight_info": {},
    "cluster_state_info": {},
    "cluster_baseline": {
        "state": "initialized", "database": {"kind": "postgres", "owned": True, "job": PLACE}, "mlflow_pods": MLFLOW_PODS, "generator": {}, "run_id": "r1",
        "mlflow_version": "3.17.2", "data_set_digest": "5f6a59d7ec68", "prefix": "tenant-",
    },
    "cluster_data_set_clone": {
        "database": {"kind": "postgres", "owned": True, "job": PLACE}, "mlflow_pods": MLFLOW_PODS, "run_id": "r1", "prefix": "tenant-", "count": 2, "shape": {},
    },
    "cluster_database_info": {"kind": "sqlite", "pod": {"namespace": "a", "pod": "mlflow", "container": "mlflow", "path": "/x"}},
}


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    with FakeApiServer() as fake:
        yield fake


@pytest.fixture
def run(run_module, server):
    """Run a module against the fake server."""
    return lambda name, /, check=False, **arguments: run_module(name, {"host": server.url, "api_key": "key-of-the-tests", **arguments}, check)


def gives_tokens(server):
    def hook(_method, path, body):
        if not path.endswith("/token"):
            return None
        namespace = path.split("/")[4]
        status = {"token": f"canary-of-{namespace}", "expirationTimestamp": "2026-11-24T13:00:00Z"}
        return 201, {"spec": {"expirationSeconds": body["spec"]["expirationSeconds"]}, "status": status}

    server.hook = hook


def test_tenants_are_created_once(run, server):
    account = {"namespace": "base", "name": "load"}
    first = run("workspace_namespaces", count=2, run_id="r1", service_account=account)
    assert first["changed"]
    assert first["workspaces"]["created"] == ["tenant-1", "tenant-2"]
    assert first["workspaces"]["bindings"] == 2
    second = run("workspace_namespaces", names=["tenant-1", "tenant-2"], run_id="r1", service_account=account)
    assert not second["changed"]
    assert set(second["workspaces"]) == set(first["workspaces"])
    checked = run("workspace_namespaces", check=True, count=3, run_id="r1", tenant_service_account="own")
    assert checked["changed"]
    assert checked["workspaces"]["accounts"] == 3
    assert server.get("/api/v1/namespaces/tenant-3") is None


def test_a_token_is_only_in_a_private_file(run, server, tmp_path):
    gives_tokens(server)
    result = run("service_account_token", name="load", namespace="a", seconds=3600, dest=str(tmp_path / "token"))
    assert result["changed"]
    assert result["token"] == {"expires": 1795525200.0, "expires_at": "2026-11-24T13:00:00Z", "count": 1, "kept": 0, "file": str(tmp_path / "token")}
    assert (tmp_path / "token").read_text() == "canary-of-a"
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert "canary" not in json.dumps(result)


def test_tokens_of_tenants_go_into_one_map(run, server, tmp_path):
    gives_tokens(server)
    result = run("service_account_token", name="load", tenants=["t1", "t2"], seconds=3600, dest=str(tmp_path / "tokens"))
    assert result["token"]["count"] == 2
    assert "canary" not in json.dumps(result)
    assert json.loads((tmp_path / "tokens").read_text()) == {"t1": "canary-of-t1", "t2": "canary-of-t2"}
    assert (tmp_path / "tokens").stat().st_mode & 0o777 == 0o600


def web_token(account, seconds):
    claims = {"exp": time.time() + seconds, "kubernetes.io": {"serviceaccount": {"uid": f"uid-{account}"}}}
    return f"h.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.s"


def test_a_good_token_is_kept_and_a_missing_account_created(run, server, tmp_path):
    gives_tokens(server)
    options = {"name": "load", "namespace": "a", "seconds": 3600, "keep_s": 900, "run_id": "r1", "dest": str(tmp_path / "token")}
    assert run("service_account_token", **options)["token"]["kept"] == 0
    assert server.get("/api/v1/namespaces/a/serviceaccounts/load")["metadata"]["labels"]["perfscale.mlflow/run-id"] == "r1"
    good = web_token("load", 1000)
    (tmp_path / "token").write_text(good)
    kept = run("service_account_token", **options)
    assert (kept["changed"], kept["token"]["kept"]) == (False, 1)
    assert (tmp_path / "token").read_text() == good
    (tmp_path / "token").write_text(web_token("load", 800))
    assert run("service_account_token", **options)["changed"]
    assert (tmp_path / "token").read_text() == "canary-of-a"


def test_good_tokens_of_tenants_are_kept(run, server, tmp_path):
    gives_tokens(server)
    for tenant in ("t1", "t2"):
        server.put(f"/api/v1/namespaces/{tenant}/serviceaccounts/load")
    good = web_token("load", 1000)
    (tmp_path / "tokens").write_text(json.dumps({"t1": good, "t2": "bad", "gone": good}))
    result = run("service_account_token", name="load", tenants=["t1", "t2", "t3"], seconds=3600, keep_s=900, dest=str(tmp_path / "tokens"))
    assert (result["changed"], result["token"]["kept"], result["token"]["count"]) == (True, 1, 3)
    assert json.loads((tmp_path / "tokens").read_text()) == {"t1": good, "t2": "canary-of-t2", "t3": "canary-of-t3"}


def test_a_token_can_end_with_a_secret(run, server, tmp_path):
    gives_tokens(server)
    server.put("/api/v1/namespaces/a/secrets/s")
    run("service_account_token", name="load", namespace="a", seconds=600, secret="s", dest=str(tmp_path / "token"))
    assert server.requests[-1][2]["spec"]["boundObjectRef"]["uid"] == "uid-s"


@pytest.mark.parametrize(("more", "count"), [({"namespace": "a"}, 1), ({"tenants": ["t1", "t2"]}, 2)], ids=["one", "map"])
def test_check_mode_requests_no_token(run, server, tmp_path, more, count):
    result = run("service_account_token", check=True, name="load", seconds=600, dest=str(tmp_path / "token"), **more)
    assert result["changed"]
    assert result["token"]["count"] == count
    assert not server.requests
    assert not (tmp_path / "token").exists()


def test_a_lease_is_acquired_denied_released_and_ended(run):
    assert run("run_lease", namespace="a", run_id="r1")["lease"]["holder"] == "r1"
    denied = run("run_lease", namespace="a", run_id="r2")
    assert denied["failed"]
    assert "held by run r1 until" in denied["msg"]
    assert not run("run_lease", namespace="a", run_id="r2", state="released")["changed"]
    released = run("run_lease", namespace="a", run_id="r1", state="released")
    assert released["changed"]
    assert released["lease"] == {"holder": "", "until": None, "until_at": "", "taken_over": "", "was_held": True}
    run("run_lease", namespace="a", run_id="r1")
    assert run("run_lease", namespace="a", run_id="r1", state="expired")["changed"]
    assert run("run_lease", namespace="a", run_id="r2")["lease"]["taken_over"] == "r1"


def test_teardown_finds_nothing_the_second_time(run):
    run("workspace_namespaces", count=1, run_id="r1")
    first = run("cluster_teardown", run_id="r1")
    assert first["changed"]
    assert first["teardown"]["deleted"]["Namespace"] == ["tenant-1"]
    assert first["teardown"]["remaining"] == []
    assert not run("cluster_teardown", all_runs=True)["changed"]


@pytest.mark.parametrize("arguments", [{}, {"run_id": "r1", "all_runs": True}], ids=["neither", "both"])
def test_teardown_needs_one_run_or_all(run, arguments):
    assert "Set either run_id, or all_runs: true" in run("cluster_teardown", **arguments)["msg"]


def test_preflight_names_all_problems_of_a_cluster(run, server, tmp_path):
    roles = tmp_path / "rbac.yml"
    roles.write_text(
        "kind: ClusterRole\napiVersion: rbac.authorization.k8s.io/v1\nmetadata: {name: r}\nrules: [{apiGroups: [''], resources: [pods], verbs: [get]}]\n"
    )
    server.hook = lambda _method, path, _body: (201, {"status": {"allowed": False}}) if "accessreviews" in path else None
    result = run(
        "cluster_preflight_info",
        oldest_version="9.9",
        rbac_file=str(roles),
        crds=[{"name": "x.y", "version": "v1", "remedy": "Install it."}],
        storage_class="",
        image_pull_secrets=[{"namespace": "a", "name": "pull"}],
        token={"namespace": "a", "names": ["default"], "seconds": 600},
        prometheus={"url": "http://127.0.0.1:1"},
    )
    assert [problem.split(":")[0] for problem in result["problems"][:5]] == [
        "Permissions of the user of the kubeconfig",
        "Kubernetes v1.34.4",
        "CRD x.y",
        "Storage class",
        "Image pull secret a/pull",
    ]
    assert len(result["problems"]) == 6
    assert "127.0.0.1:1" in result["problems"][5]
    assert not result["changed"]
    assert result["facts"]["version"] == "v1.34.4"


def test_preflight_checks_only_what_is_requested(run):
    assert run("cluster_preflight_info")["problems"] == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        pytest.param({"host": "http://127.0.0.1:1"}, "the API server http://127.0.0.1:1 does not respond", id="no-server"),
        pytest.param({"kubeconfig": "/nowhere/config"}, "Kubernetes: no usable configuration", id="no-kubeconfig"),
    ],
)
def test_preflight_names_an_unreachable_cluster_in_one_sentence(run_module, monkeypatch, arguments, part):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    result = run_module("cluster_preflight_info", {"api_key": "key-of-the-tests", **arguments})
    assert len(result["problems"]) == 1
    assert part in result["problems"][0]
    assert result["facts"] == {}


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        pytest.param("workspace_namespaces", {"count": 0}, "Tenants: none", id="no-tenants"),
        pytest.param("workspace_namespaces", {"parallelism": 99}, "Option parallelism 99: out of range", id="parallelism"),
        pytest.param("service_account_token", {"seconds": 5}, "lifetime of 5 s too short", id="short-life"),
        pytest.param("service_account_token", {"tenants": ["t1"]}, "mutually exclusive: namespace|tenants", id="two-kinds"),
        pytest.param("service_account_token", {"secret": "s"}, "secrets/s: the API server returned 404", id="no-secret"),
        pytest.param("service_account_token", {}, "serviceaccounts/load/token: the API server returned", id="no-account"),
        pytest.param("cluster_teardown", {"parallelism": 0}, "Option parallelism 0", id="teardown-parallelism"),
    ],
)
def test_fails_with_one_sentence(run, server, name, arguments, sentence):
    server.answers[("POST", "/api/v1/namespaces/a/serviceaccounts/load/token")] = [(404, {"message": "not found"})]
    result = run(name, **{**NEEDED[name], **arguments})
    assert result["failed"]
    assert sentence in result["msg"]
    assert "Traceback" not in result["msg"]


@pytest.mark.parametrize("name", NEEDED)
def test_names_a_missing_library(run, monkeypatch, name):
    monkeypatch.setattr(f"{MODULES}.{name}.MISSING", "ImportError")
    assert "kubernetes" in run(name, **NEEDED[name])["msg"]


def test_preflight_names_a_missing_yaml_library(run, monkeypatch):
    monkeypatch.setattr(f"{MODULES}.cluster_preflight_info.manifests.YAML_ERROR", "ImportError")
    assert "PyYAML" in run("cluster_preflight_info")["msg"]
