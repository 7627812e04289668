# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sweeps over concurrent users with the fitted Universal Scalability Law, and what the fits say in a sentence. Loads no library that draws."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.points import points_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import number
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.scalability import Scalability, TooFewLevelsError, fit_scalability


class Sweep(NamedTuple):
    """The levels of users of one tenant count and group: users and throughput of every repeat, and the fit, None below six levels."""

    group: str
    tenants: int
    users: list[float]
    throughput: list[float]
    fit: Scalability | None

    @property
    def name(self) -> str:
        """Return what the sweep is of, for titles and sentences."""
        return f"{self.tenants} tenant{'' if self.tenants == 1 else 's'}" + (f" ({self.group})" if self.group else "")


def sweeps(model: Model) -> list[Sweep]:
    """Return the sweeps over users that have several levels."""
    levels: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for point in points_of(model):
        if point.load.profile == "closed":
            levels.setdefault((point.group, point.tenants), []).extend((point.load.value, value) for value in point.values["goodput_per_s"])
    found = []
    for (group, tenants), pairs in levels.items():
        users, throughput = [level for level, _value in pairs], [value for _level, value in pairs]
        if len(set(users)) > 1:
            found.append(Sweep(group, tenants, users, throughput, _fit(users, throughput)))
    return found


def _fit(users: list[float], throughput: list[float]) -> Scalability | None:
    try:
        return fit_scalability(users, throughput)
    except TooFewLevelsError:
        return None


def has_scalability(model: Model) -> bool:
    """Return whether a sweep has enough levels for a fit."""
    return any(sweep.fit for sweep in sweeps(model))


def scalability_sentences(model: Model) -> list[str]:
    """Return what the fits say, one sentence for each sweep with enough levels."""
    return [_sentence(sweep.name, sweep.fit) for sweep in sweeps(model) if sweep.fit]


def _sentence(name: str, fit: Scalability) -> str:
    contention = f"contention {_with_interval(100 * fit.contention, *(100 * bound for bound in fit.contention_ci95))} %"
    coherency = f"coherency {_with_interval(100 * fit.coherency, *(100 * bound for bound in fit.coherency_ci95))} %"
    if fit.knee is None or fit.peak is None or fit.peak_ci95 is None or fit.knee_ci95 is None:
        return f"Scalability with {name}: no knee in this range; {contention}, {coherency} (Universal Scalability Law, {fit.levels} levels)."
    peak = f"peak throughput {_with_interval(fit.peak, *fit.peak_ci95)} requests/s at {_with_interval(fit.knee, *fit.knee_ci95)} users"
    return f"Scalability with {name}: {peak}; {contention}, {coherency} (Universal Scalability Law, {fit.levels} levels)."


def _with_interval(value: float, low: float, high: float) -> str:
    return f"{number(value)} ({number(low)} to {number(high)})"
