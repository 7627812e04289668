# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An MLflow resource of the operator: whether it serves what its spec requests, and what prevents that.

Conditions alone do not suffice: only Migration carries a generation, and after a change Available stays True for a moment. So the Deployment has to
show the spec's settings, its own generation observed and rolled out, and then the conditions have to agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import deployments, ownership, pods
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import quantity
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.readiness import Outcome, Readiness, condition_text, conditions, wait

RESOURCE = "/apis/mlflow.opendatahub.io/v1/mlflows"
# The operator names its Deployment and everything else after this.
NAME = "mlflow"
POD_SELECTOR = f"app={NAME}"
MIGRATION_LABEL = "mlflow.opendatahub.io/migration-job"
MIGRATION_SELECTOR = f"{MIGRATION_LABEL}=true"
FORCE_MIGRATE = "mlflow.opendatahub.io/force-migrate=true"
MIGRATION_FAILED = "MigrationFailed"
LOG_LINES = 20
# The operator writes an address with this host while the platform's gateway has no domain.
PLACEHOLDER = "gateway-hostname-placeholder"
# A server that cannot parse the URI of its database may write it to its log, password included.
_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s@]+@")
_GENERATION = re.compile(r"-g(\d+)-[a-z0-9]+$")


@dataclass(frozen=True)
class State:
    """The observed resource, its Deployment, Pods (of migrations too) and PersistentVolumeClaim; None or empty where absent."""

    resource: dict[str, Any] | None
    deployment: dict[str, Any] | None = None
    pods: list[dict[str, Any]] = field(default_factory=list)
    migration_pods: list[dict[str, Any]] = field(default_factory=list)
    claim: dict[str, Any] | None = None


def read(cluster: Cluster, namespace: str) -> State:
    """Return the current state. Raises ClusterError."""
    core = f"/api/v1/namespaces/{namespace}"
    migrations = {pod["metadata"]["name"]: pod for pod in cluster.items(f"{core}/pods", MIGRATION_SELECTOR)}
    return State(
        resource=cluster.get(f"{RESOURCE}/{NAME}"),
        deployment=cluster.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{NAME}"),
        pods=[pod for pod in cluster.items(f"{core}/pods", POD_SELECTOR) if pod["metadata"]["name"] not in migrations],
        migration_pods=list(migrations.values()),
        claim=cluster.get(f"{core}/persistentvolumeclaims/{NAME}-pvc"),
    )


def check_readiness(state: State) -> Readiness:
    """Return whether the resource is served; a container that cannot start is a doubt, a migration that the operator gave up a problem."""
    if state.resource is None:
        return Readiness(waiting_for=[f"MLflow {NAME}: does not exist"])
    migration = next((entry for entry in conditions(state.resource) if entry.get("type") == "Migration"), {})
    if migration.get("reason") == MIGRATION_FAILED:
        # The operator does not retry it by itself.
        remedy = f"after the correction annotate the MLflow resource with {FORCE_MIGRATE}"
        return Readiness(problems=[f"MLflow {NAME}: the migration of its database failed ({migration.get('message')}); {remedy}"])
    waiting = _rollout_problems(state) or _unmet_conditions(state.resource)
    if not waiting:
        return Readiness()
    found = [*state.pods, *state.migration_pods]
    waiting += deployments.placement_problems(found, [state.claim] if state.claim else [])
    return Readiness(waiting, doubts=[text + _outdated_migration_remedy(pod, state.resource) for pod in found if (text := pods.start_failure(pod))])


def _outdated_migration_remedy(pod: Mapping[str, Any], resource: Mapping[str, Any]) -> str:
    """Return what to do about a migration for former settings: the operator waits for its end, whatever the current settings are."""
    name = pod["metadata"]["name"]
    found = _GENERATION.search(name) if MIGRATION_LABEL in (pod["metadata"].get("labels") or {}) else None
    if not found or int(found[1]) >= resource["metadata"].get("generation", 0):
        return ""
    return f", a migration for former settings that the operator waits for: delete Job {name.rpartition('-')[0]}, and retry"


