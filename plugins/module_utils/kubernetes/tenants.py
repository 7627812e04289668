# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of tenants as namespaces: listed once, compared, and only what is missing made, side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import MERGE_PATCH, Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import why_it_stays
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tenant_objects import (
    RBAC,
    Found,
    Steps,
    TenantSpec,
    foreign,
    is_selected,
    plan,
    terminating,
    unselecting,
    without,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import check_names, few

NAMESPACES = "/api/v1/namespaces"
ACCOUNTS = "/api/v1/serviceaccounts"
BINDINGS = f"/apis/{RBAC}/v1/rolebindings"
PARALLELISM_MAX = 32
_POLL_S = 0.5


def check_parallelism(parallelism: int) -> None:
    """Raises ClusterError unless so many requests may be under way at once."""
    if not 1 <= parallelism <= PARALLELISM_MAX:
        raise ClusterError(f"Option parallelism {parallelism}: is out of range. Allowed are 1 to {PARALLELISM_MAX}.")


def accounts_path(namespace: str) -> str:
    """Returns the path of a namespace's service accounts."""
    return f"{NAMESPACES}/{namespace}/serviceaccounts"


def bindings_path(namespace: str) -> str:
    """Returns the path of a namespace's RoleBindings."""
    return f"/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings"


def look(cluster: Cluster, spec: TenantSpec) -> Found:
    """Returns what the cluster has, by a few requests whatever the number of tenants.

    All namespaces are listed only when a wanted one is not among ours and the selected. Raises ClusterError.
    """
    selector = ",".join(f"{key}={value}" for key, value in spec.selector.items())
    lists = [(NAMESPACES, ownership.selector()), (NAMESPACES, selector), (BINDINGS, ownership.selector())]
    lists += [(ACCOUNTS, ownership.selector())] if spec.own else []
    ours, selected, bindings, *accounts = in_parallel(lambda arguments: cluster.items(*arguments), lists, len(lists))
    namespaces = {item["metadata"]["name"]: item for item in ours + selected}
    if any(name not in namespaces for name in spec.names):
        namespaces = {item["metadata"]["name"]: item for item in cluster.items(NAMESPACES)}
    return Found(namespaces, _by_place(bindings), _by_place(accounts[0] if accounts else []))


def _by_place(items: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in items}


def ensure_tenants(
    cluster: Cluster, spec: TenantSpec, parallelism: int = 16, timeout_s: float = 300.0, adopt: bool = False, check_mode: bool = False
) -> dict[str, Any]:
    """Makes the wanted tenants present with their bindings, and takes the selector label from the others of ours.

    Returns {requested, created[], existing[], extra[], ready, selected[], unselected[], accounts, bindings, seconds}: `extra` are namespaces
    that somebody else made selected, `selected` those that were there and got the label, `accounts` and `bindings` how many were made or changed.
    With `check_mode` only what would be done is returned. Namespaces that are being deleted are waited for, at most `timeout_s`.
    Raises ClusterError, MlflowError for a name MLflow would not take.
    """
    started = time.monotonic()
    check_names(spec.names)
    before = look(cluster, spec)
    found = without(before, terminating(before, spec.names)) if check_mode else _wait_deleted(cluster, spec, before, started + timeout_s, timeout_s)
    strangers = foreign(found, spec)
    if strangers and not adopt:
        raise ClusterError(
            f"Namespace {few(strangers)}: exists already and was not created by this collection. "
            "Choose another prefix, remove it, or adopt it knowingly (adopt: true, role variable workspaces_adopt)."
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
    """Does what is missing, each kind side by side: a namespace is there before what goes into it, rights before the label. Raises ClusterError.

    A namespace is seen by MLflow through its label, so an existing one gets its rights first; for a new one that order would cost a
    second request, and nobody asks for a tenant before this function has returned.
    """
    in_parallel(lambda name: create(cluster, NAMESPACES, spec.namespace(name)), steps.create, parallelism)
    in_parallel(lambda name: create(cluster, accounts_path(name), spec.account(name)), steps.accounts, parallelism)
    in_parallel(lambda binding: create(cluster, bindings_path(binding["metadata"]["namespace"]), binding), steps.bind, parallelism)
    patches = [(f"{bindings_path(tenant)}/{name}", body) for tenant, name, body in steps.rebind]
    patches += [(f"{NAMESPACES}/{name}", body) for name, body in steps.label.items()]
    patches += [(f"{NAMESPACES}/{name}", unselecting(spec.selector)) for name in steps.unselect]
    in_parallel(lambda patch: cluster.request("PATCH", patch[0], body=patch[1], content_type=MERGE_PATCH), patches, parallelism)
    in_parallel(lambda key: cluster.request("DELETE", f"{bindings_path(key[0])}/{key[1]}"), steps.unbind, parallelism)


def create(cluster: Cluster, path: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Creates an object and returns it; one of ours that is there already (a request whose answer was lost, another controller) is as good.

    Raises ClusterError, also when somebody else's object has the name.
    """
    metadata = manifest["metadata"]
    try:
        return cluster.request("POST", path, body=manifest)
    except ClusterError as error:
        if error.reason != "AlreadyExists":
            raise
        # By the list, which is read anyway: reading one object would be a right of its own.
        existing = cluster.items(path, fieldSelector=f"metadata.name={metadata['name']}")
        if existing and ownership.is_ours(existing[0]) and not existing[0]["metadata"].get("deletionTimestamp"):
            return existing[0]
        place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        raise ClusterError(
            f"{manifest['kind']} {place}{metadata['name']}: exists already and was not created by this collection, or is being deleted. "
            "Remove it, or wait until it is gone.",
            error.status,
            error.reason,
        ) from error


def _wait_deleted(cluster: Cluster, spec: TenantSpec, found: Found, deadline: float, timeout_s: float) -> Found:
    """Returns what the cluster has when none of the wanted namespaces is being deleted any more. Raises ClusterError when the deadline passes."""
    while going := terminating(found, spec.names):
        if time.monotonic() >= deadline:
            why = why_it_stays(found.namespaces[going[0]])
            raise ClusterError(
                f"Namespace {few(going)}: is still being deleted after {timeout_s:g} s ({len(going)} of {len(spec.names)}, the first {why}). "
                "Remove what holds it, or choose another prefix."
            )
        time.sleep(_POLL_S)
        found = look(cluster, spec)
    return found
