# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator does once, so that somebody with only the rights of files/kubernetes/rbac.yml can run the suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from cluster_suite import ClusterSuite

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.tokens import request_token

HERE = Path(__file__).resolve().parent
NAMESPACE = "opendatahub"
CONTROLLER = "perfscale-mlflow-controller"
USER = f"system:serviceaccount:{NAMESPACE}:{CONTROLLER}"
SHIPPED = yaml.safe_load((HERE.parents[1] / "files" / "kubernetes" / "rbac.yml").read_text(encoding="utf-8"))["items"]
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_PATHS = {
    "Namespace": "/api/v1{place}/namespaces",
    "ServiceAccount": "/api/v1{place}/serviceaccounts",
    "Role": _RBAC + "{place}/roles",
    "ClusterRole": _RBAC + "{place}/clusterroles",
    "RoleBinding": _RBAC + "{place}/rolebindings",
    "ClusterRoleBinding": _RBAC + "{place}/clusterrolebindings",
}
_DAY_S = 86400


def _path(manifest: dict[str, Any]) -> str:
    metadata = manifest["metadata"]
    place = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return _PATHS[manifest["kind"]].format(place=place)


@contextmanager
def prepared(suite: ClusterSuite, cluster: Cluster) -> Iterator[dict[str, str]]:
    """Has `suite` install the operator, applies the shipped roles, and gives the environment of a controller that logs in with them.

    The environment is what an automation controller's credential for Kubernetes injects. Everything is removed afterwards.
    """
    operator = str(HERE / "operator.yml")
    settings = {"test_matrix_run_dir": str(suite.results / "administrator")}
    try:
        assert suite.play(operator, settings).returncode == 0
        for manifest in SHIPPED:
            path = _path(manifest)
            if cluster.get(f"{path}/{manifest['metadata']['name']}") is None:
                cluster.request("POST", path, manifest)
        token = request_token(cluster, NAMESPACE, CONTROLLER, _DAY_S).text
        authority = str(cluster.configuration.ssl_ca_cert)
        yield {"K8S_AUTH_HOST": cluster.host, "K8S_AUTH_API_KEY": token, "K8S_AUTH_SSL_CA_CERT": authority, "K8S_AUTH_VERIFY_SSL": "True"}
    finally:
        suite.play(operator, {**settings, "operator_tasks": "teardown"})
        for manifest in reversed(SHIPPED):
            path = f"{_path(manifest)}/{manifest['metadata']['name']}"
            if cluster.get(path) is not None:
                cluster.request("DELETE", path)
