# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An MLflow resource of the operator: whether it serves what its spec asks for, and what keeps it from that.

Conditions alone do not tell: only Migration carries a generation, and after a change Available stays True for a moment. So the Deployment has to
show the spec's settings, its own generation observed and rolled out, and then the conditions have to agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import conditions, deployments, ownership, pods
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.waiting import Outcome, Verdict, wait

try:
    from kubernetes.utils.quantity import parse_quantity
except ImportError:  # the modules report it with missing_required_lib
    parse_quantity = None

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
# A server that does not understand the address of its database may write it into its log, password included.
_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s@]+@")
_GENERATION = re.compile(r"-g(\d+)-[a-z0-9]+$")


@dataclass(frozen=True)
class State:
    """One look at a cluster: the resource, its Deployment, Pods (of migrations too) and claim; None or empty where absent."""

    resource: dict[str, Any] | None
    deployment: dict[str, Any] | None = None
    pods: list[dict[str, Any]] = field(default_factory=list)
    migration_pods: list[dict[str, Any]] = field(default_factory=list)
    claim: dict[str, Any] | None = None


def look(cluster: Cluster, namespace: str) -> State:
    """Returns how things are now. Raises ClusterError."""
    core = f"/api/v1/namespaces/{namespace}"
    migrating = {pod["metadata"]["name"]: pod for pod in cluster.items(f"{core}/pods", MIGRATION_SELECTOR)}
    return State(
        resource=cluster.get(f"{RESOURCE}/{NAME}"),
        deployment=cluster.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{NAME}"),
        pods=[pod for pod in cluster.items(f"{core}/pods", POD_SELECTOR) if pod["metadata"]["name"] not in migrating],
        migration_pods=list(migrating.values()),
        claim=cluster.get(f"{core}/persistentvolumeclaims/{NAME}-pvc"),
    )


def judge(state: State) -> Verdict:
    """Returns what a look says; a container that cannot start is a doubt, a migration that the operator gave up a problem."""
    if state.resource is None:
        return Verdict(waiting_for=[f"MLflow {NAME}: does not exist"])
    migration = next((entry for entry in conditions.all_of(state.resource) if entry.get("type") == "Migration"), {})
    if migration.get("reason") == MIGRATION_FAILED:
        # The operator remembers it until it is told to try again.
        remedy = f"after the correction annotate the MLflow resource with {FORCE_MIGRATE}"
        return Verdict(problems=[f"MLflow {NAME}: the migration of its database failed ({migration.get('message')}); {remedy}"])
    waiting = _rollout(state) or _conditions(state.resource)
    if not waiting:
        return Verdict()
    found = [*state.pods, *state.migration_pods]
    hindrances = deployments.hindrances(found, [state.claim] if state.claim else [])
    return Verdict(waiting_for=waiting + hindrances, doubts=[text + _outdated(pod, state.resource) for pod in found if (text := pods.stuck(pod))])


def _outdated(pod: Mapping[str, Any], resource: Mapping[str, Any]) -> str:
    """Returns what to do about a migration of settings from before: the operator waits for its end, whatever the settings are now."""
    name = pod["metadata"]["name"]
    found = _GENERATION.search(name) if MIGRATION_LABEL in (pod["metadata"].get("labels") or {}) else None
    if not found or int(found[1]) >= resource["metadata"].get("generation", 0):
        return ""
    return f", of settings from before, for which the operator waits: delete Job {name.rpartition('-')[0]}, and run the same again"


def _rollout(state: State) -> list[str]:
    """Returns what the Deployment still lacks of what the resource asks for."""
    asked, deployment = (state.resource or {}).get("spec") or {}, state.deployment
    if deployment is None:
        return deployments.rollout(NAME, None)
    container = next((entry for entry in deployment["spec"]["template"]["spec"]["containers"] if entry["name"] == NAME), {})
    annotations = (deployment["spec"]["template"].get("metadata") or {}).get("annotations") or {}
    differing = _differing(asked, deployment["spec"].get("replicas"), container, annotations)
    if differing:
        return [f"Deployment {NAME}: does not show {' and '.join(differing)} of the MLflow resource yet"]
    return deployments.rollout(NAME, deployment)


def _differing(asked: Mapping[str, Any], replicas: Any, container: Mapping[str, Any], annotations: Mapping[str, str]) -> list[str]:
    environment = {entry["name"]: entry for entry in container.get("env") or []}
    image = (asked.get("image") or {}).get("image")
    checks = {
        "database": _same_store(asked, environment.get("MLFLOW_BACKEND_STORE_URI") or {}),
        "replicas": asked.get("replicas") in (None, replicas),
        "image": image in (None, container.get("image")),
        "workers": asked.get("workers") is None or f"--workers={asked['workers']}" in (container.get("args") or []),
        "resources": all(_same_amounts(asked["resources"].get(part), container.get("resources", {}).get(part)) for part in asked.get("resources") or {}),
        "annotations": (asked.get("podAnnotations") or {}).items() <= annotations.items(),
        "env": all(entry["name"] in environment and entry.get("value") == environment[entry["name"]].get("value") for entry in asked.get("env") or []),
    }
    return [name for name, same in checks.items() if not same]


def _same_store(asked: Mapping[str, Any], variable: Mapping[str, Any]) -> bool:
    if asked.get("backendStoreUriFrom"):
        found = (variable.get("valueFrom") or {}).get("secretKeyRef") or {}
        return all(found.get(part) == asked["backendStoreUriFrom"].get(part) for part in ("name", "key"))
    return asked.get("backendStoreUri") in (None, variable.get("value"))