def _rollout_problems(state: State) -> list[str]:
    """Return what the Deployment still lacks of the resource's spec."""
    spec, deployment = (state.resource or {}).get("spec") or {}, state.deployment
    if deployment is None:
        return deployments.rollout_problems(NAME, None)
    container: Mapping[str, Any] = next((entry for entry in deployment["spec"]["template"]["spec"]["containers"] if entry["name"] == NAME), {})
    annotations = (deployment["spec"]["template"].get("metadata") or {}).get("annotations") or {}
    differing = _differing_settings(spec, deployment["spec"].get("replicas"), container, annotations)
    if differing:
        return [f"Deployment {NAME}: {' and '.join(differing)} of the MLflow resource not applied yet"]
    return deployments.rollout_problems(NAME, deployment)


def _differing_settings(spec: Mapping[str, Any], replicas: Any, container: Mapping[str, Any], annotations: Mapping[str, str]) -> list[str]:
    environment = {entry["name"]: entry for entry in container.get("env") or []}
    image = (spec.get("image") or {}).get("image")
    checks = {
        "database": _is_same_store(spec, environment.get("MLFLOW_BACKEND_STORE_URI") or {}),
        "replicas": spec.get("replicas") in (None, replicas),
        "image": image in (None, container.get("image")),
        "workers": spec.get("workers") is None or f"--workers={spec['workers']}" in (container.get("args") or []),
        "resources": all(_are_same_quantities(spec["resources"].get(part), container.get("resources", {}).get(part)) for part in spec.get("resources") or {}),
        "annotations": (spec.get("podAnnotations") or {}).items() <= annotations.items(),
        "env": all(entry["name"] in environment and entry.get("value") == environment[entry["name"]].get("value") for entry in spec.get("env") or []),
    }
    return [name for name, same in checks.items() if not same]


def _is_same_store(spec: Mapping[str, Any], variable: Mapping[str, Any]) -> bool:
    if spec.get("backendStoreUriFrom"):
        found = (variable.get("valueFrom") or {}).get("secretKeyRef") or {}
        return all(found.get(part) == spec["backendStoreUriFrom"].get(part) for part in ("name", "key"))
    return bool(spec.get("backendStoreUri") in (None, variable.get("value")))


def _are_same_quantities(spec: Any, found: Any) -> bool:
    """Compare as the API server does, which normalizes quantities: 1000m becomes 1."""
    if not isinstance(spec, Mapping) or not isinstance(found, Mapping):
        return bool(spec == found)
    return {name: quantity(value) for name, value in spec.items()} == {name: quantity(value) for name, value in found.items()}


def _unmet_conditions(resource: Mapping[str, Any]) -> list[str]:
    required = {"Available": "True", "Progressing": "False"}
    found = {entry["type"]: entry for entry in conditions(resource)}
    waiting = [
        f"MLflow {NAME}: {condition_text(found[name]) if name in found else f'no condition {name}'}"
        for name, status in required.items()
        if found.get(name, {}).get("status") != status
    ]
    return waiting or ([] if (resource.get("status") or {}).get("version") else [f"MLflow {NAME}: status.version is empty"])


def wait_ready(cluster: Cluster, namespace: str, timeout_s: float, patience_s: float) -> tuple[State | None, Outcome]:
    """Wait until the resource is ready (observed twice, a second apart), has a problem, a container cannot start for `patience_s`, or time is up.

    A limit of 0 checks once. Raises ClusterError when the API server denies a request.
    """
    times_ready = 0

    def check_twice(state: State) -> Readiness:
        nonlocal times_ready
        readiness = check_readiness(state)
        times_ready = times_ready + 1 if readiness.ready else 0
        return readiness if times_ready != 1 or timeout_s <= 0 else Readiness(waiting_for=["a second observation"])

    return wait(lambda: read(cluster, namespace), check_twice, timeout_s, pause_s=deployments.POLL_S, patience=deployments.patience(patience_s))


