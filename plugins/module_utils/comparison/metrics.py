# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compared numbers: which there are, their direction, and their values in the record of a cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.record.verdict import GENERATOR

FAMILIES = ("total", "journeys", "operations", "resources")
UNITS = {
    "goodput_per_s": "/s", "p50_ms": "ms", "p95_ms": "ms", "error_ratio": "", "cpu_ms_per_request": "ms", "memory_bytes": "bytes",
}  # fmt: skip
TITLES = {
    "goodput_per_s": "goodput", "p50_ms": "P50", "p95_ms": "P95", "error_ratio": "error ratio", "cpu_ms_per_request": "CPU per request",
    "memory_bytes": "memory",
}  # fmt: skip
# Components that belong to the measurement, and the sum over a cluster.
_NOT_MEASURED = (GENERATOR, "prometheus", "cluster")


class Metric(NamedTuple):
    """A number of a family: whether more of it is better, how it is compared, and what a worse one counts."""

    family: str
    metric: str
    better: str
    scale: str
    severity: str
    tolerance: float | None = None

    @property
    def is_ratio(self) -> bool:
        """Whether sides are compared by their ratio, not by their difference."""
        return self.scale == "ratio"


class Value(NamedTuple):
    """A number of a cell; `n` is how many requests, or journeys, it is a share of, else 0; cells with the same `seed` draw the same journeys."""

    value: float
    n: int = 0
    seed: int | None = None


def metrics_of(document: Mapping[str, Any]) -> list[Metric]:
    """Return the metrics of a file of files/comparison."""
    return [Metric(**entry) for entry in document["metrics"]]


def values_of(record: Mapping[str, Any], metrics: Sequence[Metric]) -> dict[tuple[Metric, str], Value]:
    """Return the known values of a cell by metric and what it is one of: `total`, a journey, an operation, or a component."""
    by_family: dict[str, list[Metric]] = {}
    for metric in metrics:
        by_family.setdefault(metric.family, []).append(metric)
    return {
        (metric, name): value._replace(seed=record["spec"].get("seed"))
        for family, wanted in by_family.items() for name, known in _BLOCKS[family](record)
        for metric in wanted if (value := known.get(metric.metric)) is not None
    }  # fmt: skip


Block = tuple[str, Mapping[str, Value]]


def _total(record: Mapping[str, Any]) -> Iterator[Block]:
    yield "total", _requests(record.get("total") or {})


def _operations(record: Mapping[str, Any]) -> Iterator[Block]:
    for name, block in (record.get("operations") or {}).items():
        yield name, _requests(block)


def _requests(block: Mapping[str, Any]) -> dict[str, Value]:
    """Return the numbers of a block of requests: over all outcomes, so that fast failures flatter nothing."""
    latency, n = block.get("latency_ms") or {}, block.get("n") or 0
    return _known({
        "goodput_per_s": (block.get("goodput_per_s") if n else None, 0), "p50_ms": (latency.get("p50"), 0), "p95_ms": (latency.get("p95"), 0),
        "error_ratio": (block["failed"] / n if n and block.get("failed") is not None else None, n),
    })  # fmt: skip


def _journeys(record: Mapping[str, Any]) -> Iterator[Block]:
    window = record.get("window")
    for name, block in (record.get("journeys") or {}).items():
        durations, started, completed = block.get("duration_ms") or {}, block.get("started") or 0, block.get("completed")
        failed = block.get("failed")
        yield name, _known({
            "goodput_per_s": (completed / (window["end"] - window["start"]) if window and completed is not None else None, 0),
            "p50_ms": (durations.get("p50"), 0), "p95_ms": (durations.get("p95"), 0),
            "error_ratio": (failed / started if started and failed is not None else None, started),
        })  # fmt: skip


def _resources(record: Mapping[str, Any]) -> Iterator[Block]:
    rate = (record.get("total") or {}).get("rate_per_s")
    for name, found in (record.get("resources") or {}).items():
        if name not in _NOT_MEASURED and found.get("status") == "ok":
            cpu = found.get("cpu_cores_mean")
            yield name, _known({
                "cpu_ms_per_request": (1000 * cpu / rate if rate and cpu is not None else None, 0), "memory_bytes": (found.get("memory_bytes_mean"), 0),
            })  # fmt: skip


def _known(numbers: Mapping[str, tuple[float | None, int]]) -> dict[str, Value]:
    return {name: Value(float(value), n) for name, (value, n) in numbers.items() if value is not None}


_BLOCKS = {"total": _total, "journeys": _journeys, "operations": _operations, "resources": _resources}
