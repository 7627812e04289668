# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throughput over concurrent users with the fitted Universal Scalability Law, and what the fit says in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.points import points_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import number
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.scalability import Scalability, TooFewLevelsError, fit_scalability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STEPS = 200


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


def scalability(model: Model) -> Figure:
    """Draw a panel for each sweep: every repeat, the fitted law, and the knee with its interval."""
    fitted = [(sweep, fit) for sweep in sweeps(model) if (fit := sweep.fit)]
    figure, axes = style.create_figure(
        style.Frame(-(-len(fitted) // 2), 2, 2.6, gap_x=0.8, gap_y=0.8),
        "Scalability", "Successful requests per second over concurrent users; the line is the fitted Universal Scalability Law, the band its knee (95 %).",
    )  # fmt: skip
    for ax, (sweep, fit) in zip(axes, fitted, strict=False):
        highest = max(sweep.users)
        places = [1 + (highest - 1) * step / _STEPS for step in range(_STEPS + 1)]
        ax.plot(places, [fit.throughput(place) for place in places], color=style.INK, linewidth=1.4, zorder=2)
        ax.plot(sweep.users, sweep.throughput, linestyle="", marker="o", color=style.GOOD, markersize=5, zorder=3)
        if fit.knee_ci95 is not None:
            ax.axvspan(fit.knee_ci95[0], min(highest, fit.knee_ci95[1]), color=style.DOUBTFUL, alpha=0.25, zorder=0)
        ax.set_title(sweep.name)
        ax.set_xlabel("concurrent users")
        ax.set_ylabel("successful requests/s")
        ax.set_ylim(0, max(sweep.throughput) * 1.15)
    for ax in axes[len(fitted):]:
        ax.set_axis_off()
    return figure
