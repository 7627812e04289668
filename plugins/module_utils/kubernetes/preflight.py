# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in a cluster that would stop a run, found before anything is created: one sentence each, with the remedy. Nothing is changed.

files/kubernetes/rbac.yml is the only place that lists the permissions of a run: an administrator applies it, its rules are checked here, and a test
compares it with the audit log.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.lease import NAME, leases_path, renewed
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tokens import request_token

try:
    from packaging.version import Version
except ImportError:  # the module reports it with missing_required_lib
    PACKAGING_ERROR: str | None = traceback.format_exc()
else:
    PACKAGING_ERROR = None

# Few attempts and short timeouts: a slow cluster is a finding, and all checks together have to end within half a minute.
BRIEFLY: dict[str, Any] = {"attempts": 2, "timeout_s": 5.0}
# Distributions append text of their own, such as +k3s1.
_VERSION = re.compile(r"v?(\d+\.\d+)")
IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"
# Annotations: the part of a run that needs a role, and, of a Role, which of the user's namespaces it belongs to.
PART = "perfscale.mlflow/part"
NAMESPACE_OF = "perfscale.mlflow/place"


def cluster_facts(cluster: Cluster) -> dict[str, Any]:
    """Return {version, user, clock_offset_s}: the offset is the API server's clock minus ours. Raises ClusterError without a response or access."""
    started = time.time()
    server = cluster.server_time(**BRIEFLY)
    local = (started + time.time()) / 2
    version = cluster.request("GET", "/version", **BRIEFLY).get("gitVersion") or "unknown"
    return {"version": version, "user": _user_name(cluster), "clock_offset_s": None if server is None else round(server - local, 1)}


def _user_name(cluster: Cluster) -> str:
    """Return the name of the current user; the request fails without a valid login."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        response = cluster.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=body, **BRIEFLY)
    except ClusterError as error:
        if error.status == 404:  # older than Kubernetes 1.28
            return "the user of the kubeconfig"
        raise
    return ((response.get("status") or {}).get("userInfo") or {}).get("username") or "the user of the kubeconfig"


def version_problems(version: str, oldest: str) -> list[str]:
    """Check that a version such as v1.34.4+k3s1 is at least `oldest`, such as 1.28."""
    found = _VERSION.match(version)
    if not oldest or not found or Version(found[1]) >= Version(oldest):
        return []
    return [f"Kubernetes {version}: older than {oldest}. Upgrade the cluster, or set preflight_kubernetes_version to try it."]


def clock_problems(offset_s: float | None, limit_s: float) -> list[str]:
    """Check that the clocks of this machine and the API server differ by at most a limit, in seconds."""
    if offset_s is None or abs(offset_s) <= limit_s:
        return []
    ahead = "ahead of" if offset_s > 0 else "behind"
    return [f"Clock of the cluster: {abs(offset_s):g} s {ahead} this machine's (at most {limit_s:g} s). Synchronise both with NTP."]


def crd_problems(cluster: Cluster, required: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the CRDs that are missing, not served in the required version, or without a required field.

    Each of `required` has name (plural.group), version, fields (dotted paths) and remedy (a sentence). Raises ClusterError.
    """
    return [sentence for crd in required for sentence in _crd_problems(cluster, crd)]


def _crd_problems(cluster: Cluster, crd: Mapping[str, Any]) -> list[str]:
    name, remedy = crd["name"], crd["remedy"]
    found = cluster.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", **BRIEFLY)
    if found is None:
        return [f"CRD {name}: not installed. {remedy}"]
    served = {version["name"]: version for version in found["spec"]["versions"] if version.get("served")}
    if crd["version"] not in served:
        return [f"CRD {name}: serves {', '.join(served) or 'no version'}, not {crd['version']}. {remedy}"]
    schema = (served[crd["version"]].get("schema") or {}).get("openAPIV3Schema") or {}
    absent = [field for field in crd.get("fields") or [] if not _has(schema, field.split("."))]
    return [f"CRD {name} {crd['version']}: missing field{'s' if len(absent) > 1 else ''} {', '.join(absent)}. {remedy}"] if absent else []


def _has(schema: Mapping[str, Any], path: list[str]) -> bool:
    """Return whether a structural schema has a field; unknown fields that it preserves count as present."""
    for part in path:
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            return True
        schema = schema.get("items", schema)
        if part not in (schema.get("properties") or {}):
            return False
        schema = schema["properties"][part]
    return True


@dataclass(frozen=True, order=True)
class Permission:
    """One verb on one resource; an empty namespace means all of them (or a cluster-scoped resource), an empty name all objects."""

    group: str
    resource: str
    verb: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {resource}{f' {self.name}' if self.name else ''}{f' in {self.namespace}' if self.namespace else ''}"

    @property
    def review(self) -> dict[str, str]:
        """The resource attributes of an access review (authorization.k8s.io/v1)."""
        resource, _slash, subresource = self.resource.partition("/")
        attributes = {"group": self.group, "resource": resource, "subresource": subresource, "verb": self.verb, "namespace": self.namespace, "name": self.name}
        return {key: value for key, value in attributes.items() if value}


