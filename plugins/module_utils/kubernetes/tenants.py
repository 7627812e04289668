# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of tenants as namespaces: listed once, compared, and only what is missing created, concurrently."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import MERGE_PATCH, Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import object_name
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import deletion_blocker
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import check_names, few

RBAC = "rbac.authorization.k8s.io"
# By this label MLflow selects the tenants of the current level among all namespaces (spec.workspaceLabelSelector of its CR).
SELECTOR = {"perfscale.mlflow/tenant": "true"}
OUR_PREFIX = "perfscale.mlflow/"
# Which run put the selector label on an unmanaged namespace; teardown removes it again.
ADOPTED_BY = "perfscale.mlflow/adopted-by"
BINDING_PREFIX = "perfscale-mlflow-"
NAMESPACES = "/api/v1/namespaces"
ACCOUNTS = "/api/v1/serviceaccounts"
BINDINGS = f"/apis/{RBAC}/v1/rolebindings"
PARALLELISM_MAX = 32
_POLL_S = 0.5


@dataclass(frozen=True)
class TenantSpec:
    """The requested tenants: their names, the run that creates them, the label that selects them, and the roles bound in each.

    `shared` is a service account (namespace, name) for all of them, `own` the name of one in each; both are allowed. `roles` are ClusterRoles.
    """

    names: list[str]
    run_id: str
    selector: Mapping[str, str] = field(default_factory=lambda: dict(SELECTOR))
    roles: tuple[str, ...] = ()
    shared: tuple[str, str] | None = None
    own: str | None = None

    def subjects(self, tenant: str) -> list[dict[str, str]]:
        """Return the subjects of the bindings in a tenant."""
        accounts = [self.shared] if self.shared else []
        accounts += [(tenant, self.own)] if self.own else []
        return [{"kind": "ServiceAccount", "name": name, "namespace": namespace} for namespace, name in accounts]

    def bindings(self, tenant: str) -> dict[str, dict[str, Any]]:
        """Return the RoleBindings of a tenant by name."""
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
        """Return the Namespace of a tenant."""
        labels = {**ownership.labels(self.run_id), **self.selector}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": tenant, "labels": labels}}

    def account(self, tenant: str) -> dict[str, Any]:
        """Return the service account of a tenant."""
        metadata = {"name": self.own, "namespace": tenant, "labels": ownership.labels(self.run_id)}
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


@dataclass(frozen=True)
class Found:
    """The observed namespaces by name; RoleBindings and service accounts of ours by (namespace, name)."""

    namespaces: dict[str, dict[str, Any]]
    bindings: dict[tuple[str, str], dict[str, Any]]
    accounts: dict[tuple[str, str], dict[str, Any]]


@dataclass
class Steps:
    """The missing changes, in this order. Values of `label` and `rebind` are merge patches."""

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
    """Return the labels of an object."""
    return manifest["metadata"].get("labels") or {}


def is_selected(manifest: Mapping[str, Any], selector: Mapping[str, str]) -> bool:
    """Return whether an object carries the whole selector."""
    return all(labels_of(manifest).get(key) == value for key, value in selector.items())


def terminating(found: Found, names: Iterable[str]) -> list[str]:
    """Return those of the named namespaces that are being deleted."""
    return [name for name in names if name in found.namespaces and found.namespaces[name]["metadata"].get("deletionTimestamp")]


def without(found: Found, names: Iterable[str]) -> Found:
    """Return the observed state without some namespaces and all in them."""
    gone = set(names)
    return Found(
        {name: item for name, item in found.namespaces.items() if name not in gone},
        {key: item for key, item in found.bindings.items() if key[0] not in gone},
        {key: item for key, item in found.accounts.items() if key[0] not in gone},
    )


def unmanaged(found: Found, spec: TenantSpec) -> list[str]:
    """Return the requested namespaces that exist, are unmanaged and were not adopted before."""
    existing = [name for name in spec.names if name in found.namespaces]
    return [name for name in existing if not _is_usable(found.namespaces[name])]


def _is_usable(manifest: Mapping[str, Any]) -> bool:
    return ownership.is_ours(manifest) or ADOPTED_BY in (manifest["metadata"].get("annotations") or {})


