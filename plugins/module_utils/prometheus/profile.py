# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics profiles: kube-burner's list of {query, metricName, instant, captureStart}, plus keys of ours.

kube-burner's format: https://kube-burner.github.io/kube-burner/latest/observability/metrics/
Unknown keys are ignored, so that a profile written for kube-burner is read verbatim.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line, read_text

try:
    import yaml
except ImportError:
    yaml = None  # type: ignore[assignment]

SHAPES = ("scalar", "vector", "matrix")


@dataclass(frozen=True)
class ResourceField:
    """One figure that a query measures.

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
    """Return the worst part of the worst instance: a ratio cannot be added up."""
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
    "requests_served": _amount("requests_served"),
    "connections_max": ResourceField(False, {"max": "connections_max"}),
    "limits.connections": ResourceField(False, {"last": "limits.connections"}),
    "access_reviews_per_s": ResourceField(False, {"mean": "access_reviews_per_s"}),
    "volumes.used_bytes": _of_volume("used_bytes"),
    "volumes.capacity_bytes": _of_volume("capacity_bytes"),
}

NUMBERS = (
    "cpu_cores_mean", "cpu_cores_peak", "memory_bytes_mean", "memory_bytes_peak", "coverage", "restarts", "oom_kills", "throttled_ratio",
    "instance_count_min", "instance_count_max", "instance_count_last", "instances_started",
)  # fmt: skip


class ProfileError(ValueError):
    """A profile that cannot be used; the text has one sentence for each problem."""


@dataclass(frozen=True)
class Entry:
    """One query of a profile. The attribute names are the keys in the file, except `metric` for metricName."""

    query: str
    metric: str
    instant: bool = False
    capture_start: bool = False
    field: str | None = None
    fields: tuple[str, ...] = ()
    field_label: str | None = None
    component: str | None = None
    component_label: str | None = None
    instance_label: str | None = None
    parts_label: str | None = None
    selector_labels: tuple[str, ...] = ()
    unit: str | None = None
    optional: bool | None = None
    shape: str | None = None
    series_min: int | None = None
    series_max: int | None = None

    @property
    def by_component(self) -> bool:
        """Whether each component of the target must have series of its own."""
        return self.field is not None and self.component is None

    @property
    def is_required(self) -> bool:
        """Whether it is an error when the entry gives nothing: as it says, else only where a figure of a component depends on it."""
        return not self.optional if self.optional is not None else bool(self.field or self.fields)

    def by_field(self) -> list[Entry]:
        """Return an entry per field when one query measures several, each named after its field; else the entry alone."""
        return [replace(self, metric=name, field=name, fields=()) for name in self.fields] or [self]


# key in the file: (attribute, type)
_KEYS: dict[str, tuple[str, type]] = {
    "query": ("query", str),
    "metricName": ("metric", str),
    "instant": ("instant", bool),
    "captureStart": ("capture_start", bool),
    "field": ("field", str),
    "fields": ("fields", list),
    "field_label": ("field_label", str),
    "component": ("component", str),
    "component_label": ("component_label", str),
    "instance_label": ("instance_label", str),
    "parts_label": ("parts_label", str),
    "selector_labels": ("selector_labels", list),
    "unit": ("unit", str),
    "optional": ("optional", bool),
    "shape": ("shape", str),
    "series_min": ("series_min", int),
    "series_max": ("series_max", int),
}
_TYPE_NAMES = {str: "text", bool: "true or false", int: "a whole number", list: "a list of texts"}


def load_profile(source: Any, including: tuple[str, ...] = ()) -> list[Entry]:
    """Return the entries of a profile given as a list or as the path of a YAML (or JSON) file. Raises ProfileError.

    `including` are the profiles that include this one.
    """
    name = "given"
    if isinstance(source, str):
        name, source = source, read_profile(source, "Metrics profile")
    if not isinstance(source, list) or not source:
        raise ProfileError(f"Metrics profile {name}: not a list of queries. Write a list of entries with query and metricName.")
    problems: list[str] = []
    based: list[Entry] = []
    if isinstance(source[0], Mapping) and isinstance(source[0].get("include"), str):
        path = os.path.normpath(Path(name).parent / source[0]["include"])
        if path in (*including, os.path.normpath(name)):
            raise ProfileError(f"Metrics profile {name}: includes {path}, which includes it. Remove one of the two.")
        based, source = load_profile(path, (*including, os.path.normpath(name))), source[1:]
    entries = [entry for number, item in enumerate(source, 1) if (entry := _read_entry(item, number, name, problems))]
    found = _replaced(based, entries)
    # kube-burner indexes entries of one metricName side by side; of a figure there can be one.
    filled = [(one.field, one.component) for entry in found for one in entry.by_field() if one.field]
    problems.extend(
        f"Metrics profile {name}: {field} is filled twice{f' for component {component}' if component else ''}. Give each field one query."
        for field, component in dict.fromkeys(filled)
        if filled.count((field, component)) > 1
    )
    if problems:
        raise ProfileError(" ".join(problems))
    return found


def _replaced(based: list[Entry], entries: list[Entry]) -> list[Entry]:
    """Return the included entries, those of the same metricName replaced in place, then the further ones."""
    own: dict[str, list[Entry]] = {}
    for entry in entries:
        own.setdefault(entry.metric, []).append(entry)
    names, known = set(own), {entry.metric for entry in based}
    replaced = [other for entry in based for other in (own.pop(entry.metric, []) if entry.metric in names else [entry])]
    return replaced + [entry for entry in entries if entry.metric not in known]


def read_profile(path: str, what: str) -> Any:
    """Return the content of a YAML (or JSON) file; `what` it is begins the sentence of a ProfileError."""
    try:
        return yaml.safe_load(read_text(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ProfileError(f"{what} {path}: not readable ({reason}). Give the path of a profile.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ProfileError(f"{what} {path}: not YAML ({one_line(str(error))}). Correct the file.") from error


def _read_entry(item: Any, number: int, profile: str, problems: list[str]) -> Entry | None:
    where = f"Metrics profile {profile}: entry {number}"
    if not isinstance(item, Mapping):
        problems.append(f"{where} is not a mapping. Write query and metricName.")
        return None
    if item.get("metricName"):
        where += f" ({item['metricName']})"
    before = len(problems)
    values: dict[str, Any] = {}
    for key, (attribute, kind) in _KEYS.items():
        value = item.get(key)
        if value is None:
            continue
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)) or not (_is_filled(value) or key == "query"):
            problems.append(f"{where} has {key} {value!r}. Write {_TYPE_NAMES[kind]}.")
        else:
            values[attribute] = value.strip() if isinstance(value, str) else tuple(value) if isinstance(value, list) else value
    problems.extend(f"{where} has no {key}. Add it." for key, attribute in (("query", "query"), ("metricName", "metric")) if item.get(key) is None)
    _check_choices(values, where, problems)
    return Entry(**values) if len(problems) == before else None


def _is_filled(value: Any) -> bool:
    """Whether a text is not empty, and a list holds such texts and nothing else."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, str) and item for item in value)
    return bool(value != "")


def _check_choices(values: Mapping[str, Any], where: str, problems: list[str]) -> None:
    given = [values["field"]] if "field" in values else list(values.get("fields", ()))
    for field in given:
        if field not in FIELDS:
            problems.append(f"{where} has field {field!r}. Choose one of {', '.join(FIELDS)}.")
        elif FIELDS[field].instant != values.get("instant", False):
            wanted = "true" if FIELDS[field].instant else "false"
            problems.append(f"{where} fills {field}, which needs instant: {wanted}. Change instant.")
    if ("fields" in values) != ("field_label" in values) or ("fields" in values and "field" in values):
        problems.append(f"{where} has fields, field_label or field that do not go together. Write field, or fields and the field_label that tells them apart.")
    shape = values.get("shape")
    if shape is not None and shape not in SHAPES:
        problems.append(f"{where} has shape {shape!r}. Choose one of {', '.join(SHAPES)}.")
