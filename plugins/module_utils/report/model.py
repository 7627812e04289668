# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tidy model of a report: one frame of cells, one of operations, one of resources. Reading ends here, drawing starts here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import CATEGORIES, OPERATIONS
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import TENANT_COLUMNS
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import Cell, ReportedRun, ReportInputs

try:
    import pandas as pd
except ImportError:
    pd = None

if TYPE_CHECKING:
    from pandas import DataFrame

STATISTICS = ("mean", "p50", "p90", "p95", "p99", "max")
INTERVALS = ("rate_per_s", "goodput_per_s", "mean", "p50", "p95", "ok_mean", "ok_p50", "ok_p95")
"""The numbers that have a confidence interval: columns `<name>_low` and `<name>_high`."""
# Column: the group of a component's resources that has the number.
_GROUPED = {
    "limits_cpu_cores": "limits", "limits_memory_bytes": "limits", "network_receive_bytes_per_s_mean": "network",
    "network_transmit_bytes_per_s_mean": "network",
}
RESOURCE_NUMBERS = (
    "cpu_cores_mean", "cpu_cores_peak", "memory_bytes_mean", "memory_bytes_peak", "cpu_utilization_mean", "cpu_utilization_peak",
    "coverage", "restarts", "oom_kills", "throttled_ratio", "instance_count_last", "instance_count_min", "instance_count_max", "instances_started", *_GROUPED,
)
GENERATOR_NUMBERS = ("cpu_share", "lateness_ms_p99", "dropped", "vus_max", "memory_bytes_max")
JOURNEY_COUNTS = ("started", "completed", "interrupted", "failed", "dropped")
DURATIONS = ("mean", "p50", "p95", "max")
FAIRNESS = {"p95": "jain_p95", "completed": "jain_completed", "median_p95_ms": "median_tenant_p95_ms", "worst_to_median": "worst_tenant_to_median"}
"""The columns of a cell about its tenants, by the name in its record."""
_COUNTS = ("n", "ok", *JOURNEY_COUNTS, "tenants", "concurrency", "repeat")
# The order in which factors are named; the load profile is an axis of its own.
_FIRST_FACTORS = ("db_backend", "replicas", "workers", "target", "token_mode", "mlflow_version", "k6_version")
_NO_FACTOR = ("profile", "data_set_digest")
_UNNAMED_FACTORS = ("db_backend", "target")
CATEGORY_OF = {operation: category for category, operations in CATEGORIES.items() for operation in operations}


@dataclass(frozen=True, order=True)
class Load:
    """One level of the load axis: concurrent users (closed) or journeys started per second (open)."""

    profile: str
    value: float

    @property
    def text(self) -> str:
        """The level with its unit."""
        return f"{self.value:g} user{'' if self.value == 1 else 's'}" if self.profile == "closed" else f"{self.value:g} journeys/s"


@dataclass
class Model:
    """Frames with one row per cell; per cell and operation (or category); per cell and component; per cell and journey.

    Latencies are milliseconds: `<statistic>` over all outcomes, `ok_<statistic>` over successful requests; rates are per
    second, memory is bytes, CPU is cores, ratios lie between 0 and 1. What is not known is NaN, never 0.
    """

    cells: DataFrame
    operations: DataFrame
    categories: DataFrame
    resources: DataFrame
    journeys: DataFrame
    runs: list[ReportedRun]
    warnings: list[str]
    per_tenant: DataFrame
    """One row per cell and tenant, with the columns of tenants.csv."""
    records: dict[tuple[str, str], dict[str, Any]]
    """The records by run and cell, as far as a cell has one."""

    @property
    def tenants(self) -> list[int]:
        """The tenant levels, ascending."""
        return sorted(int(value) for value in self.cells["tenants"].unique())

    @property
    def loads(self) -> list[Load]:
        """The load levels, closed ones first, ascending."""
        return sorted(set(self.cells["load"]))

    @property
    def groups(self) -> list[str]:
        """The combinations of factors that differ; [''] when nothing differs."""
        return list(dict.fromkeys(self.cells["group"]))

    @property
    def operation_names(self) -> list[str]:
        """The operations of the workload, then any other that was seen."""
        return list(dict.fromkeys([*OPERATIONS, *self.operations["operation"]]))


