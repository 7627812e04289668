# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contents of a namespace other than a run's own objects. Deleting a namespace deletes all of it, so a namespace with such contents is kept.

Every kind that the cluster serves is listed, metadata only (https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import few

METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
# Up to so many namespaces are listed one by one; more of them cost less as one list of the whole cluster, where that is permitted.
FEW_NAMESPACES = 4
# Events, endpoints of Services and leader locks depend on other objects and end with them; OpenShift serves its RBAC objects a second time.
DERIVED = frozenset({("", "events"), ("events.k8s.io", "events"), ("", "endpoints"), ("discovery.k8s.io", "endpointslices"), ("coordination.k8s.io", "leases")})
VIEWS = frozenset({"authorization.openshift.io"})
# Put into every namespace by Kubernetes, OpenShift (its controller manager and service CA) and Open Data Hub.
SYSTEM_ACCOUNTS = frozenset({"default", "builder", "deployer"})
SYSTEM_OBJECTS = frozenset(
    {
        *(("serviceaccounts", name) for name in SYSTEM_ACCOUNTS),
        ("configmaps", "kube-root-ca.crt"),
        ("configmaps", "openshift-service-ca.crt"),
        ("configmaps", "odh-trusted-ca-bundle"),
        ("rolebindings", "system:deployers"),
        ("rolebindings", "system:image-builders"),
        ("rolebindings", "system:image-pullers"),
    }
)
# Annotations that name the service account of a token or a pull secret (Kubernetes; OpenShift 4.16 and newer).
ACCOUNT_OF_SECRET = ("kubernetes.io/service-account.name", "openshift.io/internal-registry-auth-token.service-account")
# OLM copies the version of an operator for all namespaces into each of them.
COPIED = "olm.copiedFrom"


@dataclass(frozen=True)
class Kind:
    """One namespaced kind, as discovery lists it."""

    group: str
    version: str
    plural: str
    name: str

    def path(self, namespace: str) -> str:
        """Return the path of its objects in a namespace, or in all of them for an empty text."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" if namespace else f"{root}/{self.plural}"


@dataclass
class Contents:
    """The reasons to keep a namespace: unmanaged objects, ours that stay, those of other runs, and kinds that could not be listed."""

    unmanaged: list[str] = field(default_factory=list)
    staying: list[str] = field(default_factory=list)
    other_runs: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.unmanaged or self.staying or self.other_runs or self.unlisted)

    @property
    def is_only_of_other_runs(self) -> bool:
        """Whether the namespace is kept for nothing but other runs."""
        return bool(self.other_runs) and not (self.unmanaged or self.staying or self.unlisted)

    @property
    def other_run(self) -> str:
        """One of the other runs, or an empty text."""
        return self.other_runs[0].rpartition("(")[2].rstrip(")") if self.other_runs else ""

    @property
    def why(self) -> str:
        """Why the namespace is kept, and the remedy."""
        parts = []
        if self.unmanaged:
            parts.append(f"holds unmanaged objects: {few(self.unmanaged)}. Move or delete them, or keep the namespace")
        if self.staying:
            parts.append(f"holds objects that stay: {few(self.staying)}")
        if self.unlisted:
            parts.append(f"kinds cannot be listed: {few(self.unlisted)}. Grant the part `teardown` of rbac.yml, or delete the namespace manually")
        if self.other_runs:
            parts.append(f"holds objects of other runs: {few(self.other_runs)}. Tear those runs down, then this one again, or all with teardown_all")
        return "; ".join(parts)


def kept_namespaces(
    cluster: Cluster, namespaces: Collection[str], run_id: str | None, parallelism: int = 16, staying: Mapping[str, str] | None = None
) -> dict[str, Contents]:
    """Return what keeps each of `namespaces` from being deleted by the teardown of a run (None: of all runs); the others are left out.

    `staying` names objects that stay, such as `Secret opendatahub/mlflow-tls`, with the other run that uses or created it, or an empty text. What they
    own stays with them: the operator's objects for another run's MLflow, a cluster-wide resource, carry no label of ours.
    System objects, objects that are being deleted and what our own objects own (by ownerReferences) keep nothing. An object that appears
    between this check and the deletion is deleted with its namespace: Kubernetes has no conditional deletion. Raises ClusterError.
    """
    if not namespaces:
        return {}
    kinds, gaps = _kinds(cluster, parallelism)
    found: dict[str, list[tuple[Kind, dict[str, Any]]]] = {name: [] for name in namespaces}
    contents = {name: Contents(unlisted=list(gaps)) for name in namespaces}

    def read(request: tuple[Kind, str]) -> tuple[list[dict[str, Any]], str]:
        kind, namespace = request
        return _attempt(lambda: cluster.items(kind.path(namespace), accept=METADATA_ONLY), f"{kind.name} {kind.group}".strip())

    requests = [(kind, "") for kind in kinds] if len(found) > FEW_NAMESPACES else []
    for (kind, _all), (items, gap) in zip(requests, in_parallel(read, requests, parallelism), strict=True):
        for item in [] if gap else items:
            if item["metadata"].get("namespace") in found:
                found[item["metadata"]["namespace"]].append((kind, item["metadata"]))
        if not gap:
            kinds = [other for other in kinds if other != kind]
    requests = [(kind, name) for kind in kinds for name in found]
    for (kind, name), (items, gap) in zip(requests, in_parallel(read, requests, parallelism), strict=True):
        found[name] += [(kind, item["metadata"]) for item in items]
        contents[name].unlisted += [gap] if gap else []
    for name, entries in found.items():
        _classify(contents[name], entries, run_id, staying or {})
    return {name: kept for name, kept in contents.items() if kept}


def _kinds(cluster: Cluster, parallelism: int) -> tuple[list[Kind], list[str]]:
    """Return the kinds whose objects can be listed and deleted, one version of each group, and the APIs whose discovery failed."""
    groups = cluster.request("GET", "/apis").get("groups") or []
    versions = [("", "v1"), *((group["name"], group["preferredVersion"]["version"]) for group in groups if group["name"] not in VIEWS)]

    def read(group: tuple[str, str]) -> tuple[list[dict[str, Any]], str]:
        path = "/apis/{}/{}".format(*group) if group[0] else f"/api/{group[1]}"
        return _attempt(lambda: cluster.request("GET", path).get("resources") or [], f"kinds of {'/'.join(part for part in group if part)}")

    responses = list(zip(versions, in_parallel(read, versions, parallelism), strict=True))
    kinds = [
        Kind(group, version, entry["name"], entry["kind"])
        for (group, version), (entries, _gap) in responses
        for entry in entries
        if entry["namespaced"] and "/" not in entry["name"] and {"list", "delete"} <= set(entry["verbs"]) and (group, entry["name"]) not in DERIVED
    ]
    return kinds, [gap for _version, (_entries, gap) in responses if gap]


def _attempt(call: Callable[[], list[dict[str, Any]]], description: str) -> tuple[list[dict[str, Any]], str]:
    """Return the result of a call, or, when the API server denies it or fails, a description of the gap."""
    try:
        return call(), ""
    except ClusterError as error:
        if error.status in (404, 405):
            return [], ""
        if error.status == 403 or error.status >= 500:
            return [], f"{description} ({error.status}{f' {error.reason}' if error.reason else ''})"
        raise


def _classify(contents: Contents, entries: Iterable[tuple[Kind, Mapping[str, Any]]], run_id: str | None, staying: Mapping[str, str]) -> None:
    """Add to `contents` the objects that keep the namespace."""
    left = {metadata["uid"]: (kind, metadata) for kind, metadata in entries if not metadata.get("deletionTimestamp")}
    ours = {uid for uid, (_kind, metadata) in left.items() if _is_ours(metadata, run_id)}
    others = {uid for uid, (_kind, metadata) in left.items() if ownership.is_ours({"metadata": metadata}) and uid not in ours}
    ours, others = _with_owned(ours, left), _with_owned(others, left)
    stays = {uid: run for uid, (kind, metadata) in left.items() if (run := _staying_run(kind, metadata, staying)) is not None}
    known = ours | others | stays.keys()
    accounts = SYSTEM_ACCOUNTS | {metadata["name"] for uid, (kind, metadata) in left.items() if kind.plural == "serviceaccounts" and uid in known}
    for uid, (kind, metadata) in left.items():
        name = f"{kind.name} {metadata['name']}"
        if uid in stays:
            contents.staying += [] if stays[uid] else [name]
            contents.other_runs += [f"{name} ({stays[uid]})"] if stays[uid] else []
            continue
        if uid in ours or _owners(metadata) & left.keys():
            continue
        if uid in others:
            contents.other_runs.append(f"{name} ({ownership.run_id({'metadata': metadata})})")
        elif not _is_system(kind, metadata, accounts):
            contents.unmanaged.append(name)
    contents.unmanaged.sort()
    contents.staying.sort()
    contents.other_runs.sort()


def _is_ours(metadata: Mapping[str, Any], run_id: str | None) -> bool:
    manifest = {"metadata": metadata}
    return ownership.is_ours(manifest) and run_id in (None, ownership.run_id(manifest))


def _staying_run(kind: Kind, metadata: Mapping[str, Any], staying: Mapping[str, str]) -> str | None:
    """Return the run (or an empty text) of the entry of `staying` that is this object or a cluster-wide owner of it, and None if there is none."""
    names = [f"{kind.name} {metadata.get('namespace')}/{metadata['name']}"]
    names += [f"{owner['kind']} {owner['name']}" for owner in metadata.get("ownerReferences") or []]
    return next((staying[name] for name in names if name in staying), None)


def _owners(metadata: Mapping[str, Any]) -> set[str]:
    return {owner["uid"] for owner in metadata.get("ownerReferences") or []}


def _with_owned(uids: set[str], left: Mapping[str, tuple[Kind, Mapping[str, Any]]]) -> set[str]:
    """Return `uids` with everything that they own, directly or indirectly."""
    known = set(uids)
    while more := {uid for uid, (_kind, metadata) in left.items() if uid not in known and _owners(metadata) & known}:
        known |= more
    return known


def _is_system(kind: Kind, metadata: Mapping[str, Any], accounts: Collection[str]) -> bool:
    if (kind.plural, metadata["name"]) in SYSTEM_OBJECTS or COPIED in (metadata.get("labels") or {}):
        return True
    annotations = metadata.get("annotations") or {}
    return kind.plural == "secrets" and any(annotations.get(key) in accounts for key in ACCOUNT_OF_SECRET)
