# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of kube-state-metrics, which no package registry has: the same names and labels, for the few series that our profiles use
(https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/workload/pod-metrics.md)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from kubernetes.utils import parse_quantity

UNITS = {"cpu": "core", "memory": "byte"}


def samples(pods: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, str], Decimal | int]]:
    """Yield (name, labels, value) for pods as the API returns them."""
    for pod in pods:
        where = {"namespace": pod["metadata"]["namespace"], "pod": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        node = {"node": pod["spec"].get("nodeName", "")}
        yield "kube_pod_info", {**where, **node, "pod_ip": pod["status"].get("podIP", "")}, 1
        for phase in ("Pending", "Running", "Succeeded", "Failed", "Unknown"):
            yield "kube_pod_status_phase", {**where, "phase": phase}, int(pod["status"].get("phase") == phase)
        for volume in pod["spec"].get("volumes", []):
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim:
                labels = {**where, "volume": volume["name"], "persistentvolumeclaim": claim}
                yield "kube_pod_spec_volumes_persistentvolumeclaims_info", labels, 1
        for container in pod["spec"]["containers"]:
            for kind in ("limits", "requests"):
                for resource, amount in container.get("resources", {}).get(kind, {}).items():
                    labels = {**where, **node, "container": container["name"], "resource": resource, "unit": UNITS.get(resource, "integer")}
                    yield f"kube_pod_container_resource_{kind}", labels, parse_quantity(amount)
        for status in pod["status"].get("containerStatuses", []):
            labels = {**where, "container": status["name"]}
            yield "kube_pod_container_status_restarts_total", labels, status["restartCount"]
            yield "kube_pod_container_status_ready", labels, int(status["ready"])
            ended = status.get("lastState", {}).get("terminated")
            if ended:
                yield "kube_pod_container_status_last_terminated_reason", {**labels, "reason": ended.get("reason", "")}, 1


def exposition(pods: list[dict[str, Any]]) -> str:
    """Return the text that Prometheus reads (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
    lines = []
    for name, labels, value in sorted(samples(pods), key=lambda sample: sample[0]):
        shown = ",".join(f'{label}="{text}"' for label, text in labels.items())
        lines.append(f"{name}{{{shown}}} {value}")
    return "\n".join(lines) + "\n"
