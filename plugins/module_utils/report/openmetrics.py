# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""metrics.prom: the summary numbers of the runs as gauges, for node_exporter's textfile collector, GitLab's metrics reports and a push gateway.

The format is OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/) and, since only gauges are in it, the older text format too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import NOT_JUDGED
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import STATISTICS, Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import is_known
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.verdict import Verdict

try:
    from prometheus_client.metrics_core import GaugeMetricFamily
    from prometheus_client.openmetrics.exposition import generate_latest
except ImportError:
    generate_latest = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from prometheus_client import Metric

Labels = dict[str, str]
Sample = tuple[Labels, Any]
MILLISECOND = 1e-3
_CELL_LABELS = ("tenants", "concurrency", "rate", "profile", "repeat", "verdict")
_FACTORS = ("db_backend", "replicas", "workers", "mlflow_version")
# Column of a cell -> name without its unit, unit, help.
_CELL_GAUGES = {
    "rate_per_s": ("request_rate", "per_second", "Requests of the window, all outcomes, per second."),
    "goodput_per_s": ("goodput", "per_second", "Successful requests of the window per second."),
    "error_ratio": ("failed_requests", "ratio", "Share of failed requests in the window."),
    "stall_s": ("longest_stall", "seconds", "Longest stretch of the window in which requests were in flight and none ended."),
    "window_s": ("window", "seconds", "Length of the window."),
    "window_end": ("window_end_timestamp", "seconds", "End of the window, since 1970."),
}
# Column of a component -> name, unit, statistic.
_COMPONENT_GAUGES = {
    "cpu_cores_mean": ("component_cpu", "cores", "mean"),
    "cpu_cores_peak": ("component_cpu", "cores", "peak"),
    "memory_bytes_mean": ("component_memory", "bytes", "mean"),
    "memory_bytes_peak": ("component_memory", "bytes", "peak"),
}


class _Families:
    """Gauges in the order of their first sample; a series is in it once, and what is not known is not in it."""

    def __init__(self) -> None:
        self._samples: dict[tuple[str, str, str], dict[tuple[tuple[str, str], ...], float]] = {}

    def add(self, name: str, unit: str, text: str, samples: Iterable[Sample]) -> None:
        for labels, value in samples:
            if is_known(value) and math.isfinite(value):
                self._samples.setdefault((name, unit, text), {})[tuple(labels.items())] = float(value)

    def collect(self) -> Iterator[Metric]:
        """Yield the families, as prometheus_client asks a registry for them."""
        for (name, unit, text), samples in self._samples.items():
            first, *_others = samples
            names = [label for label, _value in first]
            family = GaugeMetricFamily(f"perfscale_{name}", text, labels=names, unit=unit)
            for labels, value in samples.items():
                family.add_metric([shown for _label, shown in labels], value)
            yield family


def openmetrics_text(model: Model, verdict: Verdict) -> str:
    """Return the document. Durations are seconds, sizes bytes, shares 0 to 1.

    The label `run` is there only where several runs are reported, so that a series keeps its labels from one run to the next; `perfscale_run_info` has
    the id of each. A number that is missing has no sample.
    """
    families = _Families()
    if verdict.status != NOT_JUDGED:
        passed = "Whether every planned cell is valid and every objective of severity error is met."
        families.add("report_passed", "", passed, [({}, verdict.status == "passed")])
    runs = [run for run in model.runs if run.is_evaluated]
    several = len(model.runs) > 1
    families.add("run_info", "", "The reported runs.", (({"run": run.run_id, "status": str(run.document.get("status"))}, 1) for run in runs))
    starts = ((_of_run(run.run_id, several), run.document.get("started")) for run in runs)
    families.add("run_started_timestamp", "seconds", "Start of the run, since 1970.", starts)
    _add_cells(families, model.cells.to_dict("records"), several)
    _add_operations(families, model.operations.to_dict("records"), several)
    _add_components(families, model.resources.to_dict("records"), several)
    _add_objectives(families, verdict.objectives, several)
    for run in runs:
        _add_capacity(families, run.capacity, _of_run(run.run_id, several))
    document: str = generate_latest(families).decode()  # type: ignore[no-untyped-call]
    return document


def _of_run(run_id: str, several: bool) -> Labels:
    return {"run": run_id} if several else {}


def _of_cell(row: Mapping[str, Any], several: bool) -> Labels:
    return {**_of_run(str(row["run_id"]), several), "cell": str(row["cell_id"])}


def _add_cells(families: _Families, cells: list[dict[str, Any]], several: bool) -> None:
    facts = [{name: cell[name] for name in _CELL_LABELS} | {name: cell["factors"].get(name) for name in _FACTORS} for cell in cells]
    texts = [{name: _shown(value) for name, value in fact.items()} for fact in facts]
    families.add("cell_info", "", "The planned cells.", (({**_of_cell(cell, several), **text}, 1) for cell, text in zip(cells, texts, strict=True)))
    families.add("cell_valid", "", "Whether the cell is valid.", ((_of_cell(cell, several), cell["verdict"] == "valid") for cell in cells))
    counts = [({**_of_cell(cell, several), "outcome": outcome}, cell[outcome]) for cell in cells for outcome in ("ok", "failed")]
    families.add("requests", "", "Requests of the window by outcome.", counts)
    for column, (name, unit, text) in _CELL_GAUGES.items():
        families.add(name, unit, text, ((_of_cell(cell, several), cell[column]) for cell in cells))
    latencies = [({**_of_cell(cell, several), "statistic": name}, _seconds(cell[name])) for cell in cells for name in STATISTICS]
    families.add("latency", "seconds", "Latency over all outcomes of the window.", latencies)


def _add_operations(families: _Families, rows: list[dict[str, Any]], several: bool) -> None:
    samples = (({**_of_cell(row, several), "operation": str(row["operation"])}, _seconds(row["p95"])) for row in rows)
    families.add("operation_latency_p95", "seconds", "P95 of the latency of an operation over all outcomes of the window.", samples)


def _add_components(families: _Families, rows: list[dict[str, Any]], several: bool) -> None:
    for column, (name, unit, statistic) in _COMPONENT_GAUGES.items():
        samples = (({**_of_cell(row, several), "component": str(row["component"]), "statistic": statistic}, row[column]) for row in rows)
        families.add(name, unit, f"Use of {unit} by a component in the window.", samples)


def _add_objectives(families: _Families, rows: list[dict[str, Any]], several: bool) -> None:
    labels = [
        {**_of_run(row["run_id"], several), "cell": row["cell"], "objective": row["name"], **{name: row[name] for name in ("metric", "limit", "severity")}}
        for row in rows
    ]
    met = ((label, row["status"] == "met") for label, row in zip(labels, rows, strict=True) if row["status"] != "unknown")
    families.add("objective_met", "", "Whether the cell meets an objective; without a sample where that is unknown.", met)


def _add_capacity(families: _Families, document: Mapping[str, Any] | None, run: Labels) -> None:
    crossing = (document or {}).get("crossing")
    if document and crossing:
        samples = (({**run, "load": document["unit"], "bound": bound}, crossing[key]) for bound, key in (("low", "low"), ("middle", "load"), ("high", "high")))
        families.add("capacity", "", "Highest load at which the objectives hold, with its interval.", samples)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds * MILLISECOND


def _shown(value: Any) -> str:
    """Return a label's value: nothing for what is not known, and no decimals of a whole number."""
    if not is_known(value):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
