# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.rights import PART, PLACE, Right, compare, granted, lacking, used

ROOT = Path(__file__).resolve().parents[5]
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
SHIPPED = yaml.safe_load((ROOT / "files" / "kubernetes" / "rbac.yml").read_text(encoding="utf-8"))["items"]


def role(kind, rules, namespace=None, **notes):
    metadata = {"name": "r", "annotations": notes, **({"namespace": namespace} if namespace else {})}
    return {"kind": kind, "metadata": metadata, "rules": rules}


def rule(verbs, resources=("pods",), groups=("",), **more):
    return {"apiGroups": list(groups), "resources": list(resources), "verbs": verbs, **more}


def event(verb="get", resource="pods", user="me", code=200, stage="ResponseComplete", **ref):
    return json.dumps({"verb": verb, "stage": stage, "user": {"username": user}, "objectRef": {"resource": resource, **ref}, "responseStatus": {"code": code}})


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(
            role("ClusterRole", [rule(["get", "list"], ["pods", "pods/exec"])]),
            [Right("", "pods", "get"), Right("", "pods", "list"), Right("", "pods/exec", "get"), Right("", "pods/exec", "list")],
            id="every-verb-of-every-resource",
        ),
        pytest.param(role("Role", [rule(["get"])], "there"), [Right("", "pods", "get", "there")], id="its-own-namespace"),
        pytest.param(role("Role", [rule(["get"])], "there", **{PLACE: "generator"}), [Right("", "pods", "get", "here")], id="namespace-of-the-user"),
        pytest.param(
            role("ClusterRole", [rule(["bind"], ["roles"], ["x"], resourceNames=["a", "b"])]),
            [Right("x", "roles", "bind", "", "a"), Right("x", "roles", "bind", "", "b")],
            id="names",
        ),
        pytest.param({"kind": "RoleBinding", "metadata": {"name": "b"}}, [], id="no-role"),
        pytest.param({"kind": "ClusterRole", "metadata": {"name": "b"}, "aggregationRule": {}}, [], id="no-rules"),
        pytest.param(role("ClusterRole", [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]), [], id="no-resources"),
    ],
)
def test_a_role_grants(manifest, expected):
    assert granted([manifest, manifest], {"generator": "here"}) == expected


def test_only_the_parts_that_are_used_count():
    manifests = [role("ClusterRole", [rule(["get"])], **{PART: "tenants"}), role("ClusterRole", [rule(["list"])], **{PART: "other"})]
    assert granted(manifests, {}, ["tenants"]) == [Right("", "pods", "get")]


def test_asks_for_each_right_and_names_those_that_are_missing(server, cluster):
    rights = [Right("apps", "deployments/scale", "get", "a", "x"), Right("", "namespaces", "create")]
    server.hook = lambda _method, _path, body: (201, {"status": {"allowed": body["spec"]["resourceAttributes"]["verb"] == "get"}})
    assert lacking(cluster, rights) == [rights[1]]
    asked = [body["spec"]["resourceAttributes"] for _method, path, body in server.requests if path == REVIEWS]
    assert {"group": "apps", "resource": "deployments", "subresource": "scale", "verb": "get", "namespace": "a", "name": "x"} in asked
    assert {"resource": "namespaces", "verb": "create"} in asked


