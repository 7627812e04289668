# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alert profiles, kube-burner's list of {expr, description, severity}, as objectives of cells: an alert that fires in the window is an objective missed.

kube-burner's format: https://kube-burner.github.io/kube-burner/latest/observability/alerting/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient, PrometheusError
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import Request, TemplateError
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import Entry, ProfileError, read_profile
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import ResponseError, Series, read_series
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.selector import SelectorError

SELECT = "alerts"
METRIC = "series"
# kube-burner stops at a critical alert at once; a cell is over when its window is judged.
SEVERITIES = {"info": "info", "warning": "warning", "error": "error", "critical": "error"}
SHOWN_MOST = 20
_KEYS = {"expr", "description", "severity"}
# A field of the description, as Go's text/template writes it: the labels and the value of the series that fired.
_PLACE = re.compile(r"\{\{-?\s*(?:\$labels|\.Labels)\.(?P<label>\w+)\s*-?\}\}|\{\{-?\s*(?:\$value|\.Value)\s*-?\}\}")
_RANGE = re.compile(r"\[\s*((?:\d+(?:ms|[smhdwy]))+|\d+(?:\.\d+)?)\s*[\]:]")
_UNIT_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000, "": 1}


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
        name = first = _PLACE.sub(lambda place: f"<{place['label'] or 'value'}>", description)
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


def evaluate_alerts(alerts: Sequence[Mapping[str, Any]], request: Request, client: PrometheusClient) -> list[dict[str, Any]]:
    """Return for each alert {name, expr, severity, status: fired|quiet|unknown, series: how many fired, fired: the first of them, reason}.

    The expression is evaluated at each step of the window; one that looks back only from where its longest range lies in the window, so that what happened
    before is not judged (with `{{.elapsed}}`: at the end). A series fires at its first value, whatever that is. An alert whose expression cannot be
    evaluated is unknown, with the reason.
    """
    results = []
    for alert in alerts:
        entry = Entry(alert["expr"], f"alert {alert['name']}")
        found: dict[str, Any] = {"status": "unknown", "series": None, "fired": [], "reason": None}
        try:
            query = request.query_of(entry)
            start = request.window.start + min(_longest_range_s(query), request.window.seconds)
            _shape, series = read_series(client.range(query, start, request.window.end, request.step_s, entry.metric), entry.metric)
            fired = [one for one in series if one.points or one.not_finite]
            found |= {"status": "fired" if fired else "quiet", "series": len(fired), "fired": [_fired(one, alert) for one in fired[:SHOWN_MOST]]}
        except (PrometheusError, ResponseError, TemplateError, SelectorError) as error:
            found["reason"] = str(error)
        results.append({"name": alert["name"], "expr": alert["expr"], "severity": alert["severity"], **found})
    return results


def _longest_range_s(query: str) -> float:
    """Return the seconds of the longest range selector of an expression, 0 without one (https://prometheus.io/docs/prometheus/latest/querying/basics/)."""
    return max((_seconds(text) for text in _RANGE.findall(query)), default=0.0)


def _seconds(text: str) -> float:
    return sum(float(number) * _UNIT_S[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|[smhdwy]|)", text))


def _fired(series: Series, alert: Mapping[str, Any]) -> dict[str, Any]:
    at, value = series.points[0] if series.points else (None, None)
    shown = series.not_finite[0] if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
    text = _PLACE.sub(lambda place: series.labels.get(place["label"], "") if place["label"] else shown, alert["description"])
    return {"at": at, "value": value, "text": text}
