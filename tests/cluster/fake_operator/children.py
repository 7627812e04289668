# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fake of the MLflow operator creates for an MLflow resource: the objects that were seen of the real one, as plain manifests."""

from __future__ import annotations

from typing import Any

NAME = "mlflow"
PORT = 8443
PREFIX = "/mlflow"
LABELS = {"app": NAME, "component": NAME}
MIGRATION = "mlflow.opendatahub.io/migration-job"
# Exit codes of the real migration: 10 to 14 are final, 15 is retried.
MIGRATION_PROGRAM = """
import os, sys
import mlflow.version
import mlflow.store.db.utils as stores
wanted, found = os.environ["SUPPORTED_MLFLOW_VERSION"], mlflow.version.VERSION
if wanted != found:
    print(f"this image has MLflow {found}, and {wanted} is expected", file=sys.stderr)
    sys.exit(10)
try:
    engine = stores.create_sqlalchemy_engine_with_retry(os.environ["MLFLOW_BACKEND_STORE_URI"])
    upgrade = stores._upgrade_db if stores._get_schema_version(engine) else stores._initialize_tables
    upgrade(engine)
except Exception as error:
    print(f"the store cannot be migrated: {type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(15)
"""


def migration_name(version: str, generation: int) -> str:
    """Return the name of the migration Job of a version and a generation of the resource."""
    return f"{NAME}-mg-{version.replace('.', '')}-g{generation}"


def owned(kind: str, api_version: str, name: str, resource: dict[str, Any], namespace: str | None, **content: Any) -> dict[str, Any]:
    """Return a manifest that the garbage collector removes with the resource."""
    owner = {"apiVersion": resource["apiVersion"], "kind": resource["kind"], "name": NAME, "uid": resource["metadata"]["uid"], "controller": True}
    metadata = {"name": name, "labels": LABELS, "ownerReferences": [{**owner, "blockOwnerDeletion": True}]}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata | ({"namespace": namespace} if namespace else {}), **content}


