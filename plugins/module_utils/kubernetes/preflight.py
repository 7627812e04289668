# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in a cluster that would stop a run, found before anything is made: one sentence each, with the remedy. Nothing is changed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.rights import Right, lacking
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.run_lease import NAME, held, leases_path
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tokens import request_token

# Few tries and short waits: a cluster that is slow now is a finding, and all of them together have to come within half a minute.
BRIEFLY = {"attempts": 2, "timeout_s": 5.0}
IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def reach(cluster: Cluster) -> dict[str, Any]:
    """Returns {version, user, clock_offset_s}: the offset is the API server's clock minus ours. Raises ClusterError when it does not answer or take us."""
    started = time.time()
    there = cluster.server_time(**BRIEFLY)
    here = (started + time.time()) / 2
    version = cluster.request("GET", "/version", **BRIEFLY).get("gitVersion") or "unknown"
    return {"version": version, "user": _who(cluster), "clock_offset_s": None if there is None else round(there - here, 1)}


def _who(cluster: Cluster) -> str:
    """Returns who is logged in; the request fails for somebody unknown, since only those who are known may ask it."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = cluster.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=body, **BRIEFLY)
    except ClusterError as error:
        if error.status == 404:  # older than Kubernetes 1.28
            return "the user of the kubeconfig"
        raise
    return ((answer.get("status") or {}).get("userInfo") or {}).get("username") or "the user of the kubeconfig"


def version_problems(version: str, oldest: str) -> list[str]:
    """Tells whether a version such as v1.34.4+k3s1 is older than `oldest`, such as 1.28."""
    have, want = _numbers(version), _numbers(oldest)
    if not oldest or not have or have >= want:
        return []
    return [f"Kubernetes {version}: is older than {oldest}. Upgrade the cluster, or set preflight_kubernetes_version to try it."]


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return tuple(int(number) for number in found.groups()) if found else ()


def clock_problems(offset_s: float | None, limit_s: float) -> list[str]:
    """Tells whether the clocks of this machine and the API server differ by more than a limit, in seconds."""
    if offset_s is None or abs(offset_s) <= limit_s:
        return []
    ahead = "ahead of" if offset_s > 0 else "behind"
    return [f"Clock of the cluster: is {abs(offset_s):g} s {ahead} this machine's (at most {limit_s:g} s). Synchronise both with NTP."]


def crd_problems(cluster: Cluster, needed: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names custom kinds that are missing, not served in the needed version, or without a needed field.

    Each of `needed` has name (plural.group), version, fields (dotted paths) and remedy (a sentence). Raises ClusterError.
    """
    return [sentence for crd in needed for sentence in _crd_problems(cluster, crd)]


def _crd_problems(cluster: Cluster, crd: Mapping[str, Any]) -> list[str]:
    name, remedy = crd["name"], crd["remedy"]
    found = cluster.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", **BRIEFLY)
    if found is None:
        return [f"CRD {name}: is not installed. {remedy}"]
    served = {version["name"]: version for version in found["spec"]["versions"] if version.get("served")}
    if crd["version"] not in served:
        return [f"CRD {name}: serves {', '.join(served) or 'no version'}, not {crd['version']}. {remedy}"]
    schema = (served[crd["version"]].get("schema") or {}).get("openAPIV3Schema") or {}
    absent = [field for field in crd.get("fields") or [] if not _has(schema, field.split("."))]
    return [f"CRD {name} {crd['version']}: lacks the field{'s' if len(absent) > 1 else ''} {', '.join(absent)}. {remedy}"] if absent else []


def _has(schema: Mapping[str, Any], path: list[str]) -> bool:
    """Returns whether a structural schema has a field; what it preserves without describing counts as there."""
    for part in path:
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            return True
        schema = schema.get("items", schema)
        if part not in (schema.get("properties") or {}):
            return False
        schema = schema["properties"][part]
    return True


def rights_problems(cluster: Cluster, user: str, rights: list[Right], remedy: str, parallelism: int = 16) -> list[str]:
    """Names all rights that the user lacks, in one sentence. Raises ClusterError."""
    missing = lacking(cluster, rights, parallelism, **BRIEFLY)
    if not missing:
        return []
    return [f"Rights of {user}: {len(missing)} of {len(rights)} are missing ({', '.join(str(right) for right in missing)}). {remedy}"]


def storage_problems(cluster: Cluster, name: str | None) -> list[str]:
    """Tells whether a storage class exists, or with an empty name a default one; None asks for none. Raises ClusterError."""
    if name is None:
        return []
    found = cluster.request("GET", "/apis/storage.k8s.io/v1/storageclasses", **BRIEFLY).get("items") or []
    names = [item["metadata"]["name"] for item in found]
    if name and name not in names:
        return [f"Storage class {name}: does not exist. Choose one of {', '.join(names) or 'none, for there is none'}."]
    if not name and not any((item["metadata"].get("annotations") or {}).get(IS_DEFAULT) == "true" for item in found):
        return [f"Storage class: none is the default. Make one the default, or name one of {', '.join(names) or 'none, for there is none'}."]
    return []


def pull_secret_problems(cluster: Cluster, secrets: Iterable[Mapping[str, str]]) -> list[str]:
    """Names image pull secrets ({namespace, name}) that do not exist or cannot hold a login. Raises ClusterError."""
    problems = []
    for secret in secrets:
        what = f"Image pull secret {secret['namespace']}/{secret['name']}"
        found = cluster.get(f"/api/v1/namespaces/{secret['namespace']}/secrets/{secret['name']}", **BRIEFLY)
        if found is None:
            problems.append(f"{what}: does not exist. Create it (kubectl create secret docker-registry), or leave it out.")
        elif found.get("type") not in ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"):
            problems.append(f"{what}: is of type {found.get('type')}. Create one of type kubernetes.io/dockerconfigjson.")
    return problems


def token_problems(cluster: Cluster, namespace: str, names: Iterable[str], seconds: int) -> list[str]:
    """Tells whether the API server would shorten a token of `seconds`, by asking for one of the first service account that exists.

    The token is thrown away. When none of them exists yet there is nothing to ask, and the run finds out itself.
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
    """Tells which other run holds the cluster, if one does; an empty `run_id` is a run that has no name yet. Raises ClusterError."""
    found = cluster.get(f"{leases_path(namespace)}/{NAME}", **BRIEFLY)
    now = cluster.server_time(**BRIEFLY) or time.time()
    try:
        held(found, namespace, NAME, run_id, 1, now)
    except ClusterError as error:
        return [str(error)]
    return []


def problems_of(checks: Iterable[Callable[[], list[str]]], rights: Callable[[], list[str]]) -> list[str]:
    """Returns what all checks find, first what `rights` does; a check that is refused then says nothing, since its cause has been named."""
    lacking_rights, _is_refused = _sentences(rights)
    found = list(lacking_rights)
    for check in checks:
        sentences, is_refused = _sentences(check)
        found += [] if is_refused and lacking_rights else sentences
    return found


def _sentences(check: Callable[[], list[str]]) -> tuple[list[str], bool]:
    """Returns what a check finds and whether it was refused for want of rights; an error is a finding too."""
    try:
        return check(), False
    except ClusterError as error:
        return [str(error)], error.status == 403
