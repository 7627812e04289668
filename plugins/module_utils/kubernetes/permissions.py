# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permissions on a cluster: those that the rules of an RBAC file grant, and those that a user lacks.

files/kubernetes/rbac.yml is the only place that lists them: an administrator applies it, preflight checks each of its rules, and a test compares
it with the audit log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster

# Annotations: the part of a run that needs a role, and, of a Role, which of the user's namespaces it belongs to.
PART = "perfscale.mlflow/part"
NAMESPACE_OF = "perfscale.mlflow/place"


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


def granted(manifests: Iterable[Mapping[str, Any]], namespaces: Mapping[str, str], parts: Iterable[str] | None = None) -> list[Permission]:
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


def missing(cluster: Cluster, permissions: list[Permission], parallelism: int = 16, **options: Any) -> list[Permission]:
    """Return the permissions that the current user lacks, each checked by a SelfSubjectAccessReview, concurrently.

    `options` go to each request. Raises ClusterError.
    """

    def is_allowed(permission: Permission) -> bool:
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": permission.review}}
        response = cluster.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body, **options)
        return bool((response.get("status") or {}).get("allowed"))

    return [permission for permission, allowed in zip(permissions, in_parallel(is_allowed, permissions, parallelism), strict=True) if not allowed]