@pytest.mark.parametrize(
    ("right", "text"),
    [
        pytest.param(Right("", "namespaces", "create"), "create namespaces", id="core"),
        pytest.param(Right("apps", "deployments", "get", "a", "x"), "get deployments.apps x in a", id="all"),
    ],
)
def test_people_can_read_a_right(right, text):
    assert str(right) == text


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(event(namespace="a", name="p"), {Right("", "pods", "get", "a", "p")}, id="read"),
        pytest.param(event("create", namespace="a", name="p", code=201), {Right("", "pods", "create", "a")}, id="creation"),
        pytest.param(event("get", subresource="exec", namespace="a", name="p", code=101), {Right("", "pods/exec", "get", "a", "p")}, id="subresource"),
        pytest.param(
            event("create", "serviceaccounts", subresource="token", namespace="a", name="s"),
            {Right("", "serviceaccounts/token", "create", "a", "s")},
            id="token",
        ),
        pytest.param(event("delete", "namespaces", namespace="t", name="t"), {Right("", "namespaces", "delete", "", "t")}, id="namespace"),
        pytest.param(event("list", "deployments", apiGroup="apps", namespace="a"), {Right("apps", "deployments", "list", "a")}, id="group"),
        pytest.param(event(user="somebody"), set(), id="somebody-else"),
        pytest.param(event("patch", code=201, name="p"), {Right("", "pods", "patch", "", "p"), Right("", "pods", "create")}, id="creation-by-apply"),
        pytest.param(event(code=403), set(), id="refused"),
        pytest.param(event(stage="RequestReceived"), set(), id="not-answered-yet"),
        pytest.param(event("create", "selfsubjectaccessreviews", apiGroup="authorization.k8s.io"), set(), id="review"),
        pytest.param(json.dumps({"verb": "get", "requestURI": "/version", "user": {"username": "me"}}), set(), id="discovery"),
        pytest.param(json.dumps({**json.loads(event(user="admin")), "impersonatedUser": {"username": "me"}}), {Right("", "pods", "get")}, id="impersonated"),
    ],
)
def test_the_audit_log_shows_what_was_used(line, expected):
    assert used([line], "me") == expected


def test_compares_what_is_granted_with_what_is_used():
    granted_rights = [
        Right("", "pods", "get", "a"),
        Right("", "pods", "list", "a"),
        Right("rbac", "clusterroles", "bind", "", "x"),
        Right("", "secrets", "get", "a", "s"),
    ]
    uses = [Right("", "pods", "get", "a", "p"), Right("", "pods", "get", "b", "p"), Right("", "secrets", "get", "a", "other")]
    found = compare(granted_rights, uses)
    assert found["unused"] == [granted_rights[1], granted_rights[3], granted_rights[2]]
    assert found["uncovered"] == [uses[1], uses[2]]
    assert granted_rights[2] not in compare(granted_rights, [*uses, Right("rbac", "rolebindings", "create", "t")])["unused"]


def test_the_shipped_roles_name_every_verb_and_resource():
    """A star would make the test against the audit log, and the list that preflight gives, worthless."""
    rights = granted(SHIPPED, {})
    assert rights
    # Teardown has to see objects of every kind; nothing else has a star, and this one is for lists.
    starred = [right for right in rights if "*" in (right.group, right.resource, right.verb)]
    assert starred == [Right("*", "*", "list")]
    assert starred[0].covers(Right("apps", "statefulsets", "list", "tenant-1"))
    assert not starred[0].covers(Right("apps", "statefulsets", "get", "tenant-1"))


def test_the_shipped_roles_allow_commands_in_pods_only_where_the_generator_is():
    places = {"generator": "here", "mlflow": "there"}
    assert {right.namespace for right in granted(SHIPPED, places) if right.resource == "pods/exec"} == {"here"}


def test_every_shipped_role_says_what_it_is_for():
    roles = [item for item in SHIPPED if item["kind"] in ("Role", "ClusterRole")]
    assert [item["metadata"]["name"] for item in roles if PART not in item["metadata"]["annotations"]] == []
    assert [item["metadata"]["name"] for item in roles if item["kind"] == "Role" and PLACE not in item["metadata"]["annotations"]] == []


def test_every_shipped_role_is_bound():
    bound = {(item["roleRef"]["kind"], item["roleRef"]["name"]) for item in SHIPPED if item["kind"].endswith("Binding")}
    assert {(item["kind"], item["metadata"]["name"]) for item in SHIPPED if item["kind"] in ("Role", "ClusterRole")} == bound
