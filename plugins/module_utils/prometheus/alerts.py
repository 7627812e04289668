# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alerts of a profile, evaluated by a Prometheus over the window of a cell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.alert_profile import PLACE
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient, PrometheusError
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import Request, TemplateError
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import Entry
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import ResponseError, Series, read_series
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.selector import SelectorError

SHOWN_MOST = 20
_RANGE = re.compile(r"\[\s*((?:\d+(?:ms|[smhdwy]))+|\d+(?:\.\d+)?)\s*[\]:]")
_UNIT_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000, "": 1}


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
    text = PLACE.sub(lambda place: series.labels.get(place["label"], "") if place["label"] else shown, alert["description"])
    return {"at": at, "value": value, "text": text}