def facts(state: State | None) -> dict[str, Any]:
    """Return what roles need to know of the resource; null where it is not known (yet)."""
    observed = state or State(resource=None)
    resource = observed.resource or {}
    spec, status = resource.get("spec") or {}, resource.get("status") or {}
    deployed = (observed.deployment or {}).get("spec") or {}
    containers = deployed["template"]["spec"]["containers"] if deployed else []
    container: Mapping[str, Any] = next((entry for entry in containers if entry["name"] == NAME), {})
    running = [entry for pod in observed.pods for entry in pods.container_statuses(pod) if entry["name"] == NAME]
    return {
        "exists": bool(resource),
        "owned": ownership.is_ours(resource),
        "generation": (resource.get("metadata") or {}).get("generation"),
        # Some builds of the operator write v3.17.2.
        "version": (status.get("version") or "").removeprefix("v") or None,
        "internal_url": (status.get("address") or {}).get("url") or None,
        "external_url": None if PLACEHOLDER in (status.get("url") or "") else status.get("url") or None,
        "conditions": conditions(resource),
        "replicas": deployed.get("replicas"),
        "workers": spec.get("workers"),
        "image": container.get("image"),
        "image_id": next((entry["imageID"] for entry in running if entry.get("imageID")), None),
        "resources": container.get("resources") or {},
        "env": {entry["name"]: entry["value"] for entry in spec.get("env") or [] if "value" in entry},
        "database": database_kind(spec) if spec else "unknown",
        "nodes": sorted({pod["spec"]["nodeName"] for pod in observed.pods if (pod.get("spec") or {}).get("nodeName")}),
    }


def database_kind(spec: Mapping[str, Any]) -> str:
    """Return sqlite, postgres, or unknown; a URI in a Secret is not read, and counts as PostgreSQL's."""
    uri = str(spec.get("backendStoreUri") or "")
    if uri.startswith("sqlite"):
        return "sqlite"
    return "postgres" if uri.startswith("postgresql") or spec.get("backendStoreUriFrom") else "unknown"


def diagnose(cluster: Cluster, namespace: str, state: State | None) -> list[str]:
    """Return what explains a server that does not become ready: warnings about its objects, and the end of the migration's log."""
    if state is None:
        return []
    names = [NAME, f"{NAME}-pvc", *(pod["metadata"]["name"] for pod in [*state.pods, *state.migration_pods])]
    found = deployments.warnings_about(cluster, namespace, names)
    failed = [pod for pod in state.migration_pods if any(_has_failed(entry) for entry in pods.container_statuses(pod))]
    for pod in sorted(failed, key=lambda pod: pod["metadata"].get("creationTimestamp", ""))[-1:]:
        found.append(_log(cluster, namespace, f"migration pod {pod['metadata']['name']}", pod["metadata"]["name"], {}))
    for pod in state.pods:
        for entry in pods.container_statuses(pod):
            if entry["name"] == NAME and not entry.get("ready") and (_has_failed(entry) or "running" in (entry.get("state") or {})):
                query = {"container": NAME, "previous": "true"} if entry.get("restartCount") else {"container": NAME}
                found.append(_log(cluster, namespace, f"pod {pod['metadata']['name']}", pod["metadata"]["name"], query))
    return found


def _log(cluster: Cluster, namespace: str, title: str, pod: str, query: Mapping[str, str]) -> str:
    try:
        log = cluster.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query={"tailLines": LOG_LINES, **query}).strip()
    except ClusterError as error:
        return f"no log of {title}: {error}"
    log = _PASSWORD.sub(r"\1***@", log)
    return f"log of {title}:\n{log}" if log else f"{title}: empty log"


def _has_failed(state: Mapping[str, Any]) -> bool:
    ends = [(state.get(name) or {}).get("terminated") or {} for name in ("state", "lastState")]
    return any(end.get("exitCode") for end in ends)
