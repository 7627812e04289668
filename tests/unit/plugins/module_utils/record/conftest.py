# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a record as the stages hand them over: made-up numbers, named so."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import Run

ROOT = Path(__file__).resolve().parents[5]
SCHEMAS = ROOT / "files" / "schemas"
LATENCY = {"mean": 12.0, "p50": 10.0, "p90": 20.0, "p95": 25.0, "p99": None, "max": 30.0}
BLOCK = {
    "n": 20,
    "ok": 20,
    "failed": 0,
    "failed_by": {},
    "rate_per_s": 1.0,
    "goodput_per_s": 1.0,
    "latency_ms": LATENCY,
    "latency_ok_ms": LATENCY,
    "ci95": {},
    "low_n": ["p90", "p95"],
    "suppressed": {"p99": "n=20: p99 needs n(1-0.99) >= 1"},
}
DURATION = {"mean": 1.0, "p50": 900.0, "p95": None, "max": 2.0}
MEASURED = {"status": "ok", "coverage": 1.0, "restarts": 0}
MADE_UP_PARTS = {
    "result": {
        "window": {"start": 1000.0, "end": 1020.0},
        "operations": {"create_run": BLOCK, "get_run": BLOCK},
        "total": BLOCK,
        "journeys": {"training": {"started": 5, "completed": 4, "interrupted": 1, "dropped": 0, "duration_ms": DURATION}},
        "mix": {},
        "generator": {"vus_max": 5, "dropped": 0, "lateness_ms_p99": 2.0},
        "warnings": [],
    },
    "resources": {
        "mlflow": {**MEASURED, "cpu_cores_mean": 1.0, "cpu_cores_peak": 1.2, "memory_bytes_mean": 5e8, "memory_bytes_peak": 6e8},
        "k6_benchmark": {**MEASURED, "cpu_cores_mean": 0.02, "cpu_cores_peak": 0.03, "memory_bytes_mean": 5e7, "memory_bytes_peak": 6e7},
    },
    "exit": {"exit_code": 0, "cpu_seconds": 1.0, "max_rss_bytes": 7e7, "started": 990.0, "ended": 1022.0},
    "generator": {"cores": 2},
    "controller": {"cpu_cores_mean": 0.01},
}


@pytest.fixture(name="parts")
def fixture_parts():
    return deepcopy(MADE_UP_PARTS)


@pytest.fixture(name="rules")
def fixture_rules():
    return yaml.safe_load((ROOT / "files" / "validity" / "default.yml").read_text(encoding="utf-8"))["rules"]


@pytest.fixture(name="plan")
def fixture_plan():
    return expand(yaml.safe_load((ROOT / "files" / "matrices" / "smoke.yml").read_text(encoding="utf-8")))


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    return Run(tmp_path / "run-1", SCHEMAS)


@pytest.fixture(name="attempt")
def fixture_attempt():
    """Makes the directory of an attempt with a file of samples in it."""

    def make(run, cell, n=1, text="samples"):
        directory = run.cell_directory(cell["id"]) / "attempts" / str(n)
        directory.mkdir(parents=True)
        (directory / "samples.csv.gz").write_text(text, encoding="utf-8")
        return {"n": n, "started": 990.0}

    return make