def granted_permissions(manifests: Iterable[Mapping[str, Any]], namespaces: Mapping[str, str], parts: Iterable[str] | None = None) -> list[Permission]:
    """Return every permission that the roles of `manifests` grant, each once.

    `namespaces` gives the namespace for each value of the annotation that assigns a Role to one; a Role without such an entry keeps its own.
    With `parts` only the roles needed for these.
    """
    wanted = None if parts is None else set(parts)
    found: dict[Permission, None] = {}
    for manifest in manifests:
        notes = manifest["metadata"].get("annotations") or {}
        if manifest["kind"] not in ("Role", "ClusterRole") or (wanted is not None and notes.get(PART) not in wanted):
            continue
        namespace = namespaces.get(notes.get(NAMESPACE_OF, ""), manifest["metadata"].get("namespace", "")) if manifest["kind"] == "Role" else ""
        found.update(dict.fromkeys(permission for rule in manifest.get("rules") or [] for permission in _of_rule(rule, namespace)))
    return list(found)


def _of_rule(rule: Mapping[str, Any], namespace: str) -> list[Permission]:
    return [
        Permission(group, resource, verb, namespace, name)
        for group in rule.get("apiGroups") or []
        for resource in rule.get("resources") or []
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    ]


def missing_permissions(cluster: Cluster, permissions: list[Permission], parallelism: int = 16, **options: Any) -> list[Permission]:
    """Return the permissions that the current user lacks, each checked by a SelfSubjectAccessReview, concurrently.

    `options` go to each request. Raises ClusterError.
    """

    def is_allowed(permission: Permission) -> bool:
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": permission.review}}
        response = cluster.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body, **options)
        return bool((response.get("status") or {}).get("allowed"))

    return [permission for permission, allowed in zip(permissions, in_parallel(is_allowed, permissions, parallelism), strict=True) if not allowed]


def permission_problems(cluster: Cluster, user: str, permissions: list[Permission], remedy: str, parallelism: int = 16) -> list[str]:
    """Return one sentence with all permissions that the user lacks. Raises ClusterError."""
    lacking = missing_permissions(cluster, permissions, parallelism, **BRIEFLY)
    if not lacking:
        return []
    return [f"Permissions of {user}: {len(lacking)} of {len(permissions)} missing ({', '.join(map(str, lacking))}). {remedy}"]


def storage_problems(cluster: Cluster, name: str | None) -> list[str]:
    """Check that a storage class exists, or with an empty name a default one; None requires none. Raises ClusterError."""
    if name is None:
        return []
    found = cluster.request("GET", "/apis/storage.k8s.io/v1/storageclasses", **BRIEFLY).get("items") or []
    names = [item["metadata"]["name"] for item in found]
    if name and name not in names:
        return [f"Storage class {name}: does not exist. Allowed: {', '.join(names) or 'none exists'}."]
    if not name and not any((item["metadata"].get("annotations") or {}).get(IS_DEFAULT) == "true" for item in found):
        return [f"Storage class: no default. Mark one as the default, or set one of: {', '.join(names) or 'none exists'}."]
    return []


def pull_secret_problems(cluster: Cluster, secrets: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the image pull secrets ({namespace, name}) that do not exist or are of the wrong type. Raises ClusterError."""
    problems = []
    for secret in secrets:
        subject = f"Image pull secret {secret['namespace']}/{secret['name']}"
        found = cluster.get(f"/api/v1/namespaces/{secret['namespace']}/secrets/{secret['name']}", **BRIEFLY)
        if found is None:
            problems.append(f"{subject}: does not exist. Create it (kubectl create secret docker-registry), or leave it out.")
        elif found.get("type") not in ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"):
            problems.append(f"{subject}: type {found.get('type')}. Create one of type kubernetes.io/dockerconfigjson.")
    return problems


def token_problems(cluster: Cluster, namespace: str, names: Iterable[str], seconds: int) -> list[str]:
    """Check that the API server grants a token of `seconds`, by requesting one for the first service account that exists.

    The token is discarded. Without an existing account nothing is checked here, and a problem shows during the run.
    """
    for name in names:
        try:
            request_token(cluster, namespace, name, seconds)
        except ClusterError as error:
            if error.status == 404:
                continue
            return [str(error)]
        return []
    return []


def lease_problems(cluster: Cluster, namespace: str, run_id: str) -> list[str]:
    """Check that no other run holds the cluster; an empty `run_id` is a run without an id yet. Raises ClusterError."""
    found = cluster.get(f"{leases_path(namespace)}/{NAME}", **BRIEFLY)
    now = cluster.server_time(**BRIEFLY) or time.time()
    try:
        renewed(found, namespace, NAME, run_id, 1, now)
    except ClusterError as error:
        return [str(error)]
    return []


def problems_of(checks: Iterable[Callable[[], list[str]]], permissions: Callable[[], list[str]]) -> list[str]:
    """Return the problems of all checks, those of `permissions` first; a check that is forbidden then adds nothing, since its cause is listed."""
    lacking, _is_forbidden = _sentences(permissions)
    found = list(lacking)
    for check in checks:
        sentences, is_forbidden = _sentences(check)
        found += [] if is_forbidden and lacking else sentences
    return found


def _sentences(check: Callable[[], list[str]]) -> tuple[list[str], bool]:
    """Return the problems of a check and whether it was forbidden; an error is a problem too."""
    try:
        return check(), False
    except ClusterError as error:
        return [str(error)], error.status == 403
