# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permissions that a user used, according to the API server's audit log, compared with those that were granted."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.preflight import Permission

# Verbs that the API server checks when a binding is written: they appear in no request of their own.
_IMPLIED = ("bind", "escalate")
_BINDINGS = ("rolebindings", "clusterrolebindings")


def used_permissions(audit_lines: Iterable[str], user: str) -> set[Permission]:
    """Return what a user did and was allowed to do, from an audit log (one JSON event a line, audit.k8s.io/v1).

    Discovery and reviews of one's own permissions, which every user has, are left out.
    """
    found = set()
    for line in audit_lines:
        event = json.loads(line)
        name_of_user = (event.get("impersonatedUser") or event.get("user") or {}).get("username")
        what = event.get("objectRef") or {}
        code = (event.get("responseStatus") or {}).get("code", 0)
        is_review = what.get("apiGroup") in ("authorization.k8s.io", "authentication.k8s.io")
        if name_of_user != user or not what.get("resource") or is_review or code in (401, 403) or event.get("stage") == "RequestReceived":
            continue
        resource = "/".join(part for part in (what["resource"], what.get("subresource")) if part)
        # A creation has its name in the body, where no rule applies.
        name = "" if event["verb"] == "create" and "subresource" not in what else what.get("name", "")
        namespace = "" if what["resource"] == "namespaces" else what.get("namespace", "")
        found.add(Permission(what.get("apiGroup", ""), resource, event["verb"], namespace, name))
        if event["verb"] == "patch" and code == 201:  # created by server-side apply, which needs the verb create too
            found.add(Permission(what.get("apiGroup", ""), resource, "create", namespace))
    return found


def compare(granted: Iterable[Permission], used: Iterable[Permission]) -> dict[str, list[Permission]]:
    """Return {unused, uncovered}: permissions that nothing used, and uses that no permission covers.

    The permission to bind a role counts as used when a binding was written.
    """
    granted, used = list(granted), list(used)
    binds = any(use.resource in _BINDINGS and use.verb in ("create", "patch", "update") for use in used)
    return {
        "unused": sorted(each for each in granted if not (any(_covers(each, use) for use in used) or (each.verb in _IMPLIED and binds))),
        "uncovered": sorted(use for use in used if not any(_covers(each, use) for each in granted)),
    }


def _covers(granted: Permission, use: Permission) -> bool:
    same = granted.verb == use.verb and granted.group in ("*", use.group) and granted.resource in ("*", use.resource)
    return same and granted.namespace in ("", use.namespace) and granted.name in ("", use.name)
