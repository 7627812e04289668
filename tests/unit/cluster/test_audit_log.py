# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.preflight import Permission
from audit_log import compare, used_permissions


def event(verb="get", resource="pods", user="me", code=200, stage="ResponseComplete", **ref):
    return json.dumps({"verb": verb, "stage": stage, "user": {"username": user}, "objectRef": {"resource": resource, **ref}, "responseStatus": {"code": code}})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(event(namespace="a", name="p"), {Permission("", "pods", "get", "a", "p")}, id="read"),
        pytest.param(event("create", namespace="a", name="p", code=201), {Permission("", "pods", "create", "a")}, id="creation"),
        pytest.param(event("get", subresource="exec", namespace="a", name="p", code=101), {Permission("", "pods/exec", "get", "a", "p")}, id="subresource"),
        pytest.param(
            event("create", "serviceaccounts", subresource="token", namespace="a", name="s"),
            {Permission("", "serviceaccounts/token", "create", "a", "s")},
            id="token",
        ),
        pytest.param(event("delete", "namespaces", namespace="t", name="t"), {Permission("", "namespaces", "delete", "", "t")}, id="namespace"),
        pytest.param(event("list", "deployments", apiGroup="apps", namespace="a"), {Permission("apps", "deployments", "list", "a")}, id="group"),
        pytest.param(event(user="other"), set(), id="another-user"),
        pytest.param(event("patch", code=201, name="p"), {Permission("", "pods", "patch", "", "p"), Permission("", "pods", "create")}, id="creation-by-apply"),
        pytest.param(event(code=403), set(), id="denied"),
        pytest.param(event(stage="RequestReceived"), set(), id="no-response-yet"),
        pytest.param(event("create", "selfsubjectaccessreviews", apiGroup="authorization.k8s.io"), set(), id="review"),
        pytest.param(json.dumps({"verb": "get", "requestURI": "/version", "user": {"username": "me"}}), set(), id="discovery"),
        pytest.param(
            json.dumps({**json.loads(event(user="admin")), "impersonatedUser": {"username": "me"}}), {Permission("", "pods", "get")}, id="impersonated"
        ),
    ],
)
def test_the_audit_log_shows_what_was_used(line, expected):
    assert used_permissions([line], "me") == expected


def test_compares_granted_with_used_permissions():
    granted_permissions = [
        Permission("", "pods", "get", "a"),
        Permission("", "pods", "list", "a"),
        Permission("rbac", "clusterroles", "bind", "", "x"),
        Permission("", "secrets", "get", "a", "s"),
    ]
    uses = [Permission("", "pods", "get", "a", "p"), Permission("", "pods", "get", "b", "p"), Permission("", "secrets", "get", "a", "other")]
    found = compare(granted_permissions, uses)
    assert found["unused"] == [granted_permissions[1], granted_permissions[3], granted_permissions[2]]
    assert found["uncovered"] == [uses[1], uses[2]]
    assert granted_permissions[2] not in compare(granted_permissions, [*uses, Permission("rbac", "rolebindings", "create", "t")])["unused"]


def test_a_star_covers_every_kind_and_no_other_verb():
    starred = [Permission("*", "*", "list")]
    assert compare(starred, [Permission("apps", "statefulsets", "list", "tenant-1")]) == {"unused": [], "uncovered": []}
    assert compare(starred, [Permission("apps", "statefulsets", "get", "tenant-1")])["uncovered"] == [Permission("apps", "statefulsets", "get", "tenant-1")]
