# Copypermission: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.preflight import (
    NAMESPACE_OF,
    PART,
    Permission,
    granted_permissions,
    missing_permissions,
)

ROOT = Path(__file__).resolve().parents[5]
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
SHIPPED = yaml.safe_load((ROOT / "files" / "kubernetes" / "rbac.yml").read_text(encoding="utf-8"))["items"]


def role(kind, rules, namespace=None, **notes):
    metadata = {"name": "r", "annotations": notes, **({"namespace": namespace} if namespace else {})}
    return {"kind": kind, "metadata": metadata, "rules": rules}


def rule(verbs, resources=("pods",), groups=("",), **more):
    return {"apiGroups": list(groups), "resources": list(resources), "verbs": verbs, **more}


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(
            role("ClusterRole", [rule(["get", "list"], ["pods", "pods/exec"])]),
            [Permission("", "pods", "get"), Permission("", "pods", "list"), Permission("", "pods/exec", "get"), Permission("", "pods/exec", "list")],
            id="every-verb-of-every-resource",
        ),
        pytest.param(role("Role", [rule(["get"])], "there"), [Permission("", "pods", "get", "there")], id="its-own-namespace"),
        pytest.param(
            role("Role", [rule(["get"])], "there", **{NAMESPACE_OF: "generator"}), [Permission("", "pods", "get", "here")], id="namespace-of-the-user"
        ),
        pytest.param(
            role("ClusterRole", [rule(["bind"], ["roles"], ["x"], resourceNames=["a", "b"])]),
            [Permission("x", "roles", "bind", "", "a"), Permission("x", "roles", "bind", "", "b")],
            id="names",
        ),
        pytest.param({"kind": "RoleBinding", "metadata": {"name": "b"}}, [], id="no-role"),
        pytest.param({"kind": "ClusterRole", "metadata": {"name": "b"}, "aggregationRule": {}}, [], id="no-rules"),
        pytest.param(role("ClusterRole", [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]), [], id="no-resources"),
    ],
)
def test_a_role_grants(manifest, expected):
    assert granted_permissions([manifest, manifest], {"generator": "here"}) == expected


def test_only_the_parts_that_are_used_count():
    manifests = [role("ClusterRole", [rule(["get"])], **{PART: "tenants"}), role("ClusterRole", [rule(["list"])], **{PART: "other"})]
    assert granted_permissions(manifests, {}, ["tenants"]) == [Permission("", "pods", "get")]


def test_checks_each_permission_and_returns_the_missing_ones(server, cluster):
    permissions = [Permission("apps", "deployments/scale", "get", "a", "x"), Permission("", "namespaces", "create")]
    server.hook = lambda _method, _path, body: (201, {"status": {"allowed": body["spec"]["resourceAttributes"]["verb"] == "get"}})
    assert missing_permissions(cluster, permissions) == [permissions[1]]
    reviewed = [body["spec"]["resourceAttributes"] for _method, path, body in server.requests if path == REVIEWS]
    assert {"group": "apps", "resource": "deployments", "subresource": "scale", "verb": "get", "namespace": "a", "name": "x"} in reviewed
    assert {"resource": "namespaces", "verb": "create"} in reviewed


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        pytest.param(Permission("", "namespaces", "create"), "create namespaces", id="core"),
        pytest.param(Permission("apps", "deployments", "get", "a", "x"), "get deployments.apps x in a", id="all"),
    ],
)
def test_permissions_are_readable(permission, text):
    assert str(permission) == text


def test_the_shipped_roles_name_every_verb_and_resource():
    """With a wildcard the test against the audit log, and the list that preflight returns, would be worthless."""
    permissions = granted_permissions(SHIPPED, {})
    assert permissions
    # Teardown has to see objects of every kind; nothing else has a star, and this one is for lists.
    starred = [permission for permission in permissions if "*" in (permission.group, permission.resource, permission.verb)]
    assert starred == [Permission("*", "*", "list")]


def test_the_shipped_roles_allow_commands_in_pods_only_where_the_generator_is():
    namespaces = {"generator": "here", "mlflow": "there"}
    assert {permission.namespace for permission in granted_permissions(SHIPPED, namespaces) if permission.resource == "pods/exec"} == {"here"}


def test_every_shipped_role_has_its_annotations():
    roles = [item for item in SHIPPED if item["kind"] in ("Role", "ClusterRole")]
    assert [item["metadata"]["name"] for item in roles if PART not in item["metadata"]["annotations"]] == []
    assert [item["metadata"]["name"] for item in roles if item["kind"] == "Role" and NAMESPACE_OF not in item["metadata"]["annotations"]] == []


def test_every_shipped_role_is_bound():
    bound = {(item["roleRef"]["kind"], item["roleRef"]["name"]) for item in SHIPPED if item["kind"].endswith("Binding")}
    assert {(item["kind"], item["metadata"]["name"]) for item in SHIPPED if item["kind"] in ("Role", "ClusterRole")} == bound
