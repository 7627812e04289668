# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Result folders as the scripts of the legacy suite wrote them, with invented figures."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import OPERATIONS

METRICS = """# MLflow Performance Test - Prometheus Metrics
# Database Backend: {backend}
component,metric,aggregation,unit,value
mlflow,cpu,avg,cores,0.75
mlflow,cpu,max,cores,0.9
mlflow,memory,avg,bytes,620838400
mlflow,memory,max,bytes,633032704
mlflow,pod_count,current,count,1
router,cpu,avg,cores,N/A
router,cpu,max,cores,
router,memory,avg,bytes,NaN
cluster,cpu_utilization,avg,percent,41.5
cluster,cpu_utilization,max,percent,77
"""


def write_legacy_summary(path: Path, tenants: int, concurrency: int, p95: float = 120.0, failed: dict[str, int] | None = None, passed: int = 200) -> None:
    """Write a summary in the form of the legacy script, with invented figures; counters that never fired are absent."""
    metrics = {
        "http_reqs": {"type": "counter", "values": {"count": passed * 16, "rate": passed * 16 / 40}},
        "http_req_failed": {"type": "rate", "values": {"rate": 0.0, "passes": 0, "fails": passed * 16}},
        "http_req_duration": {"type": "trend", "values": {"avg": 50.0, "min": 4.0, "med": 40.0, "max": 400.0, "p(90)": 100.0, "p(95)": p95 * 1.1}},
    }
    for name in OPERATIONS:
        wrong = (failed or {}).get(name, 0)
        if wrong < passed:
            values = {"avg": p95 / 2, "min": 4.0, "med": p95 / 2.2, "max": p95 * 3, "p(90)": p95 * 0.8, "p(95)": p95}
            metrics[f"{name}_response_time"] = {"type": "trend", "values": values}
            metrics[f"{name}_passed"] = {"type": "counter", "values": {"count": passed - wrong, "rate": (passed - wrong) / 40}}
        if wrong:
            metrics[f"{name}_failed"] = {"type": "counter", "values": {"count": wrong, "rate": wrong / 40}}
    document = {
        "concurrency": concurrency, "tenants": tenants, "timestamp": "2026-11-23T18:12:19Z",
        "data": {"state": {"testRunDurationMs": 40000.0}, "metrics": metrics},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


def write_legacy_folder(folder: Path, metrics: bool = True, backend: str = "sqlite") -> Path:
    """Write two tenant levels by two loads."""
    for tenants in (1, 10):
        for concurrency in (5, 10):
            write_legacy_summary(folder / f"summary_tenants-{tenants}_concurrency_{concurrency}.json", tenants, concurrency, p95=20.0 * concurrency + tenants)
            if metrics:
                (folder / f"metrics_{tenants}_concurrency_{concurrency}.csv").write_text(METRICS.format(backend=backend), encoding="utf-8")
    return folder
