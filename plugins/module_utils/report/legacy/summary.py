# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Summary files of the legacy suite (`summary_tenants-T_concurrency_C.json`), for reports over its result folders.

The legacy script recorded, per operation, a trend `<op>_response_time` of the passed requests and the counters
`<op>_passed` and `<op>_failed`; a counter that never fired is absent from the file and means 0.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.summary import Summary, SummaryError, read_summary

_FILE_NAME = re.compile(r"^summary_tenants-(?P<tenants>\d+)_concurrency_(?P<concurrency>\d+)\.json$")
_METRIC = re.compile(r"^(?P<operation>\w+)_(?:response_time|passed|failed)$")
_LATENCIES = {"avg_ms": "avg", "min_ms": "min", "med_ms": "med", "p90_ms": "p90", "p95_ms": "p95", "max_ms": "max"}


class LegacySummaryError(SummaryError):
    """A file that is not a summary of the legacy suite; the message is one sentence for the user."""


def read_legacy_summary(path: str | Path) -> dict[str, Any]:
    """Read one summary file of the legacy suite, in any shape of k6.

    Returns {tenants, concurrency, timestamp, duration_s, operations: {<op>: {avg_ms, min_ms, med_ms, p90_ms,
    p95_ms, max_ms, passed, failed, rps}}, http: {latency_ms, reqs_total, reqs_rate, failed_rate, failed_count}}. Latencies are
    milliseconds of passed requests, None when none passed; rates are per second of the whole k6 run (rps: passed
    requests). Raises SummaryError, or its child LegacySummaryError when the file belongs to something else.
    """
    summary = read_summary(path)
    operations = {match["operation"] for name in summary.metrics if (match := _METRIC.match(name))} - {"http_req"}
    if not operations:
        raise LegacySummaryError(
            f"Summary file {path}: no <operation>_response_time, _passed or _failed metrics. Use a file written by the legacy test script."
        )
    return {
        "tenants": _axis(summary, path, "tenants"),
        "concurrency": _axis(summary, path, "concurrency"),
        "timestamp": summary.envelope.get("timestamp"),
        "duration_s": summary.duration_s,
        "operations": {operation: _operation(summary, operation) for operation in sorted(operations)},
        "http": _http(summary),
    }


def _axis(summary: Summary, path: str | Path, name: str) -> int:
    value: Any = summary.envelope.get(name)
    match = _FILE_NAME.match(Path(path).name)
    if value is None and match:
        value = match[name]
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = 0
    if number < 1:
        raise LegacySummaryError(
            f"Summary file {path}: no {name} ({value!r}). "
            "Name it summary_tenants-<T>_concurrency_<C>.json or set the number inside."
        )
    return number


def _operation(summary: Summary, operation: str) -> dict[str, Any]:
    trend = summary.metrics.get(f"{operation}_response_time", {})
    passed = summary.metrics.get(f"{operation}_passed", {})
    count = int(passed.get("count", 0))
    latencies = {name: trend.get(key) if count else None for name, key in _LATENCIES.items()}
    failed = int(summary.metrics.get(f"{operation}_failed", {}).get("count", 0))
    return {**latencies, "passed": count, "failed": failed, "rps": _rate(passed, summary.duration_s)}


def _http(summary: Summary) -> dict[str, Any]:
    requests = summary.metrics.get("http_reqs", {})
    failures = summary.metrics.get("http_req_failed", {})
    duration = summary.metrics.get("http_req_duration", {})
    # k6 counts http_req_failed as a rate of failures: its "passes" are the failed requests.
    return {
        "latency_ms": {name: duration.get(key) for name, key in _LATENCIES.items()} if requests.get("count") and duration else None,
        "reqs_total": int(requests.get("count", 0)),
        "reqs_rate": _rate(requests, summary.duration_s),
        "failed_rate": failures.get("rate"),
        "failed_count": int(failures["passes"]) if "passes" in failures else None,
    }


def _rate(counter: dict[str, float], duration_s: float | None) -> float | None:
    if "rate" in counter:
        return counter["rate"]
    if not duration_s:
        return None
    return counter.get("count", 0) / duration_s