def plan(found: Found, spec: TenantSpec) -> Steps:
    """Return the missing changes. Unmanaged namespaces are adopted: a caller that does not allow it checks `unmanaged` first.

    Other tenants of ours lose the selector label and keep everything else; so do adopted ones. A label that others set stays.
    """
    steps = Steps()
    wanted = set(spec.names)
    for tenant in spec.names:
        namespace = found.namespaces.get(tenant)
        if namespace is None:
            steps.create.append(tenant)
        elif not is_selected(namespace, spec.selector):
            steps.label[tenant] = _selecting_patch(namespace, spec)
        if spec.own and (tenant, spec.own) not in found.accounts:
            steps.accounts.append(tenant)
        _plan_bindings(steps, found, spec, tenant)
    # Without accounts nothing is bound here, and the bindings of earlier runs stay.
    has_accounts = bool(spec.shared or spec.own)
    ours = [key for key in found.bindings if has_accounts and key[0] in wanted and key[1].startswith(BINDING_PREFIX)]
    steps.unbind = [key for key in ours if key[1] not in spec.bindings(key[0])]
    steps.unselect = [
        name for name, namespace in found.namespaces.items() if name not in wanted and is_selected(namespace, spec.selector) and _may_unselect(namespace)
    ]
    return steps


def _selecting_patch(namespace: Mapping[str, Any], spec: TenantSpec) -> dict[str, Any]:
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
    """Return the subjects without the fields that the API server adds."""
    return sorted((subject["kind"], subject.get("namespace", ""), subject["name"]) for subject in binding.get("subjects") or [])


def unselecting_patch(selector: Mapping[str, str]) -> dict[str, Any]:
    """Return the merge patch that removes the selector label and the adoption annotation from a namespace."""
    return {"metadata": {"labels": dict.fromkeys(selector), "annotations": {ADOPTED_BY: None}}}


def check_parallelism(parallelism: int) -> None:
    """Raise ClusterError unless so many concurrent requests are allowed."""
    if not 1 <= parallelism <= PARALLELISM_MAX:
        raise ClusterError(f"Option parallelism {parallelism}: out of range. Allowed: 1 to {PARALLELISM_MAX}.")


def accounts_path(namespace: str) -> str:
    """Return the path of a namespace's service accounts."""
    return f"{NAMESPACES}/{namespace}/serviceaccounts"


def bindings_path(namespace: str) -> str:
    """Return the path of a namespace's RoleBindings."""
    return f"/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings"


def read(cluster: Cluster, spec: TenantSpec) -> Found:
    """Return the observed state, by a few requests whatever the number of tenants.

    All namespaces are listed only when a requested one is not among ours and the selected. Raises ClusterError.
    """
    selector = ",".join(f"{key}={value}" for key, value in spec.selector.items())
    lists = [(NAMESPACES, ownership.selector()), (NAMESPACES, selector), (BINDINGS, ownership.selector())]
    lists += [(ACCOUNTS, ownership.selector())] if spec.own else []
    ours, selected, bindings, *accounts = in_parallel(lambda arguments: cluster.items(*arguments), lists, len(lists))
    namespaces = {item["metadata"]["name"]: item for item in ours + selected}
    if any(name not in namespaces for name in spec.names):
        namespaces = {item["metadata"]["name"]: item for item in cluster.items(NAMESPACES)}
    return Found(namespaces, _by_key(bindings), _by_key(accounts[0] if accounts else []))


def _by_key(items: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in items}


