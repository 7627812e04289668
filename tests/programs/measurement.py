# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load measured as a cell measures it: the load script in k6, then the numbers that the collection computes from its output."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from fakes.k6_configs import load_config
from fakes.simulated_mlflow import Served, simulated_mlflow
from programs.k6 import LOAD, FinishedK6, run_k6


@dataclass
class Measurement:
    """What a load left: the finished k6, the result of k6_result, the rows of samples.csv.gz, and what the simulated server served."""

    k6: FinishedK6
    result: dict[str, Any]
    samples: list[dict[str, str]]
    served: list[Served]

    @property
    def window(self) -> list[dict[str, str]]:
        """The samples of the window."""
        return [row for row in self.samples if row["phase"] == "window"]


def measure(k6: str, directory: Path, programmed: dict[str, Any], **config: Any) -> Measurement:
    """Load a simulated MLflow with that behaviour and return the measurement; `config` changes the configuration of a short load."""
    with simulated_mlflow(**programmed) as simulation:
        ended = run_k6(k6, LOAD, directory, config=load_config(simulation.url, **config), samples=True)
    assert ended.code == 0, ended.log
    result = build_result(Attempt(directory=directory, dest=directory, exit_code=ended.code))["result"]
    with gzip.open(directory / "samples.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        samples = list(csv.DictReader(stream))
    return Measurement(ended, result, samples, simulation.served)
