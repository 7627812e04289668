# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alert profiles, kube-burner's list of {expr, description, severity}, as objectives of cells: an alert that fires in the window is an objective missed.

kube-burner's format: https://kube-burner.github.io/kube-burner/latest/observability/alerting/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import ProfileError, read_profile

SELECT = "alerts"
METRIC = "series"
# kube-burner stops at a critical alert at once; a cell is over when its window is judged.
SEVERITIES = {"info": "info", "warning": "warning", "error": "error", "critical": "error"}
PLACE = re.compile(r"\{\{-?\s*(?:\$labels|\.Labels)\.(?P<label>\w+)\s*-?\}\}|\{\{-?\s*(?:\$value|\.Value)\s*-?\}\}")
"""A field of the description, as Go's text/template writes it: the labels and the value of the series that fired."""
_KEYS = {"expr", "description", "severity"}


def load_alerts(source: Any) -> list[dict[str, Any]]:
    """Return the alerts of a profile as objectives {name, select, metric, max, severity, expr, description}; none of an empty source.

    `source` is the path of a YAML file, or its list. The name is the description with its fields in angle brackets. Raises ProfileError with a sentence
    for each problem.
    """
    if not source:
        return []
    where, items = ("given", source) if not isinstance(source, str) else (source, read_profile(source, "Alert profile"))
    if not isinstance(items, list) or not items:
        raise ProfileError(f"Alert profile {where}: not a list of alerts. Write a list of entries with expr, description and severity.")
    problems = [f"Alert profile {where}: entry {number} {problem}" for number, item in enumerate(items, 1) for problem in _problems(item)]
    if problems:
        raise ProfileError(" ".join(problems))
    found: dict[str, dict[str, Any]] = {}
    for item in items:
        expr, description = item["expr"].strip(), one_line(item.get("description") or item["expr"])
        name = first = PLACE.sub(lambda place: f"<{place['label'] or 'value'}>", description)
        number = 1
        while name in found:
            number += 1
            name = f"{first} ({number})"
        severity = SEVERITIES[item.get("severity") or "info"]
        found[name] = {"name": name, "select": SELECT, "metric": METRIC, "max": 0, "severity": severity, "expr": expr, "description": description}
    return list(found.values())


def _problems(item: Any) -> list[str]:
    if not isinstance(item, Mapping):
        return ["is not a mapping. Write expr, description and severity."]
    found = [f"has the unknown key {key}. Allowed: {', '.join(sorted(_KEYS))}." for key in item if key not in _KEYS]
    if not isinstance(item.get("expr"), str) or not item["expr"].strip():
        found.append("has no expr. Write the PromQL expression that is true when something is wrong.")
    if item.get("description") is not None and not isinstance(item["description"], str):
        found.append(f"has description {item['description']!r}. Write text.")
    severity = item.get("severity")
    if severity is not None and severity not in SEVERITIES:
        found.append(f"has severity {severity!r}. Choose one of {', '.join(SEVERITIES)}.")
    return found
