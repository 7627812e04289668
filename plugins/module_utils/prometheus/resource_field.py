# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the result of a query can fill in a component's resources, and how."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ResourceField:
    """One thing a query measures.

    `instant` says which kind of query it needs; `outputs` maps a statistic over time (of an instant query: value)
    to the key it fills; `combine` says how instances make a component, and `parts` how an instance's parts (the containers
    of a pod) make the instance: sum, max, or mean. Volumes are no instances and have no total: several pods may share one.
    """

    instant: bool
    outputs: dict[str, str]
    combine: str = "sum"
    parts: str = "sum"
    place: str = "instances"


def _traffic(direction: str) -> ResourceField:
    key = f"network.{direction}_bytes_per_s"
    return ResourceField(False, {"mean": f"{key}_mean", "max": f"{key}_peak"})


def _amount(key: str) -> ResourceField:
    return ResourceField(True, {"value": key})


def _worst(key: str) -> ResourceField:
    """A ratio cannot be added up; the worst part of the worst instance is what a user wants to see."""
    return ResourceField(True, {"value": key}, "max", "max")


def _of_volume(key: str) -> ResourceField:
    return ResourceField(True, {"value": key}, parts="max", place="volumes")


FIELDS: dict[str, ResourceField] = {
    "cpu_cores_mean": _amount("cpu_cores_mean"),
    "cpu_cores_peak": ResourceField(False, {"max": "cpu_cores_peak"}),
    "memory_bytes": ResourceField(False, {"mean": "memory_bytes_mean", "max": "memory_bytes_peak"}),
    # The query counts samples; what was expected is known here.
    "coverage": ResourceField(True, {"value": "coverage"}, "mean", "mean"),
    "restarts": _amount("restarts"),
    "oom_kills": _amount("oom_kills"),
    "throttled_ratio": _worst("throttled_ratio"),
    "cpu_utilization": ResourceField(False, {"mean": "cpu_utilization_mean", "max": "cpu_utilization_peak"}),
    "instance_count": ResourceField(False, {"min": "instance_count_min", "max": "instance_count_max", "last": "instance_count_last"}),
    "limits.cpu_cores": _amount("limits.cpu_cores"),
    "limits.memory_bytes": _amount("limits.memory_bytes"),
    "requests.cpu_cores": _amount("requests.cpu_cores"),
    "requests.memory_bytes": _amount("requests.memory_bytes"),
    "network.receive_bytes_per_s": _traffic("receive"),
    "network.transmit_bytes_per_s": _traffic("transmit"),
    "pressure.cpu": _worst("pressure.cpu"),
    "pressure.memory": _worst("pressure.memory"),
    "pressure.io": _worst("pressure.io"),
    "volumes.used_bytes": _of_volume("used_bytes"),
    "volumes.capacity_bytes": _of_volume("capacity_bytes"),
}

NUMBERS = (
    "cpu_cores_mean", "cpu_cores_peak", "memory_bytes_mean", "memory_bytes_peak", "coverage", "restarts", "oom_kills", "throttled_ratio",
    "instance_count_min", "instance_count_max", "instance_count_last", "instances_started",
)  # fmt: skip
