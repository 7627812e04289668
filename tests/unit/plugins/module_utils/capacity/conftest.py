# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of probes with invented numbers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import OPERATIONS
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import Run
from fakes.recorded_searches import PLAN, SCHEMAS, search


def block(p95: float | None, n: int = 300, failed: int = 0, rate: float = 100.0) -> dict[str, Any]:
    """Return a block of requests."""
    return {
        "n": n, "ok": n - failed, "failed": failed, "failed_by": {"http_500": failed} if failed else {}, "rate_per_s": rate, "goodput_per_s": rate,
        "latency_ms": {"mean": 1.0, "p50": 1.0, "p90": 2.0, "p95": p95, "p99": None, "max": p95 or 30.0},
    }  # fmt: skip


@pytest.fixture(name="record")
def fixture_record():
    """Return a function that makes the record of a probe: one worker of MLflow with PostgreSQL, 50 requests per journey."""

    def create(load=2.0, p95=100.0, cpu=0.5, failed=0, slow="", status="valid", **more):
        resources = {
            "mlflow": {"status": "ok", "cpu_cores_mean": cpu, "memory_bytes_peak": 5e8, "throttled_ratio": None, "limits": {}},
            "postgresql": {"status": "ok", "cpu_cores_mean": 0.3, "memory_bytes_peak": 2e8, "throttled_ratio": None, "limits": {}},
        }
        started = int(30 * load)
        return {
            "id": f"t10-q{load:g}-r1",
            "spec": {
                "tenants": 10, "rate": load, "concurrency": None, "profile": "open", "training_share": 0.2, "repeat": 1,
                "factors": {"workers": 1, "replicas": 1, "db_backend": "postgres"},
            },
            "window": {"start": 1000.0, "end": 1030.0},
            "verdict": {"status": status, "reasons": [] if status == "valid" else ["generator_cpu_share: 0.9."], "warnings": []},
            "operations": {name: block(20 * (p95 or 1) if name == slow else p95) for name in OPERATIONS},
            "total": block(p95, n=50 * started, failed=failed, rate=50 * load),
            "journeys": {"browsing": {"started": started, "completed": started - 1, "interrupted": 1, "failed": 0, "dropped": 0, "duration_ms": {}}},
            "generator": {"cpu_share": 0.1, "lateness_ms_p95": 1.0},
            "machine": {"cores": 4, "used_cores": 1.5},
            "resources": resources,
            "offered": {"rate_per_s": load, "started_per_s": load, "dropped_share": 0.0, "limited_by": None},
            **more,
        }  # fmt: skip

    return create


@pytest.fixture(name="searched", scope="session")
def fixture_searched(tmp_path_factory):
    """A run whose search has ended with an answer."""
    run = Run(tmp_path_factory.mktemp("searched") / "run-1", SCHEMAS)
    run.begin(PLAN, {}, {})
    search(run)
    run.release_lock()
    return run
