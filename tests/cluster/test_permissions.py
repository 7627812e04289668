# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped roles on a real API server: with them preflight finds nothing, without one of their rules it names what is missing."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.lease import acquire, release
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.preflight import (
    PART,
    Permission,
    cluster_facts,
    granted_permissions,
    missing_permissions,
    permission_problems,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.teardown import tear_down
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenants import ensure_tenants
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tokens import request_token
from audit_log import compare, used_permissions
from tenants.accounts import PARALLELISM, RBAC, Own, apply, log_in, own_names, until

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "files" / "kubernetes" / "rbac.yml"
CONTROLLER = "perfscale-mlflow-controller"
SHIPPED = [item for item in yaml.safe_load(FILE.read_text(encoding="utf-8"))["items"] if item["kind"] != "Namespace"]
PLURALS = {"Role": "roles", "ClusterRole": "clusterroles", "RoleBinding": "rolebindings", "ClusterRoleBinding": "clusterrolebindings"}


@pytest.fixture
def own(cluster: Cluster, namespace: str) -> Iterator[Own]:
    with own_names(cluster, namespace) as names:
        yield names


class Granted:
    """The shipped roles, given to the account of the controller in a namespace of the test's own, under names of its own."""

    def __init__(self, cluster: Cluster, namespace: str, role: str, without: Permission | None = None) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.permissions = granted_permissions(SHIPPED, {"generator": namespace, "mlflow": namespace})
        cluster.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": CONTROLLER}})
        self.paths = [self._create(copy.deepcopy(manifest), role, without) for manifest in SHIPPED if manifest["kind"] in PLURALS]
        self.user = log_in(cluster, namespace, CONTROLLER, Path())

    def _create(self, manifest: dict[str, Any], role: str, without: Permission | None) -> str:
        metadata = manifest["metadata"]
        metadata["name"] = f"{self.namespace}-{metadata['name']}"
        place = ""
        if "namespace" in metadata:
            metadata["namespace"] = self.namespace
            place = f"/namespaces/{self.namespace}"
        if "roleRef" in manifest:
            manifest["roleRef"]["name"] = f"{self.namespace}-{manifest['roleRef']['name']}"
            manifest["subjects"] = [{"kind": "ServiceAccount", "name": CONTROLLER, "namespace": self.namespace}]
        for rule in manifest.get("rules") or []:
            rule["resourceNames"] = [role if name.endswith("-integration") else name for name in rule.get("resourceNames") or []]
            if without and without.group in rule["apiGroups"] and without.resource in rule["resources"]:
                rule["verbs"] = [verb for verb in rule["verbs"] if verb != without.verb] or ["proxy"]
        path = f"{RBAC}{place}/{PLURALS[manifest['kind']]}/{metadata['name']}"
        apply(self.cluster, path, manifest)
        return path

    def remove(self) -> None:
        """Delete the roles."""
        for path in reversed(self.paths):
            self.cluster.request("DELETE", path)


def test_with_the_shipped_roles_nothing_is_missing(cluster: Cluster, own: Own) -> None:
    given = Granted(cluster, own.home, own.role)
    try:
        asked = [permission for permission in given.permissions if permission.verb != "bind"]
        # The authorizer sees new roles a moment later.
        assert until("the roles count", lambda: not missing_permissions(given.user, asked, PARALLELISM), 20)
        assert permission_problems(given.user, cluster_facts(given.user)["user"], asked, "Ask.", PARALLELISM) == []
    finally:
        given.remove()


@pytest.mark.parametrize(
    "without",
    [Permission("", "namespaces", "delete"), Permission("", "pods/exec", "get"), Permission("coordination.k8s.io", "leases", "update")],
    ids=["cluster-wide", "subresource", "one-namespace"],
)
def test_one_rule_less_is_named(cluster: Cluster, own: Own, without: Permission) -> None:
    given = Granted(cluster, own.home, own.role, without)
    try:
        removed = (without.group, without.resource, without.verb)
        lacking = [permission for permission in given.permissions if (permission.group, permission.resource, permission.verb) == removed]
        requested = [permission for permission in given.permissions if permission.verb != "bind"]
        assert until("the other roles to take effect", lambda: missing_permissions(given.user, requested, PARALLELISM) == lacking, 20)
        problems = permission_problems(given.user, "me", requested, "Ask.", PARALLELISM)
        assert problems == [f"Permissions of me: {len(lacking)} of {len(requested)} missing ({', '.join(map(str, lacking))}). Ask."]
    finally:
        given.remove()


def test_a_user_without_permissions_gets_one_sentence(cluster: Cluster, own: Own, kubeconfig: str) -> None:
    user = log_in(cluster, own.home, "load", Path())
    arguments = {"host": user.host, "ca_cert": user.configuration.ssl_ca_cert, "rbac_file": str(FILE), "storage_class": ""}
    command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", "perfscale.mlflow.cluster_preflight_info", "-a", json.dumps(arguments)]
    # A token does not belong in an argument list: the module reads it from the environment of its own process, as kubernetes.core does.
    token = user.configuration.api_key["authorization"].removeprefix("Bearer ")
    output = subprocess.run(
        [*command, "-o"],
        cwd=ROOT,
        env={"PATH": str(Path(sys.executable).parent), "HOME": str(Path.home()), "K8S_AUTH_API_KEY": token, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    ).stdout
    answer = json.loads(output.split("=>", 1)[1])
    assert len(answer["problems"]) == 1
    assert answer["problems"][0].startswith(f"Permissions of system:serviceaccount:{own.home}:load: ")


def test_tenants_tokens_and_lease_use_exactly_their_permissions(cluster: Cluster, own: Own, node: Any) -> None:
    """Compare with the audit log, as for the whole suite."""
    given = Granted(cluster, own.home, own.role)
    try:
        parts = ("tenants", "tenant_accounts", "teardown")
        wanted = granted_permissions(SHIPPED, {}, parts)
        requested = [permission for permission in wanted if permission.verb != "bind"]
        until("the roles count", lambda: not missing_permissions(given.user, requested, PARALLELISM), 20)
        ensure_tenants(given.user, own.spec(3, own="load"), PARALLELISM)
        ensure_tenants(given.user, own.spec(1, shared=(own.home, "other")), PARALLELISM)
        ensure_tenants(given.user, own.spec(1, roles=()), PARALLELISM)
        request_token(given.user, f"{own.prefix}2", "load", 600)
        acquire(given.user, own.home, own.run_id, 60)
        acquire(given.user, own.home, own.run_id, 60)
        release(given.user, own.home, own.run_id)
        tear_down(given.user, own.run_id, [], kinds=["Namespace"], selector=own.selector, parallelism=PARALLELISM)
    finally:
        given.remove()
    user = f"system:serviceaccount:{own.home}:{CONTROLLER}"
    uses = until("the audit log is written", lambda: used_permissions(node.audit_log.read_text(encoding="utf-8").splitlines(), user), 20)
    found = compare(wanted, uses)
    # Preparing a playbook requests one namespace by name; these functions list them.
    assert [str(right) for right in found["unused"]] == ["get namespaces"]
    assert {(use.group, use.resource) for use in found["uncovered"]} == {("coordination.k8s.io", "leases")}


def test_every_part_is_known_to_preflight() -> None:
    spec = (ROOT / "roles" / "preflight" / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    parts = {manifest["metadata"]["annotations"][PART] for manifest in SHIPPED if manifest["kind"] in ("Role", "ClusterRole")}
    assert [part for part in sorted(parts) if f"C({part})" not in spec] == []