def build_model(inputs: ReportInputs) -> Model:
    """Convert what was read into frames."""
    groups = group_labels([cell.record["spec"].get("factors", {}) for cell in inputs.cells])
    identities = [_identity(cell, group) for cell, group in zip(inputs.cells, groups, strict=True)]
    operations: list[dict[str, Any]] = []
    categories: list[dict[str, Any]] = []
    resources: list[dict[str, Any]] = []
    journeys: list[dict[str, Any]] = []
    cells: list[dict[str, Any]] = []
    for cell, identity in zip(inputs.cells, identities, strict=True):
        record = cell.record
        cells.append({**identity, **_verdict(cell), **_block(record.get("total") or {}), **_generator(record), **_window(record), **_fairness(record)})
        blocks = record.get("operations") or {}
        operations += [
            {**identity, "operation": name, "category": CATEGORY_OF.get(name, "other"), **_block(blocks.get(name) or {})}
            for name in dict.fromkeys([*OPERATIONS, *blocks])
        ]
        pooled = record.get("categories") or {}
        categories += [{**identity, "category": name, **_block(pooled.get(name) or {})} for name in CATEGORIES]
        journeys += [{**identity, "journey": name, **_journey(values)} for name, values in (record.get("journeys") or {}).items()]
        resources += [{**identity, "component": name, **_resource(values)} for name, values in (record.get("resources") or {}).items()]
    return Model(
        _frame(cells), _frame(operations), _frame(categories), _frame(resources, [*identities[0], "component", "status", "source", *RESOURCE_NUMBERS]),
        _frame(journeys, [*identities[0], "journey", *_journey({})]), inputs.runs, inputs.warnings,
        _tenants_frame(inputs.cells, identities), {(cell.run_id, cell.record["id"]): cell.record for cell in inputs.cells},
    )


def _tenants_frame(cells: Sequence[Cell], identities: Sequence[dict[str, Any]]) -> DataFrame:
    """Return the rows of tenants.csv of all cells; a percentile with too few samples is missing."""
    rows = [{**identity, **row} for cell, identity in zip(cells, identities, strict=True) for row in cell.tenants]
    frame = pd.DataFrame(rows, columns=[*identities[0], *TENANT_COLUMNS])
    for name in TENANT_COLUMNS[1:]:
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    return frame


def group_labels(factors: Sequence[dict[str, Any]]) -> list[str]:
    """Return one label per cell, built from the factors in which the cells differ; all '' when they do not differ.

    A cell that does not know a factor that others differ in gets `<factor> unknown`.
    """
    names = dict.fromkeys([*_FIRST_FACTORS, *sorted({name for entry in factors for name in entry})])
    differing = [name for name in names if name not in _NO_FACTOR and len({_factor_text(entry.get(name)) for entry in factors}) > 1]
    return [", ".join(_factor_label(name, entry.get(name)) for name in differing) for entry in factors]


def _factor_label(name: str, value: Any) -> str:
    if value is None:
        return f"{name} unknown"
    return _factor_text(value) if name in _UNNAMED_FACTORS else f"{name}={_factor_text(value)}"


def _factor_text(value: Any) -> str:
    return "" if value is None else str(value)


def _identity(cell: Cell, group: str) -> dict[str, Any]:
    spec = cell.record["spec"]
    profile = spec.get("profile") or "closed"
    factors = spec.get("factors", {})
    return {
        "run_id": cell.run_id,
        "cell_id": cell.record["id"],
        "tenants": spec["tenants"],
        "concurrency": spec.get("concurrency"),
        "rate": spec.get("rate"),
        "profile": profile,
        "repeat": spec.get("repeat", 1),
        "load": Load(profile, float((spec.get("concurrency") if profile == "closed" else spec.get("rate")) or 0)),
        "db_backend": factors.get("db_backend"),
        "group": group,
        "verdict": cell.record["verdict"]["status"],
    }


def _verdict(cell: Cell) -> dict[str, Any]:
    verdict = cell.record["verdict"]
    disturbed = bool((cell.record.get("notes") or {}).get("disturbances"))
    factors = cell.record["spec"].get("factors", {})
    sentences = {key: list(verdict.get(key, [])) for key in ("reasons", "warnings")}
    return {"is_disturbed": disturbed, "factors": factors, "start_state": cell.record.get("start_state") or {}, **sentences, "path": cell.path}


def _window(record: dict[str, Any]) -> dict[str, Any]:
    """Return what lasted how long in the window, the latency that is weighted by time, and the journeys started per second of an open load."""
    window = record.get("window")
    return {
        "window_s": window["end"] - window["start"] if window else None,
        "window_end": window["end"] if window else None,
        "took_s": _seconds(record),
        "stall_s": record.get("stall_s"),
        "time_weighted_p95": (record.get("time_weighted_ms") or {}).get("p95"),
        "started_per_s": (record.get("offered") or {}).get("started_per_s"),
    }