def _same_amounts(asked: Any, found: Any) -> bool:
    """The API server writes quantities in its own way: 1000m becomes 1."""
    if not isinstance(asked, Mapping) or not isinstance(found, Mapping):
        return asked == found
    return {name: parse_quantity(value) for name, value in asked.items()} == {name: parse_quantity(value) for name, value in found.items()}


def _conditions(resource: Mapping[str, Any]) -> list[str]:
    wanted = {"Available": "True", "Progressing": "False"}
    found = {entry["type"]: entry for entry in conditions.all_of(resource)}
    waiting = [
        f"MLflow {NAME}: {conditions.sentence(found[name]) if name in found else f'no condition {name}'}"
        for name, status in wanted.items()
        if found.get(name, {}).get("status") != status
    ]
    return waiting or ([] if (resource.get("status") or {}).get("version") else [f"MLflow {NAME}: status.version is empty"])


def wait_ready(cluster: Cluster, namespace: str, timeout_s: float, patience_s: float) -> tuple[State | None, Outcome]:
    """Waits until the resource is ready (seen twice, a second apart), has a problem, a container stays stuck for `patience_s`, or time is up.

    With a limit of 0 it looks once. Raises ClusterError when the API server refuses.
    """
    seen = 0

    def twice(state: State) -> Verdict:
        nonlocal seen
        verdict = judge(state)
        seen = seen + 1 if verdict.ready else 0
        return verdict if seen != 1 or timeout_s <= 0 else Verdict(waiting_for=["the same answer once more"])

    return wait(lambda: look(cluster, namespace), twice, timeout_s, pause_s=deployments.POLL_S, patience=deployments.patience(patience_s))


def facts(state: State | None) -> dict[str, Any]:
    """Returns what roles need to know of the resource; null where it is not (yet) told."""
    seen = state or State(resource=None)
    resource = seen.resource or {}
    spec, status = resource.get("spec") or {}, resource.get("status") or {}
    deployed = (seen.deployment or {}).get("spec") or {}
    containers = deployed["template"]["spec"]["containers"] if deployed else []
    container = next((entry for entry in containers if entry["name"] == NAME), {})
    running = [entry for pod in seen.pods for entry in pods.container_states(pod) if entry["name"] == NAME]
    return {
        "exists": bool(resource),
        "owned": ownership.is_ours(resource),
        "generation": (resource.get("metadata") or {}).get("generation"),
        # Some builds of the operator write v3.17.2.
        "version": (status.get("version") or "").removeprefix("v") or None,
        "internal_url": (status.get("address") or {}).get("url") or None,
        "external_url": None if PLACEHOLDER in (status.get("url") or "") else status.get("url") or None,
        "conditions": conditions.all_of(resource),
        "replicas": deployed.get("replicas"),
        "workers": spec.get("workers"),
        "image": container.get("image"),
        "image_id": next((entry["imageID"] for entry in running if entry.get("imageID")), None),
        "resources": container.get("resources") or {},
        "env": {entry["name"]: entry["value"] for entry in spec.get("env") or [] if "value" in entry},
        "database": database_kind(spec) if spec else "unknown",
        "nodes": sorted({pod["spec"]["nodeName"] for pod in seen.pods if (pod.get("spec") or {}).get("nodeName")}),
    }


def database_kind(spec: Mapping[str, Any]) -> str:
    """Returns sqlite, postgres, or unknown; a URI in a Secret is not read, and nobody puts SQLite's there."""
    uri = str(spec.get("backendStoreUri") or "")
    if uri.startswith("sqlite"):
        return "sqlite"
    return "postgres" if uri.startswith("postgresql") or spec.get("backendStoreUriFrom") else "unknown"


def diagnose(cluster: Cluster, namespace: str, state: State | None) -> list[str]:
    """Returns what explains a server that does not come up: warnings about its objects, and the end of the migration's log."""
    if state is None:
        return []
    names = [NAME, f"{NAME}-pvc", *(pod["metadata"]["name"] for pod in [*state.pods, *state.migration_pods])]
    found = deployments.diagnose(cluster, namespace, names)
    ended_badly = [pod for pod in state.migration_pods if any(_ended_badly(entry) for entry in pods.container_states(pod))]
    for pod in sorted(ended_badly, key=lambda pod: pod["metadata"].get("creationTimestamp", ""))[-1:]:
        found.append(_log(cluster, namespace, f"migration pod {pod['metadata']['name']}", pod["metadata"]["name"], {}))
    for pod in state.pods:
        for entry in pods.container_states(pod):
            if entry["name"] == NAME and not entry.get("ready") and (_ended_badly(entry) or "running" in (entry.get("state") or {})):
                query = {"container": NAME, "previous": "true"} if entry.get("restartCount") else {"container": NAME}
                found.append(_log(cluster, namespace, f"pod {pod['metadata']['name']}", pod["metadata"]["name"], query))
    return found


def _log(cluster: Cluster, namespace: str, what: str, pod: str, query: Mapping[str, str]) -> str:
    try:
        log = cluster.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query={"tailLines": LOG_LINES, **query}).strip()
    except ClusterError as error:
        return f"no log of {what}: {error}"
    log = _PASSWORD.sub(r"\1***@", log)
    return f"log of {what}:\n{log}" if log else f"{what}: has no log"


def _ended_badly(state: Mapping[str, Any]) -> bool:
    ends = [(state.get(name) or {}).get("terminated") or {} for name in ("state", "lastState")]
    return any(end.get("exitCode") for end in ends)
