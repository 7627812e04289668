# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tenants are made of on a cluster, and what is missing of it: pure functions over manifests as the API server lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership

RBAC = "rbac.authorization.k8s.io"
# By this label MLflow tells the tenants of the level at hand from other namespaces (spec.workspaceLabelSelector of its CR).
SELECTOR = {"perfscale.mlflow/tenant": "true"}
OUR_PREFIX = "perfscale.mlflow/"
# Which run put the selector label on a namespace that is not ours; teardown takes it off again.
ADOPTED_BY = "perfscale.mlflow/adopted-by"
BINDING_PREFIX = "perfscale-mlflow-"


@dataclass(frozen=True)
class TenantSpec:
    """The wanted tenants: their names, the run that makes them, the label that selects them, and who may do what in each.

    `shared` is a service account (namespace, name) for all of them, `own` the name of one in each; both may be there. `roles` are ClusterRoles.
    """

    names: list[str]
    run_id: str
    selector: Mapping[str, str] = field(default_factory=lambda: dict(SELECTOR))
    roles: tuple[str, ...] = ()
    shared: tuple[str, str] | None = None
    own: str | None = None

    def subjects(self, tenant: str) -> list[dict[str, str]]:
        """Returns the subjects of the bindings in a tenant."""
        accounts = [self.shared] if self.shared else []
        accounts += [(tenant, self.own)] if self.own else []
        return [{"kind": "ServiceAccount", "name": name, "namespace": namespace} for namespace, name in accounts]

    def bindings(self, tenant: str) -> dict[str, dict[str, Any]]:
        """Returns the RoleBindings of a tenant by name."""
        if not self.subjects(tenant):
            return {}
        return {
            BINDING_PREFIX + role: {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": BINDING_PREFIX + role, "namespace": tenant, "labels": ownership.labels(self.run_id)},
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
                "subjects": self.subjects(tenant),
            }
            for role in self.roles
        }

    def namespace(self, tenant: str) -> dict[str, Any]:
        """Returns the Namespace of a tenant."""
        labels = {**ownership.labels(self.run_id), **self.selector}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": tenant, "labels": labels}}

    def account(self, tenant: str) -> dict[str, Any]:
        """Returns the service account of a tenant."""
        metadata = {"name": self.own, "namespace": tenant, "labels": ownership.labels(self.run_id)}
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


@dataclass(frozen=True)
class Found:
    """What the cluster has: namespaces by name; RoleBindings and service accounts of ours by (namespace, name)."""

    namespaces: dict[str, dict[str, Any]]
    bindings: dict[tuple[str, str], dict[str, Any]]
    accounts: dict[tuple[str, str], dict[str, Any]]


@dataclass
class Steps:
    """What has to be done, in this order. Values of `label` and `rebind` are merge patches."""

    create: list[str] = field(default_factory=list)
    label: dict[str, dict[str, Any]] = field(default_factory=dict)
    accounts: list[str] = field(default_factory=list)
    bind: list[dict[str, Any]] = field(default_factory=list)
    rebind: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    unbind: list[tuple[str, str]] = field(default_factory=list)
    unselect: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any((self.create, self.label, self.accounts, self.bind, self.rebind, self.unbind, self.unselect))


def labels_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Returns the labels of an object."""
    return manifest["metadata"].get("labels") or {}


def is_selected(manifest: Mapping[str, Any], selector: Mapping[str, str]) -> bool:
    """Returns whether an object carries the whole selector."""
    return all(labels_of(manifest).get(key) == value for key, value in selector.items())


def terminating(found: Found, names: Iterable[str]) -> list[str]:
    """Returns those of the named namespaces that are being deleted."""
    return [name for name in names if name in found.namespaces and found.namespaces[name]["metadata"].get("deletionTimestamp")]


def without(found: Found, names: Iterable[str]) -> Found:
    """Returns what was found as if some namespaces and all in them were gone."""
    gone = set(names)
    return Found(
        {name: item for name, item in found.namespaces.items() if name not in gone},
        {place: item for place, item in found.bindings.items() if place[0] not in gone},
        {place: item for place, item in found.accounts.items() if place[0] not in gone},
    )


def foreign(found: Found, spec: TenantSpec) -> list[str]:
    """Returns the wanted namespaces that exist, are not ours and were not adopted before."""
    existing = [name for name in spec.names if name in found.namespaces]
    return [name for name in existing if not _is_usable(found.namespaces[name])]


def _is_usable(manifest: Mapping[str, Any]) -> bool:
    return ownership.is_ours(manifest) or ADOPTED_BY in (manifest["metadata"].get("annotations") or {})


def plan(found: Found, spec: TenantSpec) -> Steps:
    """Returns what is missing. Namespaces that are not ours are adopted: whoever wants that refused asks `foreign` first.

    Other tenants of ours lose the selector label and keep everything else; so do adopted ones. What somebody else labelled stays.
    """
    steps = Steps()
    wanted = set(spec.names)
    for tenant in spec.names:
        namespace = found.namespaces.get(tenant)
        if namespace is None:
            steps.create.append(tenant)
        elif not is_selected(namespace, spec.selector):
            steps.label[tenant] = _selecting(namespace, spec)
        if spec.own and (tenant, spec.own) not in found.accounts:
            steps.accounts.append(tenant)
        _plan_bindings(steps, found, spec, tenant)
    # Without accounts nobody is bound here, and the bindings of earlier runs are nobody's business.
    has_accounts = bool(spec.shared or spec.own)
    ours = [key for key in found.bindings if has_accounts and key[0] in wanted and key[1].startswith(BINDING_PREFIX)]
    steps.unbind = [key for key in ours if key[1] not in spec.bindings(key[0])]
    steps.unselect = [
        name for name, namespace in found.namespaces.items() if name not in wanted and is_selected(namespace, spec.selector) and _may_unselect(namespace)
    ]
    return steps


def _selecting(namespace: Mapping[str, Any], spec: TenantSpec) -> dict[str, Any]:
    adopts = not _is_usable(namespace)
    return {"metadata": {"labels": dict(spec.selector), **({"annotations": {ADOPTED_BY: spec.run_id}} if adopts else {})}}


def _may_unselect(namespace: Mapping[str, Any]) -> bool:
    return _is_usable(namespace) and not namespace["metadata"].get("deletionTimestamp")


def _plan_bindings(steps: Steps, found: Found, spec: TenantSpec, tenant: str) -> None:
    for name, binding in spec.bindings(tenant).items():
        existing = found.bindings.get((tenant, name))
        if existing is None:
            steps.bind.append(binding)
        elif _subjects(existing) != _subjects(binding):
            steps.rebind.append((tenant, name, {"subjects": binding["subjects"]}))


def _subjects(binding: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Returns the subjects without what the API server adds."""
    return sorted((subject["kind"], subject.get("namespace", ""), subject["name"]) for subject in binding.get("subjects") or [])


def unselecting(selector: Mapping[str, str]) -> dict[str, Any]:
    """Returns the merge patch that takes the selector label and the mark of adoption off a namespace."""
    return {"metadata": {"labels": dict.fromkeys(selector), "annotations": {ADOPTED_BY: None}}}
