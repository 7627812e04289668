# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CSV tables: the five of the legacy suite, and tidy ones beside them. Frames in, frames out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import csv_cell
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import CATEGORIES
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import TENANT_COLUMNS
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import (
    DURATIONS,
    FAIRNESS,
    INTERVALS,
    JOURNEY_COUNTS,
    RESOURCE_NUMBERS,
    STATISTICS,
    Model,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.points import METRICS, noise_by_metric, noise_by_operation, points_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import VALID_STATUSES
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.repeats import Noise, interval_between, noise_of

try:
    import pandas as pd
except ImportError:
    pd = None

if TYPE_CHECKING:
    from pandas import DataFrame

IDENTITY = ["run_id", "cell_id", "repeat", "verdict", "profile", "rate", "db_backend"]
# Column of the legacy table -> column of the operations frame.
_OPERATION_COLUMNS = {
    "avg_ms": "ok_mean", "p90_ms": "ok_p90", "p95_ms": "ok_p95", "max_ms": "ok_max", "passed": "ok", "failed": "failed", "rps": "goodput_per_s",
}
_TOTAL_COLUMNS = {
    "http_reqs_total": "n", "http_reqs_rate": "rate_per_s", "http_req_failed_rate": "error_ratio", "http_req_failed_count": "failed",
}
_SERIES = ["run_id", "repeat", "profile", "rate", "db_backend", "concurrency"]
DECIMALS = 3
_WHY_NO_RESOURCES = {"not_requested": "no metrics were requested", "missing": "the metrics have no samples of it"}


def all_tables(model: Model) -> dict[str, DataFrame]:
    """Return every CSV by file name."""
    summary = summary_table(model)
    return {
        "report_summary.csv": summary,
        "report_p95_latencies.csv": _only(summary, "_p95_ms"),
        "report_rps.csv": _only(summary, "_rps", ["http_reqs_rate"]),
        "report_latency_analysis_by_tenants.csv": _by_tenants(model, model.operations, ["operation", "category"]),
        "report_latency_analysis_summary.csv": _by_category(model),
        "report_points.csv": points_table(model),
        "report_noise.csv": noise_table(model),
        "report_operations.csv": _tidy_operations(model),
        "report_journeys.csv": _tidy_journeys(model),
        "report_resources.csv": _tidy_resources(model),
        "report_tenants.csv": model.per_tenant[["run_id", "cell_id", "verdict", *TENANT_COLUMNS]],
        "report_fairness.csv": fairness_table(model),
        "report_missing.csv": missing_table(model),
    }


def fairness_table(model: Model) -> DataFrame:
    """Return one row per cell: Jain's indexes of its tenants, its median and its worst tenant, and the interval of an index between repeats."""
    cells = _sorted(model.cells)
    table = cells[["run_id", "cell_id", "tenants", *FAIRNESS.values(), "verdict"]].copy()
    bounds: dict[str, list[float | None]] = {}
    points = cells[cells["verdict"].isin(VALID_STATUSES)].groupby(["run_id", "tenants", "load", "group"], sort=False)
    for column in ("jain_p95", "jain_completed"):
        known = {key: interval_between([value for value in rows[column] if value > 0]) for key, rows in points}
        pairs = [known.get(key) or (None, None) for key in zip(cells["run_id"], cells["tenants"], cells["load"], cells["group"], strict=True)]
        # No index is above 1.
        bounds[f"{column}_low"] = [low for low, _high in pairs]
        bounds[f"{column}_high"] = [None if high is None else min(1.0, high) for _low, high in pairs]
    return table.assign(**bounds)


def summary_table(model: Model) -> DataFrame:
    """Return one row per cell: the columns of the legacy suite first, those that distinguish cells of several runs at the end."""
    cells = _sorted(model.cells)
    parts: dict[str, Any] = {"tenants": cells["tenants"], "concurrency": cells["concurrency"]}
    keys = pd.MultiIndex.from_frame(cells[["run_id", "cell_id"]])
    blocks = dict(list(model.operations.groupby("operation")))
    for operation in model.operation_names:
        rows = blocks[operation].set_index(["run_id", "cell_id"]).reindex(keys).reset_index(drop=True)
        for suffix, column in _OPERATION_COLUMNS.items():
            parts[f"{operation}_{suffix}"] = rows[column]
    parts |= {name: cells[column] for name, column in _TOTAL_COLUMNS.items()}
    parts |= {name: cells[name] for name in IDENTITY}
    return pd.DataFrame(parts)


def _only(summary: DataFrame, suffix: str, more: list[str] | None = None) -> DataFrame:
    names = sorted([name for name in summary.columns if name.endswith(suffix)] + (more or []))
    return summary[["tenants", "concurrency", *names, *IDENTITY]]


def _by_tenants(model: Model, frame: DataFrame, what: list[str]) -> DataFrame:
    """Return P95 of successful requests by tenant level; the change starts at the smallest level of the plan, present or not."""
    tenants = model.tenants
    base = baseline(model)
    noise = _noise(frame, what[0], model)
    records = []
    for key, rows in frame.groupby([*what, *_SERIES], dropna=False, sort=False):
        identity = dict(zip([*what, *_SERIES], key, strict=True))
        values = dict(zip(rows["tenants"], rows["ok_p95"].round(2), strict=True))
        not_valid = [f"{tenants_of}: {verdict}" for tenants_of, verdict in zip(rows["tenants"], rows["verdict"], strict=True) if verdict != "valid"]
        record = {name: identity[name] for name in [*what, "concurrency"]}
        record |= {p95_column(level): values.get(level) for level in tenants}
        changes = {level: _change(values.get(base), values.get(level)) for level in tenants if level != base}
        notes = {level: _why_untested(change, noise[identity[what[0]]]) for level, change in changes.items() if change is not None}
        record |= {f"change_{base}_to_{level}_pct": None if notes.get(level) else change for level, change in changes.items()}
        record |= {name: identity[name] for name in ("run_id", "repeat", "profile", "rate", "db_backend")}
        records.append({**record, "not_valid": "; ".join(not_valid), "not_distinguishable": _listed(notes), "low_n": _few(rows)})
    return pd.DataFrame(records).sort_values([what[0], "profile", "concurrency", "rate", "run_id", "repeat"], ignore_index=True)


def _noise(frame: DataFrame, what: str, model: Model) -> dict[str, Noise | None]:
    """Return the noise of P95 of successful requests of every operation or category."""
    return {name: noise_of([point.values["ok_p95"] for point in points_of(model, rows, ("ok_p95",))]) for name, rows in frame.groupby(what)}


def _why_untested(change: float, noise: Noise | None) -> str:
    """Return why a change in percent between two single repeats is not reported, or an empty text for one that is beyond noise."""
    if noise is None:
        return f"{change:+g} % not tested"
    floor = noise.floor(1)
    is_beyond = abs(math.log1p(max(change, -99.9) / 100)) > math.log1p(floor)
    return "" if is_beyond else f"{change:+g} % within {100 * floor:.3g} %"


def _listed(notes: dict[int, str]) -> str:
    return "; ".join(f"{level}: {note}" for level, note in notes.items() if note)


def _few(rows: DataFrame) -> str:
    """Return the tenant levels whose P95 rests on few samples."""
    return " ".join(str(tenants) for tenants, low in zip(rows["tenants"], rows["low_n"], strict=True) if {"p95", "ok_p95"} & set(low))


def _by_category(model: Model) -> DataFrame:
    """Return the same by category, over the pooled requests of its operations; the legacy suite averaged percentiles here.

    The legacy column names begin with avg_ and stay for existing readers; they hold the pooled value.
    """
    table = _by_tenants(model, model.categories, ["category"])
    figures = [name for name in table.columns if name.endswith(("_p95_ms", "_pct"))]
    legacy = table[figures].add_prefix("avg_")
    rest = [name for name in table.columns if name not in ["category", "concurrency"]]
    return pd.concat([table[["category", "concurrency"]], legacy, table[rest]], axis=1)


def p95_column(tenants: int) -> str:
    """Return the legacy name of a tenant level's column."""
    return f"{tenants}_tenant{'s' if tenants > 1 else ''}_p95_ms"


def baseline(model: Model) -> int:
    """Return the smallest planned tenant level: it does not move when a result file is missing."""
    return min(model.tenants)


def _change(base: float | None, value: float | None) -> float | None:
    if base is None or value is None or pd.isna(base) or pd.isna(value) or base == 0:
        return None
    return round((value - base) / base * 100, 1)


def _tidy_operations(model: Model) -> DataFrame:
    total = model.cells.assign(operation="total", category="total")
    pooled = model.categories.assign(operation=lambda frame: "all " + frame["category"])
    frame = pd.concat([model.operations, pooled, total], ignore_index=True)
    frame = frame.assign(low_n=frame["low_n"].map(" ".join), failed_by=frame["failed_by"].map(_pairs))
    figures = ["n", "ok", "failed", "error_ratio", "rate_per_s", "goodput_per_s", *STATISTICS, *(f"ok_{name}" for name in STATISTICS)]
    bounds = [f"{name}_{side}" for name in INTERVALS for side in ("low", "high")]
    names = {name: f"{name}_ms" for name in [*STATISTICS, *(f"ok_{name}" for name in STATISTICS), *bounds] if "_per_s" not in name}
    columns = ["tenants", "concurrency", "operation", "category", *figures, *bounds, "low_n", "failed_by", *IDENTITY]
    return _sorted(frame)[columns].rename(columns=names)


def _tidy_journeys(model: Model) -> DataFrame:
    measures = [*DURATIONS, *(f"{name}_{side}" for name in DURATIONS[:3] for side in ("low", "high"))]
    columns = ["tenants", "concurrency", "journey", *JOURNEY_COUNTS, *measures, *IDENTITY]
    return _sorted(model.journeys)[columns].rename(columns={name: f"{name}_ms" for name in measures})


def _tidy_resources(model: Model) -> DataFrame:
    return _sorted(model.resources)[["tenants", "concurrency", "component", "status", *RESOURCE_NUMBERS, *IDENTITY]]


def points_table(model: Model) -> DataFrame:
    """Return one row per point and number, that of the pooled samples of its repeats, with the interval between them, empty below three."""
    frames = {"total": (model.cells, tuple(METRICS))}
    frames |= {name: (rows, tuple(METRICS)) for name, rows in model.operations.groupby("operation", sort=False)}
    frames |= {f"journey {name}": (rows, DURATIONS[:3]) for name, rows in model.journeys.groupby("journey", sort=False)}
    rows = [
        (point.tenants, point.load.profile, point.load.value, point.group, what, metric, len(values), int(sum(point.requests)),
         point.reported(metric), *(point.interval(metric) or (None, None)))
        for what, (frame, metrics) in frames.items()
        for point in points_of(model, None if what == "total" else frame, metrics, operation=what)
        for metric, values in point.values.items()
        if values
    ]
    columns = ["tenants", "profile", "load", "factors", "operation", "number", "repeats", "n", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"value": float, "low": float, "high": float})


