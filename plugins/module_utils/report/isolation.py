# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a noisy neighbour does to the other tenants, from pairs of cells that differ in nothing but the noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import number
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import VALID_STATUSES
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.repeats import geometric_mean, interval_between

NOISY, QUIET = "-popularity-noisy", "-popularity-uniform"
_METRICS = {"p95": "P95", "goodput": "goodput"}


@dataclass
class Isolation:
    """The ratios of the others' numbers with the noisy neighbour to those without it, one for each pair of repeats."""

    name: str
    factor: float
    ratios: dict[str, list[float]] = field(default_factory=lambda: {metric: [] for metric in _METRICS})


def isolations(model: Model) -> list[Isolation]:
    """Return the isolation at each point that has valid cells with and without noise, paired by their repeats."""
    cells = model.cells[model.cells["verdict"].isin(VALID_STATUSES)]
    known: dict[tuple[str, str], dict[str, Any]] = {(row["run_id"], row["cell_id"]): row for row in cells.to_dict("records")}
    found: dict[tuple[str, str], Isolation] = {}
    for (run_id, cell_id), noisy in known.items():
        quiet = known.get((run_id, cell_id.replace(NOISY, QUIET)))
        if NOISY not in cell_id or quiet is None:
            continue
        name = cell_id.split(NOISY)[0]
        isolation = found.setdefault((run_id, name), Isolation(name, noisy["noisy_factor"]))
        for metric in _METRICS:
            with_noise, without = noisy[f"others_{metric}"], quiet[f"others_{metric}"]
            if with_noise > 0 and without > 0:
                isolation.ratios[metric].append(with_noise / without)
    return [isolation for isolation in found.values() if any(isolation.ratios.values())]


def isolation_sentences(model: Model) -> list[str]:
    """Return one sentence for each point."""
    return [
        f"Isolation at {found.name}: beside a tenant with {number(found.factor)} times the load of each other tenant, the others have "
        f"{' and '.join(_ratio(metric, ratios) for metric, ratios in found.ratios.items() if ratios)} of what they have without it."
        for found in isolations(model)
    ]


def _ratio(metric: str, ratios: list[float]) -> str:
    interval = interval_between(ratios)
    spread = f" ({number(interval[0])} to {number(interval[1])})" if interval else ", not tested"
    return f"{number(geometric_mean(ratios))} times the {_METRICS[metric]}{spread}"
