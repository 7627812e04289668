# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chart of the throughput over concurrent users with the fitted Universal Scalability Law."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.perfscale.mlflow.plugins.module_utils.report import style
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.scalability import sweeps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STEPS = 200


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
