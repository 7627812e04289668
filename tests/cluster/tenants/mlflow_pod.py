# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real MLflow with its Kubernetes plugins in one pod, without an operator: namespaces are workspaces, service accounts its users."""

from __future__ import annotations

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from tenants.accounts import RBAC, until

PORT = 5000
START_LIMIT_S = 240.0
READS_NAMESPACES = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]}]
ARGUMENTS = [
    "server",
    "--app-name=kubernetes-auth",
    "--enable-workspaces",
    "--workspace-store-uri=kubernetes://",
    "--backend-store-uri=sqlite:////tmp/mlflow.db",
    "--serve-artifacts",
    "--artifacts-destination=file:///tmp/artifacts",
    "--host=0.0.0.0",
    f"--port={PORT}",
    "--workers=1",
    "--allowed-hosts=*",
]


def start(cluster: Cluster, namespace: str, image: str, selector: dict[str, str], cache_s: int = 300) -> str:
    """Start MLflow in a namespace and return its URL once it responds; it serves namespaces with the selector and caches decisions for `cache_s`."""
    variables = {
        "MLFLOW_K8S_WORKSPACE_LABEL_SELECTOR": ",".join(f"{key}={value}" for key, value in selector.items()),
        "MLFLOW_K8S_AUTH_AUTHORIZATION_MODE": "self_subject_access_review",
        "MLFLOW_K8S_AUTH_CACHE_TTL_SECONDS": str(cache_s),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "HOME": "/tmp",
    }
    name = f"{namespace}-mlflow"
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "mlflow"}})
    cluster.request("POST", f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": READS_NAMESPACES})
    subject = {"kind": "ServiceAccount", "name": "mlflow", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    cluster.request("POST", f"{RBAC}/clusterrolebindings", {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]})
    container = {
        "name": "mlflow",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["mlflow"],
        "args": ARGUMENTS,
        "env": [{"name": key, "value": value} for key, value in variables.items()],
    }
    pod = {"metadata": {"name": "mlflow"}, "spec": {"serviceAccountName": "mlflow", "containers": [container]}}
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/pods", pod)

    def answers() -> str:
        address = (cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods/mlflow").get("status") or {}).get("podIP")
        if not address:
            return ""
        client = MlflowClient(f"http://{address}:{PORT}", timeout_s=5)
        try:
            client.request("GET", "/health", attempts=1)
        except MlflowError:
            return ""
        finally:
            client.close()
        return client.url

    return str(until(f"MLflow in {namespace}", answers, START_LIMIT_S))


def forget(cluster: Cluster, namespace: str) -> None:
    """Remove what MLflow has outside its namespace."""
    for kind in ("clusterrolebindings", "clusterroles"):
        cluster.request("DELETE", f"{RBAC}/{kind}/{namespace}-mlflow")