def _seconds(record: dict[str, Any]) -> float | None:
    """Return how long the cell took, with its preparation where it is known, else its attempts."""
    wall_s: float | None = (record.get("timings") or {}).get("wall_s")
    spans = [attempt["ended"] - attempt["started"] for attempt in record.get("attempts") or [] if attempt.get("ended") and attempt.get("started")]
    return wall_s if wall_s is not None else sum(spans) if spans else None


def _fairness(record: dict[str, Any]) -> dict[str, Any]:
    """Return how evenly the tenants of a cell were served."""
    found = (record.get("tenants") or {}).get("fairness") or {}
    others, choice = record.get("others") or {}, (record["spec"].get("load") or {}).get("tenant_choice") or {}
    return {
        **{column: found.get(name) for name, column in FAIRNESS.items()},
        "others_p95": (others.get("latency_ms") or {}).get("p95"),
        "others_goodput": others.get("goodput_per_s"),
        "noisy_factor": choice.get("factor") if choice.get("distribution") == "noisy" else None,
    }


def _block(block: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of one block of requests; an absent block gives missing values."""
    n, failed = block.get("n"), block.get("failed")
    ratio = block.get("failed_ratio")
    every, ok, ci95 = block.get("latency_ms") or {}, block.get("latency_ok_ms") or {}, block.get("ci95") or {}
    return {
        "n": n,
        "ok": block.get("ok"),
        "failed": failed,
        "error_ratio": failed / n if ratio is None and n and failed is not None else ratio,
        "rate_per_s": block.get("rate_per_s"),
        "goodput_per_s": block.get("goodput_per_s"),
        **{name: every.get(name) for name in STATISTICS},
        **{f"ok_{name}": ok.get(name) for name in STATISTICS},
        **_bounds(ci95),
        "low_n": tuple(block.get("low_n", ())),
        "suppressed": dict(block.get("suppressed", {})),
        "failed_by": dict(block.get("failed_by", {})),
    }


def _bounds(ci95: dict[str, Any]) -> dict[str, float | None]:
    """Return the bounds of every interval; without failures those of the successful requests are those of all."""
    is_alike = "ok_mean" not in ci95
    found = {name: ci95.get(name.removeprefix("ok_") if is_alike else name) or (None, None) for name in INTERVALS}
    return {f"{name}_{side}": pair[index] for name, pair in found.items() for index, side in enumerate(("low", "high"))}


def _journey(values: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of one journey; durations are milliseconds and cover the completed ones, whose number is `n`."""
    durations, ci95 = values.get("duration_ms") or {}, values.get("ci95") or {}
    bounds = {f"{name}_{side}": (ci95.get(name) or (None, None))[index] for name in DURATIONS[:3] for index, side in enumerate(("low", "high"))}
    return {**{name: values.get(name) for name in JOURNEY_COUNTS}, "n": values.get("completed"), **{name: durations.get(name) for name in DURATIONS}, **bounds}


def _generator(record: dict[str, Any]) -> dict[str, Any]:
    generator = record.get("generator") or {}
    return {f"generator_{name}": generator.get(name) for name in GENERATOR_NUMBERS}


def _resource(values: dict[str, Any]) -> dict[str, Any]:
    grouped = {name: (values.get(group) or {}).get(name.removeprefix(f"{group}_")) for name, group in _GROUPED.items()}
    return {"status": values.get("status", "missing"), "source": values.get("source", ""), **{name: values.get(name) for name in RESOURCE_NUMBERS}, **grouped}


def _frame(rows: list[dict[str, Any]], columns: list[str] | None = None) -> DataFrame:
    """Return a frame whose counts are whole numbers or missing, and whose measures are floats, even where nothing is known."""
    frame = pd.DataFrame(rows, columns=columns)
    numbers = {*STATISTICS, *(f"ok_{name}" for name in STATISTICS), *RESOURCE_NUMBERS, *(f"generator_{name}" for name in GENERATOR_NUMBERS)}
    numbers |= {f"{name}_{side}" for name in INTERVALS for side in ("low", "high")} | {"error_ratio", "rate_per_s", "goodput_per_s", "rate", "window_s"}
    numbers |= {"window_end", "took_s", "stall_s", "time_weighted_p95", "started_per_s", *FAIRNESS.values(), "others_p95", "others_goodput", "noisy_factor"}
    for name in frame.columns:
        if name in _COUNTS:
            frame[name] = frame[name].astype("Int64")
        elif name in numbers:
            frame[name] = frame[name].astype("float64")
    return frame
