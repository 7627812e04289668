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
    to the key it fills; `combine` says how instances make a component: sum, max, or mean.
    """

    instant: bool
    outputs: dict[str, str]
    combine: str = "sum"


FIELDS: dict[str, ResourceField] = {
    "cpu_cores_mean": ResourceField(True, {"value": "cpu_cores_mean"}),
    "cpu_cores_peak": ResourceField(False, {"max": "cpu_cores_peak"}),
    "memory_bytes": ResourceField(False, {"mean": "memory_bytes_mean", "max": "memory_bytes_peak"}),
    # The query counts samples; what was expected is known here.
    "coverage": ResourceField(True, {"value": "coverage"}, "mean"),
    "restarts": ResourceField(True, {"value": "restarts"}),
    "oom_kills": ResourceField(True, {"value": "oom_kills"}),
    # A ratio cannot be added up; the worst instance is what a user wants to see.
    "throttled_ratio": ResourceField(True, {"value": "throttled_ratio"}, "max"),
    "cpu_utilization": ResourceField(False, {"mean": "cpu_utilization_mean", "max": "cpu_utilization_peak"}),
    "instance_count": ResourceField(False, {"min": "instance_count_min", "max": "instance_count_max", "last": "instance_count_last"}),
    "limits.cpu_cores": ResourceField(True, {"value": "limits.cpu_cores"}),
    "limits.memory_bytes": ResourceField(True, {"value": "limits.memory_bytes"}),
}

NUMBERS = (
    "cpu_cores_mean", "cpu_cores_peak", "memory_bytes_mean", "memory_bytes_peak", "coverage", "restarts", "oom_kills", "throttled_ratio",
    "instance_count_min", "instance_count_max", "instance_count_last",
)  # fmt: skip
