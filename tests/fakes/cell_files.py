# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a cell beside the records that run_factory writes: timeline, series, samples, latencies and tenants, with invented figures."""

from __future__ import annotations

import gzip
import math
import random
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest, read_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import OPERATIONS
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import COLUMNS as SAMPLE_COLUMNS
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import TENANT_COLUMNS, write_latencies
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.timeline import COLUMNS as TIMELINE_COLUMNS
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.quantiles import Counted
from fakes.run_factory import edit_record

_WARMUP_S = 5


def write_cell_files(run: Path, samples: int = 600) -> Path:
    """Write the files of every measured cell of a run, name them with their checksums in its record, and return the run."""
    for path in sorted(run.glob("cells/*/cell.json")):
        record = read_sealed(path)
        (path.parent / "k6.log").write_text('time="2026-11-30T05:36:21Z" level=info msg="done"\n', encoding="utf-8")
        if record["window"]:
            _write(path.parent, record["window"], record["spec"]["tenants"], samples, random.Random(record["id"]))
            names = ("timeline.csv", "series.csv", "samples.csv.gz", "latencies.csv", "tenants.csv")
            edit_record(path, files={name: file_digest(path.parent / name) for name in names})
    return run


def _write(cell: Path, window: dict[str, float], tenants: int, samples: int, chance: random.Random) -> None:
    seconds = range(-_WARMUP_S, round(window["end"] - window["start"]))
    lines = []
    for second in seconds:
        latencies = f"{chance.uniform(20, 40):.2f},{chance.uniform(90, 200):.2f}"
        lines.append(f"{second},{'warmup' if second < 0 else 'window'},{80 + chance.randrange(20)},{int(second == 3)},{latencies}")
    _write_csv(cell / "timeline.csv", TIMELINE_COLUMNS, lines)
    lines = [
        f"{window['start'] + second},{metric},{component},,{value * chance.uniform(0.9, 1.1)}"
        for metric, component, value in (("cpu", "mlflow", 0.8), ("cpu", "k6_benchmark", 0.1), ("memory", "mlflow", 5e8), ("memory", "k6_benchmark", 6e7))
        for second in seconds if second >= 0
    ]
    _write_csv(cell / "series.csv", ("timestamp", "metric", "component", "instance", "value"), lines)
    rows = []
    latencies: dict[str, list[int]] = {}
    for place in range(samples):
        start, operation, latency = window["start"] * 1000 + place * 50, OPERATIONS[place % len(OPERATIONS)], math.exp(chance.gauss(3, 0.6))
        rows.append(f"{start:.0f},{operation},browsing,tenant-1,200,,{latency:.2f},1.0,window,0")
        latencies.setdefault(operation, []).append(round(100 * latency))
    write_latencies(cell / "latencies.csv", {operation: Counted.of(values) for operation, values in latencies.items()})
    with gzip.open(cell / "samples.csv.gz", "wt", encoding="utf-8") as stream:
        stream.write("\n".join([",".join(SAMPLE_COLUMNS), *rows]) + "\n")
    lines = [f"tenant-{tenant},100,100,0,1.6,30.0,{chance.uniform(80, 120):.1f},300.0" for tenant in range(1, tenants + 1)]
    _write_csv(cell / "tenants.csv", TENANT_COLUMNS, lines)


def _write_csv(path: Path, columns: tuple[str, ...], lines: list[str]) -> None:
    path.write_text("\n".join([",".join(columns), *lines]) + "\n", encoding="utf-8")