def noise_table(model: Model) -> DataFrame:
    """Return the smallest change in percent that is beyond noise, by number, of all requests and of each operation; empty without three repeats."""
    points = points_of(model)
    repeats = min((point.repeats for point in points), default=1)
    found = {("total", metric): noise for metric, noise in noise_by_metric(points).items()}
    found |= {(name, metric): noise for metric in METRICS for name, noise in noise_by_operation(model, metric).items()}
    rows = [(what, metric, repeats, noise.degrees, noise.deviation, 100 * noise.floor(repeats)) for (what, metric), noise in found.items() if noise]
    return pd.DataFrame(rows, columns=["operation", "number", "repeats", "degrees_of_freedom", "log_deviation", "smallest_change_pct"])


def missing_table(model: Model) -> DataFrame:
    """Return the figures that are empty elsewhere, with the reason."""
    rows = []
    for cell in model.cells.itertuples():
        if pd.isna(cell.n):
            rows.append((cell.run_id, cell.cell_id, "cell", " ".join(cell.reasons) or "nothing was measured"))
        rows += [(cell.run_id, cell.cell_id, f"total {name}", reason) for name, reason in cell.suppressed.items()]
    for row in model.operations.itertuples():
        rows += [(row.run_id, row.cell_id, f"{row.operation} {name}", reason) for name, reason in row.suppressed.items()]
    measured = set(zip(model.cells.loc[model.cells["n"].notna(), "run_id"], model.cells.loc[model.cells["n"].notna(), "cell_id"], strict=True))
    unpooled = model.categories[model.categories["n"].isna()].drop_duplicates(["run_id", "cell_id"])
    rows += [
        (run_id, cell_id, f"categories {', '.join(CATEGORIES)}", "the source has no latencies pooled by category; percentiles cannot be averaged")
        for run_id, cell_id in zip(unpooled["run_id"], unpooled["cell_id"], strict=True)
        if (run_id, cell_id) in measured
    ]
    rows += [
        (row.run_id, row.cell_id, f"resources {row.component}", _WHY_NO_RESOURCES[row.status])
        for row in model.resources.itertuples()
        if row.status != "ok"
    ]
    return pd.DataFrame(rows, columns=["run_id", "cell_id", "missing", "reason"])


def csv_text(frame: DataFrame) -> str:
    """Return a table as CSV: missing values are empty, measures have three decimals at most, and no text is a formula of a spreadsheet."""
    rounded = frame.copy()
    for name in rounded.select_dtypes("float").columns:
        rounded[name] = rounded[name].round(DECIMALS if not name.endswith(("_ratio", "_rate", "coverage")) else 6)
    for name in rounded.select_dtypes(exclude=["number", "bool"]).columns:
        rounded[name] = rounded[name].map(csv_cell)
    return str(rounded.rename(columns=csv_cell).to_csv(index=False, lineterminator="\n"))


def _pairs(counts: dict[str, int]) -> str:
    return " ".join(f"{name}={count}" for name, count in counts.items())


def _sorted(frame: DataFrame) -> DataFrame:
    order = ["tenants", "profile", "concurrency", "rate", "db_backend", "run_id", "repeat"]
    return frame.sort_values(order, ignore_index=True, kind="stable")