def ensure_tenants(
    cluster: Cluster, spec: TenantSpec, parallelism: int = 16, timeout_s: float = 300.0, adopt: bool = False, check_mode: bool = False
) -> dict[str, Any]:
    """Create the requested tenants with their bindings, and remove the selector label from the others of ours.

    Returns {requested, created[], existing[], extra[], ready, selected[], unselected[], accounts, bindings, seconds}: `extra` are namespaces
    that others selected, `selected` existing ones that got the label, `accounts` and `bindings` how many were created or changed.
    With `check_mode` nothing is changed. Namespaces that are being deleted are waited for, at most `timeout_s`.
    Raises ClusterError, and MlflowError for a name that MLflow would not accept.
    """
    started = time.monotonic()
    check_names(spec.names)
    before = read(cluster, spec)
    found = without(before, terminating(before, spec.names)) if check_mode else _wait_deleted(cluster, spec, before, started + timeout_s, timeout_s)
    conflicting = unmanaged(found, spec)
    if conflicting and not adopt:
        raise ClusterError(
            f"Namespace {few(conflicting)}: exists and is not managed by this collection. "
            "Choose another prefix, delete it, or adopt it (adopt: true, role variable workspaces_adopt)."
        )
    steps = plan(found, spec)
    if not check_mode:
        apply(cluster, spec, steps, parallelism)
    wanted, unselected = set(spec.names), set(steps.unselect)
    selected = [name for name, namespace in found.namespaces.items() if is_selected(namespace, spec.selector)]
    return {
        "requested": len(spec.names),
        "created": steps.create,
        "existing": [name for name in spec.names if name in found.namespaces],
        "extra": sorted(name for name in selected if name not in wanted and name not in unselected),
        "ready": not (check_mode and steps),
        "selected": list(steps.label),
        "unselected": sorted(steps.unselect),
        "accounts": len(steps.accounts),
        "bindings": len(steps.bind) + len(steps.rebind) + len(steps.unbind),
        "seconds": round(time.monotonic() - started, 3),
    }


def apply(cluster: Cluster, spec: TenantSpec, steps: Steps, parallelism: int) -> None:
    """Apply the missing changes, each kind concurrently: a namespace comes before what goes into it, bindings before the label. Raises ClusterError.

    MLflow sees a namespace through its label, so an existing one gets its bindings first; for a new one that order would cost a second request,
    and no tenant is used before this function has returned.
    """
    in_parallel(lambda name: create(cluster, NAMESPACES, spec.namespace(name)), steps.create, parallelism)
    in_parallel(lambda name: create(cluster, accounts_path(name), spec.account(name)), steps.accounts, parallelism)
    in_parallel(lambda binding: create(cluster, bindings_path(binding["metadata"]["namespace"]), binding), steps.bind, parallelism)
    patches = [(f"{bindings_path(tenant)}/{name}", body) for tenant, name, body in steps.rebind]
    patches += [(f"{NAMESPACES}/{name}", body) for name, body in steps.label.items()]
    patches += [(f"{NAMESPACES}/{name}", unselecting_patch(spec.selector)) for name in steps.unselect]
    in_parallel(lambda patch: cluster.request("PATCH", patch[0], body=patch[1], content_type=MERGE_PATCH), patches, parallelism)
    in_parallel(lambda key: cluster.request("DELETE", f"{bindings_path(key[0])}/{key[1]}"), steps.unbind, parallelism)


def create(cluster: Cluster, path: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Create an object and return it, or the existing one if it is ours (a request whose response was lost, another controller).

    Raises ClusterError, also when an unmanaged object has the name.
    """
    metadata = manifest["metadata"]
    try:
        return cluster.request("POST", path, body=manifest)
    except ClusterError as error:
        if error.reason != "AlreadyExists":
            raise
        # By the list, which is read anyway: reading one object would need a permission of its own.
        existing = cluster.items(path, fieldSelector=f"metadata.name={metadata['name']}")
        if existing and ownership.is_ours(existing[0]) and not existing[0]["metadata"].get("deletionTimestamp"):
            return existing[0]
        raise ClusterError(
            f"{object_name(manifest)}: exists and is not managed by this collection, or is being deleted. Delete it, or wait until it is gone.",
            error.status,
            error.reason,
        ) from error


def _wait_deleted(cluster: Cluster, spec: TenantSpec, found: Found, deadline: float, timeout_s: float) -> Found:
    """Return the observed state once none of the requested namespaces is being deleted. Raises ClusterError when the deadline passes."""
    while deleting := terminating(found, spec.names):
        if time.monotonic() >= deadline:
            why = deletion_blocker(found.namespaces[deleting[0]])
            raise ClusterError(
                f"Namespace {few(deleting)}: still being deleted after {timeout_s:g} s ({len(deleting)} of {len(spec.names)}, the first {why}). "
                "Remove what blocks the deletion, or choose another prefix."
            )
        time.sleep(_POLL_S)
        found = read(cluster, spec)
    return found
