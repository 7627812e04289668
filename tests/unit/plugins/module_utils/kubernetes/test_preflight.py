# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import preflight
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.lease import acquire
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.preflight import Permission

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/a/leases/perfscale-mlflow"
NAME = "mlflows.mlflow.opendatahub.io"
REQUIRED = {"name": NAME, "version": "v1", "fields": ["spec.env.name", "spec.open.anything"], "remedy": "Install the MLflow operator."}
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


def test_facts_of_a_cluster(server, cluster):
    server.answers[("POST", WHO)] = [(201, {"status": {"userInfo": {"username": "me"}}})]
    found = preflight.cluster_facts(cluster)
    assert (found["version"], found["user"]) == ("v1.34.4", "me")
    assert abs(found["clock_offset_s"]) <= 1


def test_an_old_cluster_does_not_report_the_user(server, cluster):
    server.answers[("POST", WHO)] = [(404, {})]
    assert preflight.cluster_facts(cluster)["user"] == "the user of the kubeconfig"


@pytest.mark.parametrize("path", ["/version", WHO])
def test_names_a_denied_login(server, cluster, path):
    server.answers[("GET" if path == "/version" else "POST", path)] = [(401, {"message": "Unauthorized"})]
    with pytest.raises(ClusterError, match="returned 401 \\(Unauthorized\\)\\. Log in again"):
        preflight.cluster_facts(cluster)


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
        pytest.param(61.0, "Clock of the cluster: 61 s ahead of this machine's (at most 10 s).", id="ahead"),
        pytest.param(-61.0, "Clock of the cluster: 61 s behind this machine's (at most 10 s).", id="behind"),
    ],
)
def test_compares_clocks(offset, text):
    found = preflight.clock_problems(offset, 10.0)
    assert (text in found[0]) if text else found == []


@pytest.mark.parametrize(
    ("versions", "text"),
    [
        pytest.param(None, f"CRD {NAME}: not installed. Install the MLflow operator.", id="missing"),
        pytest.param([version("v1beta1"), version(served=False)], f"CRD {NAME}: serves v1beta1, not v1.", id="other-version"),
        pytest.param([version(schema={})], f"CRD {NAME} v1: missing fields spec.env.name, spec.open.anything.", id="no-fields"),
        pytest.param([version()], None, id="complete"),
    ],
)
def test_checks_crds(server, cluster, versions, text):
    if versions is not None:
        server.put(f"{CRDS}/{NAME}", spec={"versions": versions})
    found = preflight.crd_problems(cluster, [REQUIRED])
    assert found[0].startswith(text) if text else found == []


def test_names_the_missing_permissions_in_one_sentence(server, cluster):
    server.hook = lambda _method, _path, body: (201, {"status": {"allowed": body["spec"]["resourceAttributes"]["verb"] == "get"}})
    permissions = [Permission("", "pods", "get", "a"), Permission("", "pods", "create", "a"), Permission("", "namespaces", "list")]
    assert preflight.permission_problems(cluster, "me", permissions, "Ask.") == ["Permissions of me: 2 of 3 missing (create pods in a, list namespaces). Ask."]
    assert preflight.permission_problems(cluster, "me", permissions[:1], "Ask.") == []


@pytest.mark.parametrize(
    ("name", "default", "text"),
    [
        pytest.param(None, False, None, id="not-requested"),
        pytest.param("fast", False, None, id="there"),
        pytest.param("slow", False, "Storage class slow: does not exist. Allowed: fast.", id="missing"),
        pytest.param("", True, None, id="default"),
        pytest.param("", False, "Storage class: no default. Mark one as the default, or set one of: fast.", id="no-default"),
    ],
)
def test_checks_storage_classes(server, cluster, name, default, text):
    server.put(f"{CLASSES}/fast", metadata={"annotations": {preflight.IS_DEFAULT: "true"} if default else {}})
    assert preflight.storage_problems(cluster, name) == ([text] if text else [])


def test_names_the_absence_of_storage_classes(server, cluster):
    assert "none exists" in preflight.storage_problems(cluster, "")[0]
    assert "none exists" in preflight.storage_problems(cluster, "x")[0]


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        pytest.param(None, "does not exist. Create it", id="missing"),
        pytest.param("Opaque", "type Opaque", id="other-type"),
        pytest.param("kubernetes.io/dockerconfigjson", None, id="there"),
    ],
)
def test_checks_image_pull_secrets(server, cluster, kind, part):
    if kind:
        server.put("/api/v1/namespaces/a/secrets/pull", type=kind)
    found = preflight.pull_secret_problems(cluster, [{"namespace": "a", "name": "pull"}])
    assert [(text.startswith("Image pull secret a/pull: "), part in text) for text in found] == ([(True, True)] if part else [])


@pytest.mark.parametrize(
    ("answers", "part"),
    [
        pytest.param({"load": (404, {}), "default": (404, {})}, None, id="none-exists"),
        pytest.param({"load": (404, {}), "default": (201, 3600)}, "lifetime of 3600 s granted by the API server instead of 7200 s", id="shortened"),
        pytest.param({"load": (201, 7200)}, None, id="granted"),
        pytest.param({"load": (403, {"message": "no"})}, "returned 403 (no)", id="denied"),
    ],
)
def test_checks_whether_a_token_would_be_shortened(server, cluster, answers, part):
    for name, (status, body) in answers.items():
        given = {"spec": {"expirationSeconds": body}, "status": {"token": "t", "expirationTimestamp": "2026-11-24T13:00:00Z"}} if status == 201 else body
        server.answers[("POST", f"/api/v1/namespaces/a/serviceaccounts/{name}/token")] = [(status, given)]
    found = preflight.token_problems(cluster, "a", ["load", "default"], 7200)
    assert part in found[0] if part else found == []


@pytest.mark.parametrize(("run_id", "part"), [("r2", "before starting run r2."), ("", "before starting another."), ("r1", None)])
def test_names_the_run_that_holds_the_cluster(server, cluster, run_id, part):
    assert preflight.lease_problems(cluster, "a", run_id) == []
    acquire(cluster, "a", "r1", 600)
    before = server.get(LEASE)
    found = preflight.lease_problems(cluster, "a", run_id)
    assert [(text.startswith("Lease a/perfscale-mlflow: held by run r1 until"), text.endswith(part)) for text in found] == ([(True, True)] if part else [])
    assert server.get(LEASE) == before


def forbidden():
    raise ClusterError("no", 403, "Forbidden")


def broken():
    raise ClusterError("down", 503)


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        pytest.param(list, ["no", "down", "x"], id="permissions-there"),
        pytest.param(lambda: ["lacking"], ["lacking", "down", "x"], id="permissions-missing"),
        pytest.param(broken, ["down", "down", "x"], id="permissions-unknown"),
    ],
)
def test_names_every_problem_once(permissions, expected):
    assert preflight.problems_of([forbidden, broken, lambda: ["x"]], permissions) == expected
