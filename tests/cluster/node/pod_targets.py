# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods that Prometheus scrapes, as it discovers them by HTTP (https://prometheus.io/docs/prometheus/latest/http_sd/).

Debian's Prometheus is built without discovery by the Kubernetes API; with it, relabelling would have the same result.
"""

from __future__ import annotations

from typing import Any

ANNOTATIONS = "prometheus.io/"


def mlflow(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the servers of MLflow: label app=mlflow, and a port named https."""
    return [
        _target(pod, port["containerPort"], container["name"])
        for pod in pods
        if (pod["metadata"].get("labels") or {}).get("app") == "mlflow"
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
        if port.get("name") == "https" and _has_address(pod)
    ]


def annotated(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the pods that request scraping by the usual annotations prometheus.io/{scrape,port,path}."""
    found = []
    for pod in pods:
        wishes = {name.removeprefix(ANNOTATIONS): value for name, value in (pod["metadata"].get("annotations") or {}).items() if name.startswith(ANNOTATIONS)}
        if wishes.get("scrape") == "true" and wishes.get("port", "").isdigit() and _has_address(pod):
            target = _target(pod, int(wishes["port"]), _container(pod, int(wishes["port"])))
            target["labels"]["__metrics_path__"] = wishes.get("path", "/metrics")
            found.append(target)
    return found


def _container(pod: dict[str, Any], port: int) -> str:
    """Return the container that declares a port, the first one when none does."""
    containers = pod["spec"]["containers"]
    return next((item["name"] for item in containers for declared in item.get("ports", []) if declared["containerPort"] == port), containers[0]["name"])


def _has_address(pod: dict[str, Any]) -> bool:
    return bool(pod["status"].get("podIP")) and pod["status"].get("phase") == "Running"


def _target(pod: dict[str, Any], port: int, container: str) -> dict[str, Any]:
    labels = {"namespace": pod["metadata"]["namespace"], "pod": pod["metadata"]["name"], "container": container}
    return {"targets": [f"{pod['status']['podIP']}:{port}"], "labels": labels}