def environment(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the variables of the server and of its migration."""
    store = {"valueFrom": {"secretKeyRef": spec["backendStoreUriFrom"]}} if "backendStoreUriFrom" in spec else {"value": spec["backendStoreUri"]}
    labels = (spec.get("workspaceLabelSelector") or {}).get("matchLabels") or {}
    selector = [{"name": "MLFLOW_K8S_WORKSPACE_LABEL_SELECTOR", "value": ",".join(f"{key}={value}" for key, value in labels.items())}] if labels else []
    registry = [{"name": "MLFLOW_REGISTRY_STORE_URI", "value": spec["registryStoreUri"]}] if spec.get("registryStoreUri") else []
    fixed = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_K8S_AUTH_AUTHORIZATION_MODE": "self_subject_access_review",
        "HOME": "/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    plain = [{"name": name, "value": value} for name, value in fixed.items()]
    return [*plain, {"name": "MLFLOW_BACKEND_STORE_URI", **store}, *registry, *selector, *(spec.get("env") or [])]


def pod(spec: dict[str, Any], image: str, container: dict[str, Any]) -> dict[str, Any]:
    """Return the pod spec that server and migration share."""
    stores = bool(spec.get("storage"))
    mounts = [{"name": "tmp", "mountPath": "/tmp"}, {"name": "mlflow-tls", "mountPath": "/etc/tls/private", "readOnly": True}]
    volumes = [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}, {"name": "mlflow-tls", "secret": {"secretName": "mlflow-tls"}}]
    if stores:
        mounts.append({"name": "mlflow-storage", "mountPath": "/mlflow"})
        volumes.append({"name": "mlflow-storage", "persistentVolumeClaim": {"claimName": "mlflow-pvc"}})
    if any(argument.startswith("--expose-prometheus") for argument in container.get("args", [])):
        mounts.append({"name": "metrics", "mountPath": "/prometheus"})
        volumes.append({"name": "metrics", "emptyDir": {"sizeLimit": "100Mi"}})
    whole = {
        "image": image,
        "imagePullPolicy": (spec.get("image") or {}).get("imagePullPolicy", "IfNotPresent"),
        "resources": spec.get("resources") or {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "4", "memory": "3Gi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts,
        **container,
    }
    placed = {key: spec[key] for key in ("nodeSelector", "tolerations", "affinity") if spec.get(key)}
    return {
        "serviceAccountName": "mlflow-sa",
        "automountServiceAccountToken": True,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [whole],
        "volumes": volumes,
        **placed,
    }


def server_arguments(spec: dict[str, Any], exposes_metrics: bool) -> list[str]:
    """Return the arguments of the server, in the real one's order."""
    artifacts = ["--serve-artifacts", f"--artifacts-destination={spec.get('artifactsDestination', 'file:///mlflow/artifacts')}"]
    return [
        "server",
        *(artifacts if spec.get("serveArtifacts") else ["--no-serve-artifacts"]),
        "--app-name=kubernetes-auth",
        "--enable-workspaces",
        "--workspace-store-uri=kubernetes://",
        "--host=0.0.0.0",
        f"--port={PORT}",
        f"--workers={spec.get('workers', 1)}",
        "--uvicorn-opts=--ssl-keyfile=/etc/tls/private/tls.key --ssl-certfile=/etc/tls/private/tls.crt --proxy-headers",
        "--allowed-hosts",
        "*",
        f"--static-prefix={PREFIX}",
        *(["--expose-prometheus=/prometheus"] if exposes_metrics else []),
    ]


def deployment(resource: dict[str, Any], namespace: str, image: str, exposes_metrics: bool, replicas: int) -> dict[str, Any]:
    """Return the server's Deployment."""
    spec = resource["spec"]

    def probe(path: str, **timing: int) -> dict[str, Any]:
        return {"httpGet": {"path": PREFIX + path, "port": "https", "scheme": "HTTPS"}, "timeoutSeconds": 1, **timing}

    container = {
        "name": NAME,
        "command": ["mlflow"],
        "args": server_arguments(spec, exposes_metrics),
        "env": environment(spec),
        "ports": [{"name": "https", "containerPort": PORT}],
        # The real operator's asks after 5 s and then every 5 s, for which every test that deploys would wait.
        "readinessProbe": probe("/api/3.0/mlflow/server-info", initialDelaySeconds=3, periodSeconds=1),
        "livenessProbe": probe("/health", initialDelaySeconds=30, periodSeconds=10),
    }
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    metadata = {"labels": {**LABELS, **(spec.get("podLabels") or {})}, "annotations": spec.get("podAnnotations") or {}}
    content = {
        "replicas": replicas,
        "strategy": {"type": "Recreate"} if spec.get("storage") else rolling,
        "selector": {"matchLabels": {"app": NAME}},
        "template": {"metadata": metadata, "spec": pod(spec, image, container)},
    }
    return owned("Deployment", "apps/v1", NAME, resource, namespace, spec=content)


def migration(resource: dict[str, Any], namespace: str, image: str, version: str, backoff_limit: int) -> dict[str, Any]:
    """Return the Job that migrates the store to the version's schema."""
    variables = [*environment(resource["spec"]), {"name": "SUPPORTED_MLFLOW_VERSION", "value": version}, {"name": "PROGRAM", "value": MIGRATION_PROGRAM}]
    container = {"name": "db-migrate", "command": ["/bin/sh", "-ec"], "args": ['exec python3.12 -c "$PROGRAM"'], "env": variables}
    labels = {"component": NAME, MIGRATION: "true"}
    template = {"metadata": {"labels": labels}, "spec": {**pod(resource["spec"], image, container), "restartPolicy": "Never"}}
    name = migration_name(version, resource["metadata"]["generation"])
    made = owned("Job", "batch/v1", name, resource, namespace, spec={"backoffLimit": backoff_limit, "ttlSecondsAfterFinished": 86400, "template": template})
    made["metadata"]["labels"] = labels
    return made


def surroundings(resource: dict[str, Any], namespace: str) -> list[dict[str, Any]]:
    """Return what server and migration need."""
    storage = resource["spec"].get("storage")
    rules = [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["mlflow-artifact-connection"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["mlflow.kubeflow.org"], "resources": ["mlflowconfigs"], "verbs": ["get", "list", "watch"]},
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME}
    subject = {"kind": "ServiceAccount", "name": "mlflow-sa", "namespace": namespace}
    ports = {"name": "https", "protocol": "TCP", "port": PORT, "targetPort": "https"}
    policies = {NAME: {"app": NAME}, f"{NAME}-migration": {MIGRATION: "true"}}
    return [
        owned("ServiceAccount", "v1", "mlflow-sa", resource, namespace),
        *([owned("PersistentVolumeClaim", "v1", "mlflow-pvc", resource, namespace, spec=storage)] if storage else []),
        owned("Service", "v1", NAME, resource, namespace, spec={"selector": {"app": NAME}, "ports": [ports], "type": "ClusterIP"}),
        *(
            owned("NetworkPolicy", "networking.k8s.io/v1", name, resource, namespace, spec={"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"]})
            for name, labels in policies.items()
        ),
        owned("ClusterRole", "rbac.authorization.k8s.io/v1", NAME, resource, None, rules=rules),
        owned("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", NAME, resource, None, roleRef=role, subjects=[subject]),
    ]
