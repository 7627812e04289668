# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Factories of Deployments, pods and events with the fields that the code under test reads."""

from __future__ import annotations

STORE = {"name": "MLFLOW_BACKEND_STORE_URI", "value": "sqlite:////mlflow/mlflow.db"}


def deployment(replicas: int = 1, observed: int = 4, container: dict | None = None, **counts: int) -> dict:
    """Return a Deployment of MLflow; `counts` replace those of a complete rollout."""
    full = {"readyReplicas": replicas, "availableReplicas": replicas, "updatedReplicas": replicas, "replicas": replicas, **counts}
    whole = {"name": "mlflow", "image": "mlflow:1", "args": ["server", "--workers=1"], **(container or {})}
    whole["env"] = [whole.pop("store", STORE), *whole.get("env", [])]
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "mlflow"}}, "template": {"spec": {"containers": [whole]}}}
    return {"metadata": {"name": "mlflow", "generation": 4}, "spec": spec, "status": {"observedGeneration": observed, **full}}


def pod(name: str, labels: dict | None = None, **status: object) -> dict:
    """Return a pod with a status."""
    return {"metadata": {"name": name, "labels": labels or {"app": "mlflow"}}, "spec": {"nodeName": "node0"}, "status": status}


def waiting(reason: str, name: str = "mlflow", **more: object) -> dict:
    """Return the status of a waiting container."""
    return {"name": name, "image": "mlflow:1", "state": {"waiting": {"reason": reason, "message": "back-off"}}, **more}


def event(name: str, message: str, when: str, kind: str = "Warning") -> dict:
    """Return an event about a pod."""
    return {"type": kind, "reason": "Failed", "message": message, "lastTimestamp": when, "involvedObject": {"kind": "Pod", "name": name}}
