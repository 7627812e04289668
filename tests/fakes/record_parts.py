# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a cell's record as the stages of a cell return them, with invented numbers."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

_LATENCY = {"mean": 12.0, "p50": 10.0, "p90": 20.0, "p95": 25.0, "p99": None, "max": 30.0}
_BLOCK = {
    "n": 20,
    "ok": 20,
    "failed": 0,
    "failed_by": {},
    "rate_per_s": 1.0,
    "goodput_per_s": 1.0,
    "latency_ms": _LATENCY,
    "latency_ok_ms": _LATENCY,
    "ci95": {},
    "low_n": ["p90", "p95"],
    "suppressed": {"p99": "n=20: p99 needs n(1-0.99) >= 1"},
}
_DURATION = {"mean": 1.0, "p50": 900.0, "p95": None, "max": 2.0}
_MEASURED = {"status": "ok", "coverage": 1.0, "restarts": 0}
PARTS = {
    "result": {
        "window": {"start": 1000.0, "end": 1020.0},
        "operations": {"create_run": _BLOCK, "get_run": _BLOCK},
        "total": _BLOCK,
        "journeys": {"training": {"started": 5, "completed": 4, "interrupted": 1, "dropped": 0, "duration_ms": _DURATION}},
        "mix": {},
        "sent": {
            "n": 1200, "answered": 1180, "repeated": 3, "artifacts": {"n": 200, "answered": 190, "repeated": 1}, "start": 995.0, "end": 1021.0,
        },
        "generator": {"vus_max": 5, "dropped": 0, "lateness_ms_p99": 2.0},
        "warnings": [],
    },
    "resources": {
        "mlflow": {**_MEASURED, "cpu_cores_mean": 1.0, "cpu_cores_peak": 1.2, "memory_bytes_mean": 5e8, "memory_bytes_peak": 6e8},
        "k6_benchmark": {**_MEASURED, "cpu_cores_mean": 0.02, "cpu_cores_peak": 0.03, "memory_bytes_mean": 5e7, "memory_bytes_peak": 6e7},
    },
    "exit": {"exit_code": 0, "cpu_seconds": 1.0, "max_rss_bytes": 7e7, "started": 990.0, "ended": 1022.0},
    "generator": {"cores": 2},
    "controller": {"cpu_cores_mean": 0.01},
}


def record_parts() -> dict[str, Any]:
    """Return a new copy of the parts of a valid cell."""
    return deepcopy(PARTS)
