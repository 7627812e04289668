# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key findings in sentences: highest throughput, saturation, slowest operation, failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import number
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import MLFLOW, VALID_STATUSES, component_frame, shown_latency

if TYPE_CHECKING:
    from pandas import DataFrame

# Less growth of goodput than this, for at least half as much more load, counts as saturation.
_GROWTH = 0.10
_MORE_LOAD = 1.5
NOISE = "Differences between single repeats are not tested for significance; measure with repeats before trusting small ones."


def key_findings(model: Model) -> list[str]:
    """Return sentences over the cells that are valid or not evaluated; empty when nothing was measured."""
    valid = model.cells[model.cells["verdict"].isin(VALID_STATUSES) & model.cells["goodput_per_s"].notna()]
    found: list[str] = []
    for group in model.groups:
        cells = valid[valid["group"] == group]
        if not cells.empty:
            where = f" ({group})" if group else ""
            found += [*_highest(cells[~cells["is_disturbed"]], where), *_saturation(cells, where), *_cpu(model, cells, where)]
    found += _slowest(model) + _failing(model)
    if len(valid) > 1 and int(model.cells["repeat"].max()) == 1:
        found.append(NOISE)
    return found


def _highest(cells: DataFrame, where: str) -> list[str]:
    """Return the highest throughput of the cells, which are those that nothing disturbed."""
    if cells.empty:
        return []
    best = cells.loc[cells["goodput_per_s"].idxmax()]
    p95 = f" at a P95 of {number(best['p95'])} ms" if best["p95"] == best["p95"] else ""
    return [f"Highest throughput{where}: {number(best['goodput_per_s'])} successful requests per second in cell {best['cell_id']}{p95}."]


def _saturation(cells: DataFrame, where: str) -> list[str]:
    """Return the first step of load, per tenant level, that resulted in hardly more successful requests."""
    found = []
    for (tenants, profile), rows in cells.groupby(["tenants", "profile"]):
        steps = rows.assign(level=rows["load"].map(lambda load: load.value)).groupby("level")[["goodput_per_s", "p95"]].median()
        for (low, before), (high, after) in zip(list(steps.iterrows())[:-1], list(steps.iterrows())[1:], strict=True):
            both = before["p95"] == before["p95"] and after["p95"] == after["p95"]
            growth = after["goodput_per_s"] / before["goodput_per_s"] - 1 if before["goodput_per_s"] else None
            if growth is not None and high / low >= _MORE_LOAD and growth < _GROWTH:
                unit = "users" if profile == "closed" else "journeys/s"
                slower = f", P95 from {number(before['p95'])} to {number(after['p95'])} ms" if both else ""
                found.append(
                    f"Saturated{where} with {tenants} tenant{'' if tenants == 1 else 's'} from {low:g} {unit} on: "
                    f"{high:g} {unit} changed throughput by {growth:+.0%}{slower}."
                )
                break
    return found


def _cpu(model: Model, cells: DataFrame, where: str) -> list[str]:
    frame = component_frame(model, MLFLOW)
    frame = frame[frame["cell_id"].isin(cells["cell_id"]) & frame["run_id"].isin(cells["run_id"]) & frame["cpu_cores_mean"].notna()]
    if frame.empty:
        return []
    most = frame.loc[frame["cpu_cores_mean"].idxmax()]
    return [f"Most CPU of MLflow{where}: {number(most['cpu_cores_mean'])} cores on average in cell {most['cell_id']}."]


def _slowest(model: Model) -> list[str]:
    frame = shown_latency(model)
    frame = frame[frame["verdict"].isin(VALID_STATUSES) & frame["shown"].notna()]
    if frame.empty:
        return []
    worst = frame.loc[frame["shown"].idxmax()]
    return [f"Slowest operation: {worst['operation']}, P95 {number(worst['shown'])} ms in cell {worst['cell_id']}."]


def _failing(model: Model) -> list[str]:
    frame = model.operations[model.operations["failed"].fillna(0) > 0]
    if frame.empty:
        return []
    worst = frame.loc[frame["error_ratio"].idxmax()]
    causes = ", ".join(f"{cause} {count}" for cause, count in worst["failed_by"].items())
    return [
        f"Failures: {int(frame['failed'].sum())} requests; the largest share in {worst['operation']}, {worst['failed']} of {worst['n']} "
        f"in cell {worst['cell_id']}{f' ({causes})' if causes else ''}."
    ]
