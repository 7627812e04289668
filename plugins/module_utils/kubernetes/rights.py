# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rights on a cluster: those that a file of roles grants, those that somebody lacks, and those that an audit log shows in use.

The file with the roles (files/kubernetes/rbac.yml) is the only place that lists them: an administrator applies it, preflight asks for each of
its rules, and a test holds it against the audit log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import in_parallel

# What a role is needed for, and, of a role of one namespace, which of the user's namespaces it is.
PART = "perfscale.mlflow/part"
PLACE = "perfscale.mlflow/place"
# Verbs that are asked for on the way, when somebody writes a binding: no request of their own shows them.
_IMPLIED = ("bind", "escalate")
_BINDINGS = ("rolebindings", "clusterrolebindings")


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource; an empty namespace means all of them (or a resource that lives in none), an empty name all objects."""

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
        asked = {"group": self.group, "resource": resource, "subresource": subresource, "verb": self.verb, "namespace": self.namespace, "name": self.name}
        return {key: value for key, value in asked.items() if value}

    def covers(self, used: Right) -> bool:
        """Returns whether this right, once granted, allows what was used."""
        same = self.verb == used.verb and self.group in ("*", used.group) and self.resource in ("*", used.resource)
        return same and self.namespace in ("", used.namespace) and self.name in ("", used.name)


def granted(manifests: Iterable[Mapping[str, Any]], places: Mapping[str, str], parts: Iterable[str] | None = None) -> list[Right]:
    """Returns every right that the roles of `manifests` grant, each once.

    `places` gives the namespace for each value of the annotation that says where a Role belongs; a Role of a place that is not named keeps
    its own. With `parts` only the roles needed for these.
    """
    wanted = None if parts is None else set(parts)
    found: dict[Right, None] = {}
    for manifest in manifests:
        notes = manifest["metadata"].get("annotations") or {}
        if manifest["kind"] not in ("Role", "ClusterRole") or (wanted is not None and notes.get(PART) not in wanted):
            continue
        namespace = places.get(notes.get(PLACE, ""), manifest["metadata"].get("namespace", "")) if manifest["kind"] == "Role" else ""
        found.update(dict.fromkeys(right for rule in manifest.get("rules") or [] for right in _of_rule(rule, namespace)))
    return list(found)


def _of_rule(rule: Mapping[str, Any], namespace: str) -> list[Right]:
    return [
        Right(group, resource, verb, namespace, name)
        for group in rule.get("apiGroups") or []
        for resource in rule.get("resources") or []
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    ]


def lacking(cluster: Cluster, rights: list[Right], parallelism: int = 16, **options: Any) -> list[Right]:
    """Returns the rights that the user who is logged in does not have, asked for one by one, side by side (SelfSubjectAccessReview).

    `options` go to each request. Raises ClusterError.
    """

    def is_allowed(right: Right) -> bool:
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": right.review}}
        answer = cluster.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body, **options)
        return bool((answer.get("status") or {}).get("allowed"))

    return [right for right, allowed in zip(rights, in_parallel(is_allowed, rights, parallelism), strict=True) if not allowed]


def used(audit_lines: Iterable[str], user: str) -> set[Right]:
    """Returns what a user did and was allowed to do, from the API server's audit log (one JSON event a line, audit.k8s.io/v1).

    Discovery and reviews of one's own rights, which everybody has, are left out.
    """
    found = set()
    for line in audit_lines:
        event = json.loads(line)
        who = (event.get("impersonatedUser") or event.get("user") or {}).get("username")
        what = event.get("objectRef") or {}
        code = (event.get("responseStatus") or {}).get("code", 0)
        is_review = what.get("apiGroup") in ("authorization.k8s.io", "authentication.k8s.io")
        if who != user or not what.get("resource") or is_review or code in (401, 403) or event.get("stage") == "RequestReceived":
            continue
        resource = "/".join(part for part in (what["resource"], what.get("subresource")) if part)
        # A creation has its name in the body, where no rule looks.
        name = "" if event["verb"] == "create" and "subresource" not in what else what.get("name", "")
        namespace = "" if what["resource"] == "namespaces" else what.get("namespace", "")
        found.add(Right(what.get("apiGroup", ""), resource, event["verb"], namespace, name))
        if event["verb"] == "patch" and code == 201:  # server-side apply made it, which is a creation too
            found.add(Right(what.get("apiGroup", ""), resource, "create", namespace))
    return found


def compare(rights: Iterable[Right], uses: Iterable[Right]) -> dict[str, list[Right]]:
    """Returns {unused, uncovered}: rights that nothing used, and uses that no right covers.

    The right to bind a role counts as used when a binding was written.
    """
    rights, uses = list(rights), list(uses)
    binds = any(use.resource in _BINDINGS and use.verb in ("create", "patch", "update") for use in uses)
    return {
        "unused": sorted(right for right in rights if not (any(right.covers(use) for use in uses) or (right.verb in _IMPLIED and binds))),
        "uncovered": sorted(use for use in uses if not any(right.covers(use) for right in rights)),
    }
