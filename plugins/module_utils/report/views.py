# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that several tables, charts and texts share, and the sentences about what they cover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import NOT_JUDGED
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import CATEGORY_OF, Model

if TYPE_CHECKING:
    from pandas import DataFrame

# Cells of the legacy suite have no verdict; they count as valid in charts.
VALID_STATUSES = ("valid", NOT_JUDGED)
WORDS = {"valid": "valid", "invalid": "invalid", "failed": "failed", "missing": "not run", NOT_JUDGED: "not judged"}
MLFLOW = "mlflow"
_LETTERS = 26
_OUTCOMES = "Latencies cover all outcomes: a request that timed out counts with its time limit."
_LEGACY_OUTCOMES = "The legacy suite recorded the latency of passed requests only."
_GOODPUT = "Successful requests per second of the window; failed ones do not count."
_LEGACY_GOODPUT = "Successful requests per second of the whole k6 run, as the legacy suite counted."


def source_labels(model: Model) -> dict[tuple[str, str], str]:
    """Return a short label for each combination of factors and run, in the order of the report: A, B; with a number where a combination has several runs.

    All labels are empty where the cells have one source.
    """
    pairs = list(dict.fromkeys(zip(model.cells["group"], model.cells["run_id"], strict=True)))
    letters = group_letters(model)
    if len(pairs) < 2:
        return dict.fromkeys(pairs, "")
    runs: dict[str, list[str]] = {}
    for group, run_id in pairs:
        runs.setdefault(group, []).append(run_id)
    return {(group, run_id): (letters[group] or "A") + (str(runs[group].index(run_id) + 1) if len(runs[group]) > 1 else "") for group, run_id in pairs}


def group_letters(model: Model) -> dict[str, str]:
    """Return a letter for each combination of factors, an empty one where there is only one."""
    groups = model.groups
    names = [chr(ord("A") + place) if place < _LETTERS else f"S{place + 1}" for place in range(len(groups))]
    return dict(zip(groups, names, strict=True)) if len(groups) > 1 else dict.fromkeys(groups, "")


def bucketed(frame: DataFrame, keys: Sequence[str], columns: Sequence[str]) -> dict[tuple[Any, ...], list[tuple[Any, ...]]]:
    """Return the rows of `columns` as plain tuples by the values of `keys`; numbers are floats, missing ones NaN.

    Charts process each row once, where this is many times faster than slicing frames.
    """
    lists = [
        frame[name].to_numpy(dtype=float, na_value=float("nan")).tolist() if frame[name].dtype.kind in "if" else frame[name].tolist() for name in columns
    ]
    buckets: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for key, row in zip(zip(*(frame[name].tolist() for name in keys), strict=True), zip(*lists, strict=True), strict=True):
        buckets.setdefault(key, []).append(row)
    return buckets


def shown_latency(model: Model, statistic: str = "p95") -> DataFrame:
    """Return the operations with a column `shown`: the statistic over all outcomes; over passed requests where the source knows only those."""
    frame = model.operations
    passed_only = frame["mean"].isna()
    return frame.assign(shown=frame[statistic].where(~passed_only, frame[f"ok_{statistic}"]))


def component_frame(model: Model, component: str) -> DataFrame:
    """Return one row per cell with the component's figures; where they are missing the row is there with missing values.

    A cell that has other components but not this one never had it (no PostgreSQL beside SQLite) and has no row; every cell
    has MLflow.
    """
    rows = model.resources[model.resources["component"] == component]
    figures = rows.drop(columns=[name for name in model.cells.columns if name in rows.columns and name not in ("run_id", "cell_id")])
    frame = model.cells.merge(figures, on=["run_id", "cell_id"], how="left")
    if component == MLFLOW:
        return frame
    recorded = set(zip(model.resources["run_id"], model.resources["cell_id"], strict=True))
    cells = zip(frame["run_id"], frame["cell_id"], frame["status"].notna(), strict=True)
    return frame[[is_there or (run_id, cell_id) not in recorded for run_id, cell_id, is_there in cells]]


def category_goodput(model: Model, category: str) -> DataFrame:
    """Return the cells with the goodput of one category: rates of operations add up."""
    rows = model.operations[model.operations["category"] == category]
    sums = rows.groupby(["run_id", "cell_id"], sort=False)["goodput_per_s"].sum(min_count=1).rename("goodput_per_s")
    return model.cells.drop(columns="goodput_per_s").merge(sums, on=["run_id", "cell_id"], how="left")


def ordered_operations(model: Model) -> list[str]:
    """Return read, search and write operations in this order, so that similar ones are neighbours."""
    order = {"read": 0, "search": 1, "write": 2}
    return sorted(model.operation_names, key=lambda name: order.get(CATEGORY_OF.get(name, ""), 3))


def outcomes_text(model: Model) -> str:
    """Return which requests the latencies of operations cover."""
    return _by_origin(model, _OUTCOMES, _LEGACY_OUTCOMES)


def goodput_text(model: Model) -> str:
    """Return which requests and which time the rates cover."""
    return _by_origin(model, _GOODPUT, _LEGACY_GOODPUT)


def _by_origin(model: Model, ours: str, legacy: str) -> str:
    kinds = {run.is_evaluated for run in model.runs}
    return " ".join(text for kind, text in ((True, ours), (False, legacy)) if kind in kinds)


def why_empty(frame: DataFrame) -> str:
    """Return why a component has no figures at all."""
    states = set(frame["status"].dropna())
    if states == {"not_requested"}:
        return "not requested: the run has no metrics"
    return "missing: the metrics hold no samples of it" if states else "not recorded in these cells"
