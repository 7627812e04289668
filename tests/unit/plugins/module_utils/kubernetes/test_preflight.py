# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import preflight
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.rights import Right
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.run_lease import hold

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/a/leases/perfscale-mlflow"
NAME = "mlflows.mlflow.opendatahub.io"
NEEDED = {"name": NAME, "version": "v1", "fields": ["spec.env.name", "spec.open.anything"], "remedy": "Install the MLflow operator."}
SCHEMA = {
    "properties": {
        "spec": {
            "properties": {
                "env": {"type": "array", "items": {"properties": {"name": {}}}},
                "open": {"x-kubernetes-preserve-unknown-fields": True},
            }
        }
    }
}


def version(name="v1", schema=SCHEMA, served=True):
    return {"name": name, "served": served, "schema": {"openAPIV3Schema": schema}}


def test_reaches_a_cluster(server, cluster):
    server.answers[("POST", WHO)] = [(201, {"status": {"userInfo": {"username": "me"}}})]
    found = preflight.reach(cluster)
    assert (found["version"], found["user"]) == ("v1.34.4", "me") and abs(found["clock_offset_s"]) <= 1


def test_an_old_cluster_does_not_know_who_we_are(server, cluster):
    server.answers[("POST", WHO)] = [(404, {})]
    assert preflight.reach(cluster)["user"] == "the user of the kubeconfig"


@pytest.mark.parametrize("path", ["/version", WHO])
def test_says_that_a_login_is_not_taken(server, cluster, path):
    server.answers[("GET" if path == "/version" else "POST", path)] = [(401, {"message": "Unauthorized"})]
    with pytest.raises(ClusterError, match="answered 401 \\(Unauthorized\\)\\. Log in again"):
        preflight.reach(cluster)


@pytest.mark.parametrize(
    ("have", "oldest", "is_old"),
    [
        pytest.param("v1.34.4", "1.28", False, id="newer"),
        pytest.param("v1.28.0+k3s1", "1.28", False, id="same"),
        pytest.param("v1.9.11", "1.28", True, id="older"),
        pytest.param("unknown", "1.28", False, id="unknown"),
        pytest.param("v1.9.11", "", False, id="any"),
    ],
)
def test_compares_versions(have, oldest, is_old):
    assert bool(preflight.version_problems(have, oldest)) is is_old


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        pytest.param(None, None, id="unknown"),
        pytest.param(-9.9, None, id="small"),
        pytest.param(61.0, "Clock of the cluster: is 61 s ahead of this machine's (at most 10 s).", id="ahead"),
        pytest.param(-61.0, "Clock of the cluster: is 61 s behind this machine's (at most 10 s).", id="behind"),
    ],
)
def test_compares_clocks(offset, text):
    found = preflight.clock_problems(offset, 10.0)
    assert (text in found[0]) if text else found == []


@pytest.mark.parametrize(
    ("versions", "text"),
    [
        pytest.param(None, f"CRD {NAME}: is not installed. Install the MLflow operator.", id="missing"),
        pytest.param([version("v1beta1"), version(served=False)], f"CRD {NAME}: serves v1beta1, not v1.", id="other-version"),
        pytest.param([version(schema={})], f"CRD {NAME} v1: lacks the fields spec.env.name, spec.open.anything.", id="no-fields"),
        pytest.param([version()], None, id="complete"),
    ],
)
def test_looks_for_custom_kinds(server, cluster, versions, text):
    if versions is not None:
        server.put(f"{CRDS}/{NAME}", spec={"versions": versions})
    found = preflight.crd_problems(cluster, [NEEDED])
    assert found[0].startswith(text) if text else found == []


def test_names_the_missing_rights_in_one_sentence(server, cluster):
    server.hook = lambda _method, _path, body: (201, {"status": {"allowed": body["spec"]["resourceAttributes"]["verb"] == "get"}})
    rights = [Right("", "pods", "get", "a"), Right("", "pods", "create", "a"), Right("", "namespaces", "list")]
    assert preflight.rights_problems(cluster, "me", rights, "Ask.") == ["Rights of me: 2 of 3 are missing (create pods in a, list namespaces). Ask."]
    assert preflight.rights_problems(cluster, "me", rights[:1], "Ask.") == []


