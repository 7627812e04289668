# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of a cluster that runs Jobs: each one ends at once with the logs that the test gives."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from fakes.fake_cluster import FakeCluster

NAMESPACE = "odh"
JOBS, PODS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs", f"/api/v1/namespaces/{NAMESPACE}/pods"
MLFLOW_PODS = {"namespace": NAMESPACE, "pod": "mlflow-[a-z]+", "container": "mlflow"}
PLACE = {
    "namespace": NAMESPACE, "host": "postgresql.odh.svc", "user": "mlflow", "database": "mlflow", "secret": "postgresql-credentials", "claim": "postgresql",
    "image": "postgres:15", "image_pull_policy": "IfNotPresent", "image_pull_secrets": ["registry"], "run_as_user": 999,
}  # fmt: skip


def mlflow_pod(destination: str = "file:///mlflow/artifacts", **container: Any) -> dict[str, Any]:
    """Return a running pod of MLflow with a claim at /mlflow."""
    served = {
        "name": "mlflow", "image": "mlflow:3.17.2", "command": ["mlflow"], "args": ["server", f"--artifacts-destination={destination}", "--workers=1"],
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "data", "mountPath": "/mlflow"}], **container,
    }  # fmt: skip
    volumes = [{"name": "tmp", "emptyDir": {}}, {"name": "data", "persistentVolumeClaim": {"claimName": "mlflow-pvc"}}]
    return {
        "metadata": {"name": "mlflow-abc", "namespace": NAMESPACE, "uid": "uid-mlflow"},
        "spec": {"nodeName": "node-1", "securityContext": {"fsGroup": 1001}, "containers": [served], "volumes": volumes},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "mlflow", "state": {"running": {}}}],
        },
    }


class FakeJobCluster(FakeCluster):
    """`outputs` are the logs of the next Jobs by container; one with the key `failed` fails. `created` are the Jobs that were created."""

    def __init__(self, *outputs: Mapping[str, str], pods: tuple[dict[str, Any], ...] = ()) -> None:
        super().__init__(*[(f"{PODS}/{pod['metadata']['name']}", pod) for pod in pods])
        self.outputs = list(outputs)
        self.created: list[dict[str, Any]] = []
        self.loses_response = False

    def text(self, path: str, query: dict[str, Any] | None = None) -> str:
        return super().text(f"{path}?{(query or {})['container']}", query)

    def request(self, method: str, path: str, body: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        if method == "DELETE" and path.startswith(JOBS):
            # Pods go with their Job.
            self.objects = {where: entry for where, entry in self.objects.items() if self._owner(entry) != path.rpartition("/")[2]}
        if method != "POST":
            return super().request(method, path, body, **options)
        assert (path, body is not None) == (JOBS, True)
        self.requests.append((method, path))
        self._complete(copy.deepcopy(body or {}), dict(self.outputs.pop(0)))
        if self.loses_response:
            raise ClusterError("exists", 409, "AlreadyExists")
        return {}

    def _complete(self, job: dict[str, Any], output: dict[str, str]) -> None:
        name = job["metadata"]["name"]
        self.created.append(job)
        self.objects[f"{JOBS}/{name}"] = job
        failed = output.pop("failed", "")
        statuses = [{"name": each, "state": {"terminated": {"exitCode": 3 if each == failed else 0}}} for each in output]
        pod = copy.deepcopy(job["spec"]["template"])
        pod["metadata"] |= {"name": f"{name}-x", "namespace": NAMESPACE, "ownerReferences": [{"name": name}]}
        pod["status"] = {"phase": "Failed" if failed else "Succeeded", "containerStatuses": statuses}
        self.objects[f"{PODS}/{name}-x"] = pod
        self.logs |= {f"{PODS}/{name}-x/log?{container}": log for container, log in output.items()}

    @staticmethod
    def _owner(entry: Mapping[str, Any]) -> str:
        return next((owner["name"] for owner in entry["metadata"].get("ownerReferences") or []), "")
