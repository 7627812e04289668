# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployments of a sizing: every combination of the values of its axes, and the role variables that deploy it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

BACKENDS = ("sqlite", "postgres")
# A quantity of Kubernetes that a limit may be, and a version of MLflow that pip may install.
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|[KMGT]i?)?")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*")
_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._:/@-]*")
# What the id of a run may not have, as the reference of an image has it.
_NO_LABEL = re.compile(r"[^A-Za-z0-9.]+")


class Axis(NamedTuple):
    """An axis of deployments: whether its values are numbers, what is allowed, and the role variable of an environment that it sets."""

    is_number: bool
    allowed: str
    local: str | None
    cluster: str | None
    pattern: re.Pattern[str] = re.compile(r"[1-9][0-9]*")


AXES = {
    "workers": Axis(True, "whole numbers from 1 up", "local_stack_workers", "mlflow_server_workers"),
    "db_backend": Axis(False, " or ".join(BACKENDS), "local_stack_db_backend", "mlflow_server_db_backend", re.compile("|".join(BACKENDS))),
    "mlflow_version": Axis(False, "versions such as 3.12.0", "local_stack_mlflow_version", None, _VERSION),
    "token_mode": Axis(False, "shared or per_tenant", None, "workspaces_token_mode", re.compile("shared|per_tenant")),
    "replicas": Axis(True, "whole numbers from 1 up", None, "mlflow_server_replicas"),
    "image": Axis(False, "references of images", None, "mlflow_server_image", _IMAGE),
    "cpu_limit": Axis(False, "quantities such as 500m or 2", None, "mlflow_server_cpu_limit", _QUANTITY),
    "memory_limit": Axis(False, "quantities such as 2Gi", None, "mlflow_server_memory_limit", _QUANTITY),
}
"""What may be varied: on this machine the axes with a variable of the local stack, in a cluster those with one of MLflow's resource."""


def deployments_of(axes: Mapping[str, Any], environment: str = "local") -> list[dict[str, Any]]:
    """Return the deployments that axes span in an environment, in declared order: {label, variables: values by role variable}.

    Raises ValueError with one sentence.
    """
    variables = {name: axis.local if environment == "local" else axis.cluster for name, axis in AXES.items()}
    allowed = [name for name, variable in variables.items() if variable]
    unknown = [name for name in axes if name not in allowed]
    if unknown:
        raise ValueError(f"Deployment axis {unknown[0]}: is unknown in the environment {environment}. Allowed: {', '.join(allowed)}.")
    values: dict[str, list[Any]] = {}
    for name, given in axes.items():
        listed = given if isinstance(given, (list, tuple)) else [given]
        values[name] = list(dict.fromkeys(_value(name, value) for value in listed))
        if not values[name]:
            raise ValueError(f"Deployment axis {name}: has no values. Give a list of {AXES[name].allowed}.")
    if not values:
        raise ValueError(f"Deployments: no axis is given. Give at least one of {', '.join(allowed)}, such as workers: [1, 2].")
    if "sqlite" in values.get("db_backend", []) and any(count > 1 for count in values.get("replicas", [])):
        raise ValueError("Deployments: several replicas cannot share a SQLite file. Give db_backend: [postgres], or replicas: [1].")
    points = [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]
    found = [
        {
            "label": "-".join(f"{name.replace('_', '-')}-{_label(name, value)}" for name, value in point.items()),
            "variables": {variables[name]: value for name, value in point.items()},
        }
        for point in points
    ]
    labels = [deployment["label"] for deployment in found]
    if len(set(labels)) < len(labels):
        raise ValueError(f"Deployments: two have the label {next(label for label in labels if labels.count(label) > 1)}. Give images whose tags differ.")
    return found


def visits_of(deployments: Sequence[Mapping[str, Any]], rounds: int) -> list[dict[str, Any]]:
    """Return the deployments in the order in which they are measured in so many rounds: A B B A A B …, so that a drift of the machine falls on all alike.

    A visit is a deployment whose label ends with its round, and which has the label of the deployment as `deployment`; with one round the labels stay.
    Visits of a round have the same seed, and so the same journeys: a comparison within seeds is one within rounds. Raises ValueError with one sentence.
    """
    if rounds < 1:
        raise ValueError(f"Rounds: {rounds} is not allowed. Give a whole number from 1 up.")
    if rounds == 1:
        return [{**deployment, "deployment": deployment["label"]} for deployment in deployments]
    return [
        {
            "label": f"{deployment['label']}-round-{number}", "deployment": deployment["label"],
            "variables": {**deployment["variables"], "test_matrix_seed": number},
        }
        for number in range(1, rounds + 1) for deployment in (deployments if number % 2 else reversed(deployments))
    ]  # fmt: skip


def _label(name: str, value: Any) -> Any:
    """Return a value as it stands in a run id; of an image what follows its registry and path."""
    return _NO_LABEL.sub("-", str(value).rpartition("/")[2]) if name == "image" else value


def _value(name: str, value: Any) -> Any:
    axis, text = AXES[name], str(value)
    if isinstance(value, bool) or not axis.pattern.fullmatch(text):
        raise ValueError(f"Deployment axis {name}: {value!r} is not allowed. Give {axis.allowed}.")
    return int(text) if axis.is_number else text