@pytest.mark.parametrize(
    ("name", "default", "text"),
    [
        pytest.param(None, False, None, id="not-asked"),
        pytest.param("fast", False, None, id="there"),
        pytest.param("slow", False, "Storage class slow: does not exist. Choose one of fast.", id="missing"),
        pytest.param("", True, None, id="default"),
        pytest.param("", False, "Storage class: none is the default. Make one the default, or name one of fast.", id="no-default"),
    ],
)
def test_looks_for_a_storage_class(server, cluster, name, default, text):
    server.put(f"{CLASSES}/fast", metadata={"annotations": {preflight.IS_DEFAULT: "true"} if default else {}})
    assert preflight.storage_problems(cluster, name) == ([text] if text else [])


def test_says_that_there_is_no_storage_class(server, cluster):
    assert "for there is none" in preflight.storage_problems(cluster, "")[0] and "for there is none" in preflight.storage_problems(cluster, "x")[0]


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        pytest.param(None, "does not exist. Create it", id="missing"),
        pytest.param("Opaque", "is of type Opaque", id="other-type"),
        pytest.param("kubernetes.io/dockerconfigjson", None, id="there"),
    ],
)
def test_looks_for_image_pull_secrets(server, cluster, kind, part):
    if kind:
        server.put("/api/v1/namespaces/a/secrets/pull", type=kind)
    found = preflight.pull_secret_problems(cluster, [{"namespace": "a", "name": "pull"}])
    assert found[0].startswith("Image pull secret a/pull: ") and part in found[0] if part else found == []


@pytest.mark.parametrize(
    ("answers", "part"),
    [
        pytest.param({"load": (404, {}), "default": (404, {})}, None, id="none-exists"),
        pytest.param({"load": (404, {}), "default": (201, 3600)}, "7200 s were asked for and the API server gave 3600 s", id="shortened"),
        pytest.param({"load": (201, 7200)}, None, id="granted"),
        pytest.param({"load": (403, {"message": "no"})}, "answered 403 (no)", id="refused"),
    ],
)
def test_asks_whether_a_token_would_be_shortened(server, cluster, answers, part):
    for name, (status, body) in answers.items():
        given = {"spec": {"expirationSeconds": body}, "status": {"token": "t", "expirationTimestamp": "2026-11-24T13:00:00Z"}} if status == 201 else body
        server.answers[("POST", f"/api/v1/namespaces/a/serviceaccounts/{name}/token")] = [(status, given)]
    found = preflight.token_problems(cluster, "a", ["load", "default"], 7200)
    assert part in found[0] if part else found == []


@pytest.mark.parametrize(("run_id", "part"), [("r2", "before starting run r2."), ("", "before starting another."), ("r1", None)])
def test_names_the_run_that_holds_the_cluster(server, cluster, run_id, part):
    assert preflight.lease_problems(cluster, "a", run_id) == []
    hold(cluster, "a", "r1", 600)
    before = server.get(LEASE)
    found = preflight.lease_problems(cluster, "a", run_id)
    assert found[0].startswith("Lease a/perfscale-mlflow: run r1 holds it until") and found[0].endswith(part) if part else found == []
    assert server.get(LEASE) == before


def refused():
    raise ClusterError("no", 403, "Forbidden")


def broken():
    raise ClusterError("down", 503)


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        pytest.param(list, ["no", "down", "x"], id="rights-there"),
        pytest.param(lambda: ["rights"], ["rights", "down", "x"], id="rights-missing"),
        pytest.param(broken, ["down", "down", "x"], id="rights-unknown"),
    ],
)
def test_names_every_problem_once(rights, expected):
    assert preflight.problems_of([refused, broken, lambda: ["x"]], rights) == expected
