# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load measured as a cell measures it: the load script in k6, then the numbers that the collection computes from its output."""

from __future__ import annotations

import csv
import gzip
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.division import divide
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import measured_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.verdict import evaluate_rules
from fakes.k6_configs import load_config
from fakes.record_parts import record_parts
from fakes.simulated_mlflow import Served, simulated_mlflow
from programs.k6 import LOAD, ROOT, FinishedK6, run_k6

# What the record of a cell has beside what was measured.
WRITTEN = {
    "schema_version": 2, "checksum": "0" * 64, "files": {"samples.csv.gz": {"sha256": "0" * 64, "bytes": 1}},
    "verdict": {"status": "valid", "reasons": [], "warnings": []},
    "attempts": [{"n": 1, "started": 1.0, "ended": 2.0, "outcome": "valid", "reason": ""}],
}  # fmt: skip


@dataclass
class Measurement:
    """What a load left: the finished k6, the result of k6_result, the rows of samples.csv.gz, and what the simulated server served."""

    k6: FinishedK6 | None
    result: dict[str, Any]
    samples: list[dict[str, str]]
    served: list[Served]

    @property
    def window(self) -> list[dict[str, str]]:
        """The samples of the window."""
        return [row for row in self.samples if row["phase"] == "window"]


def verdict_of(measurement: Measurement, parts: dict[str, Any] | None = None, **planned: Any) -> dict[str, Any]:
    """Return the verdict of the default rules about a cell with that result; its other `parts` and the rest of the plan are invented."""
    cell = {**expand(yaml.safe_load((ROOT / "files/matrices/smoke.yml").read_text(encoding="utf-8")))["cells"][0], **planned}
    rules = yaml.safe_load((ROOT / "files/validity/default.yml").read_text(encoding="utf-8"))["rules"]
    record = measured_record(cell, {}, {**record_parts(), "result": measurement.result, **(parts or {})})
    check(json.loads(json.dumps({**WRITTEN, **record})), "cell", ROOT / "files/schemas")
    return evaluate_rules(record, rules)


def measure(k6: str, directory: Path, programmed: dict[str, Any], **config: Any) -> Measurement:
    """Load a simulated MLflow with that behaviour and return the measurement; `config` changes the configuration of a short load."""
    with simulated_mlflow(**programmed) as simulation:
        ended = run_k6(k6, LOAD, directory, config=load_config(simulation.url, **config), samples=True)
    assert ended.code == 0, ended.log
    return _measurement(directory, ended, simulation.served)


# Four k6 start within this time on a busy machine.
START_MARGIN_S = 5


def measure_shards(
    k6: str, directory: Path, programmed: dict[str, Any], shards: int, ways: dict[int, str] | None = None, **config: Any
) -> Measurement:  # fmt: skip
    """Share a load among so many k6, each with its segment, and return the measurement; `ways` has what follows the URL of a shard, by its number."""
    edges = [f"{n}/{shards}" if 0 < n < shards else str(n // shards) for n in range(shards + 1)]
    with simulated_mlflow(**programmed) as simulation:
        whole = load_config(simulation.url, **config)
        vus = divide(whole["profile"], whole["training_share"], shards, is_rounded=False)
        whole |= {"shards": shards, "vus": vus, "start_at": time.time() + START_MARGIN_S}

        def run(number: int) -> FinishedK6:
            own = {**whole, "mlflow": {**whole["mlflow"], "url": simulation.url + (ways or {}).get(number, "")}}
            segment = ["--execution-segment", f"{edges[number - 1]}:{edges[number]}", "--execution-segment-sequence", ",".join(edges)]
            return run_k6(k6, LOAD, directory / "shards" / str(number), config=own, samples=True, options=segment)

        ended = in_parallel(run, range(1, shards + 1), shards)
    assert [one.code for one in ended] == [0] * shards, "".join(one.log for one in ended)
    entries = [
        {
            "shard": number, "name": f"k6-{number}", "node": None, "exit_code": one.code, "reason": None, "files": [], "is_complete": True, "started": None,
            "cpu_s": one.cpu_seconds, "memory_bytes_max": one.memory_bytes,
        }
        for number, one in enumerate(ended, start=1)
    ]  # fmt: skip
    (directory / "shards.json").write_text(json.dumps({"schema_version": 1, "planned": shards, "shards": entries}))
    return _measurement(directory, None, simulation.served)


def _measurement(directory: Path, ended: FinishedK6 | None, served: list[Served]) -> Measurement:
    result = build_result(Attempt(directory=directory, dest=directory, exit_code=0))["result"]
    with gzip.open(directory / "samples.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        samples = list(csv.DictReader(stream))
    return Measurement(ended, result, samples, served)
