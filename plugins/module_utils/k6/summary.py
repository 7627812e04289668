# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end-of-test summary of k6, in the three shapes that k6 writes, as one plain structure.

Shapes: the `data` argument of handleSummary (k6 1.x and 2.x default: `metrics` is a mapping, percentiles are
called `p(95)`, a rate has `passes` and `fails`), and the machine readable summary that
K6_NEW_MACHINE_READABLE_SUMMARY switches on since k6 1.5 (`results.metrics` is a list, percentiles are called
`p95`, a rate has `matches` and `total`, counters carry no rate), and what `--summary-export` writes (values stand in the metric itself; a rate
has its share as `value`; https://github.com/grafana/k6/blob/v1.4.0/internal/js/summary-wrapper.js, `oldJSONSummary`). Each appears alone or
wrapped as {concurrency, tenants, data, timestamp}.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import read_text

_PERCENTILE = re.compile(r"^p\((\d+(?:\.\d+)?)\)$")


class SummaryError(Exception):
    """A summary file that cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True)
class Summary:
    """A summary file.

    metrics maps a metric's name to its values with percentiles named `p90`; duration_s is the length of the whole
    k6 run in seconds, or None where the file does not contain it; setup_data is what the script's setup() returned
    (only handleSummary has it); envelope is what stood around the k6 data.
    """

    metrics: dict[str, dict[str, float]]
    duration_s: float | None = None
    setup_data: dict[str, Any] = field(default_factory=dict)
    envelope: dict[str, Any] = field(default_factory=dict)


def read_summary(path: str | Path) -> Summary:
    """Read a summary file of any shape; raises SummaryError, which names other files of k6 for what they are."""
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise SummaryError(f"Summary file {path}: is not text ({error.reason}). Give a JSON file written by k6.") from error
    except OSError as error:
        raise SummaryError(f"Summary file {path}: cannot be read ({error.strerror}). Check the path and its permissions.") from error
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise SummaryError(f"Summary file {path}: is nested too deeply. Give a JSON file written by k6.") from error
    except json.JSONDecodeError as error:
        if other := _other_output(text):
            raise SummaryError(f"Summary file {path}: is {other}. Give the file that handleSummary or --summary-export writes.") from error
        what = "is empty" if not text.strip() else f"is not complete JSON ({error.msg}, line {error.lineno})"
        raise SummaryError(f"Summary file {path}: {what}. k6 was probably stopped while writing it; run the cell again.") from error
    summary = parse_summary(document)
    if summary is None:
        what = _other_output(text) or "without k6 metrics"
        raise SummaryError(f"Summary file {path}: is {what}. Expected `metrics` or `results.metrics`, alone or under `data`.")
    return summary


def find_summary(directory: Path) -> tuple[Summary | None, list[str]]:
    """Return the summary in the directory of a load, or None and a sentence why there is none that can be used."""
    found = sorted(directory.glob("summary*.json"))
    if not found:
        return None, [f"Summary of {directory}: the file is missing. k6 writes it at the end of the load; see k6.log."]
    try:
        return read_summary(found[0]), []
    except SummaryError as error:
        return None, [str(error)]


def parse_summary(document: Any) -> Summary | None:
    """Return a parsed summary of any shape as a Summary, or None when it has none of them."""
    if not isinstance(document, dict):
        return None
    data = _mapping(document, "data") or document
    envelope = {key: value for key, value in document.items() if key != "data"} if data is not document else {}
    results = data.get("results")
    if isinstance(results, dict) and isinstance(results.get("metrics"), list):
        named = {metric["name"]: metric for metric in results["metrics"] if isinstance(metric, dict) and isinstance(metric.get("name"), str)}
        return Summary(_values(named), _number(_mapping(data, "config").get("duration")), envelope=envelope)
    if isinstance(data.get("metrics"), dict):
        duration_ms = _number(_mapping(data, "state").get("testRunDurationMs"))
        return Summary(_values(data["metrics"]), None if duration_ms is None else duration_ms / 1000, _mapping(data, "setup_data"), envelope)
    return None


def _other_output(text: str) -> str:
    """Return what another output of k6 is called, or an empty text."""
    start = text.lstrip()[:2000]
    if '"type":"Metric"' in start or '"type":"Point"' in start:
        return "the samples that k6 writes with --out json, not a summary"
    if start.startswith("metric_name,timestamp"):
        return "the samples that k6 writes with --out csv, not a summary"
    if "http_req_duration" in start and not start.startswith("{"):
        return "the text that k6 prints at its end"
    return ""


def _mapping(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _values(metrics: dict[Any, Any]) -> dict[str, dict[str, float]]:
    found = {}
    for name, metric in metrics.items():
        if not isinstance(name, str) or not isinstance(metric, dict):
            continue
        # --summary-export has no `values`.
        values = metric.get("values", metric)
        if not isinstance(values, dict):
            continue
        numbers = {_PERCENTILE.sub(r"p\1", key): number for key, value in values.items() if (number := _number(value)) is not None}
        if "matches" in numbers:
            numbers["passes"] = numbers.pop("matches")
            numbers["fails"] = numbers.pop("total", numbers["passes"]) - numbers["passes"]
        if values is metric and "passes" in numbers and "value" in numbers:
            numbers["rate"] = numbers.pop("value")
        found[name] = numbers
    return found


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) else None
