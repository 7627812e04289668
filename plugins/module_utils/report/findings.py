# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key findings in sentences: throughput, saturation, slow operations, failures. What may be noise is called not distinguishable, with its numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.isolation import isolation_sentences
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.points import Point, change_text, noise_by_metric, points_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.scalability import scalability_sentences
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import number
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import MLFLOW, VALID_STATUSES, component_frame, shown_latency
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.repeats import Noise, noise_of

if TYPE_CHECKING:
    from pandas import DataFrame, Series

# Less growth of goodput than this, for at least half as much more load, counts as saturation.
_GROWTH = 0.10
_MORE_LOAD = 1.5
_LEVELS_NEEDED = 3
_FAILING_NAMED = 3


def key_findings(model: Model) -> list[str]:
    """Return sentences over the cells that are valid or not evaluated; empty when nothing was measured."""
    points = points_of(model)
    noise = noise_by_metric(points)
    found: list[str] = []
    for group in model.groups:
        mine = [point for point in points if point.group == group]
        where = f" ({group})" if group else ""
        if mine:
            found += [*_throughput(mine, noise["goodput_per_s"], where), *_saturation(model, mine, noise, where), *_cpu(model, group, where)]
    return found + scalability_sentences(model) + _slowest(model) + _tenants(model) + isolation_sentences(model) + _failing(model)


def _throughput(points: Sequence[Point], noise: Noise | None, where: str) -> list[str]:
    """Return the highest throughput if it is beyond noise, else the points that share it, or the range that was not tested."""
    ranked = sorted((point for point in points if point.values["goodput_per_s"]), key=lambda point: point.mean("goodput_per_s"), reverse=True)
    if not ranked:
        return []
    best, last = ranked[0], ranked[-1]
    p95 = f" at a P95 of {best.text('p95')} ms" if not math.isnan(best.reported("p95")) else ""
    if len(ranked) == 1:
        return [f"Throughput{where}: {best.text('goodput_per_s')} successful requests per second at {best.name}{p95}."]
    if noise is None:
        ends = f"{number(last.mean('goodput_per_s'))} ({last.name}) to {number(best.mean('goodput_per_s'))} ({best.name})"
        return [f"Throughput{where}: {ends} successful requests per second; the differences are not tested."]
    alike = [point for point in ranked[1:] if not noise.is_beyond(best.values["goodput_per_s"], point.values["goodput_per_s"])]
    if not alike:
        return [f"Highest throughput{where}: {best.text('goodput_per_s')} successful requests per second at {best.name}{p95}."]
    names = ", ".join(f"{point.name} ({number(point.mean('goodput_per_s'))})" for point in (best, *alike))
    return [f"Highest throughput{where}: not distinguishable between {names} successful requests per second."]


def _saturation(model: Model, points: Sequence[Point], noise: dict[str, Noise | None], where: str) -> list[str]:
    """Return per tenant level from which load on more load gave hardly more successful requests, or why that is not determined.

    A level saturates when the next one, at least 1.5 times as high, adds less than 10 % of goodput by its tested mean, P95 grows beyond noise, no
    arrival was dropped, and no later level has more goodput beyond noise. At least three levels are needed.
    """
    found = []
    for tenants, profile in dict.fromkeys((point.tenants, point.load.profile) for point in points):
        levels = [point for point in points if (point.tenants, point.load.profile) == (tenants, profile) and point.values["goodput_per_s"]]
        if len(levels) < 2:
            continue
        at = f"{where} with {tenants} tenant{'' if tenants == 1 else 's'}"
        goodput, p95 = noise["goodput_per_s"], noise["p95"]
        if goodput is None or p95 is None:
            found.append(f"Saturation{at}: not determined; differences are not tested.")
        elif len(levels) < _LEVELS_NEEDED:
            found.append(f"Saturation{at}: not determined; {len(levels)} levels of load, at least {_LEVELS_NEEDED} are needed.")
        else:
            found.append(_knee(model, levels, goodput, p95, at))
    return found


def _knee(model: Model, levels: Sequence[Point], goodput: Noise, p95: Noise, at: str) -> str:
    for place, (low, high) in enumerate(itertools.pairwise(levels)):
        grows = high.mean("goodput_per_s") / low.mean("goodput_per_s") - 1 if low.mean("goodput_per_s") else math.inf
        if high.load.value / low.load.value < _MORE_LOAD or grows >= _GROWTH:
            continue
        values = low.values["goodput_per_s"]
        later = [point for point in levels[place + 1:] if point.mean("goodput_per_s") > low.mean("goodput_per_s") * (1 + _GROWTH)]
        later = [point for point in later if goodput.is_beyond(values, point.values["goodput_per_s"])]
        changes = f"{high.load.text} changed throughput by {change_text(low, high, 'goodput_per_s')}"
        if not (low.values["p95"] and high.values["p95"]):
            return f"Saturation{at}: not determined; {changes}, but a P95 has too few requests."
        slower = f"P95 by {change_text(low, high, 'p95')}"
        grew = high.mean("p95") > low.mean("p95") and p95.is_beyond(low.values["p95"], high.values["p95"])
        reason = (
            f"and {later[0].load.text} reached more again" if later
            else "and P95 did not grow beyond noise" if not grew
            else "and arrivals were dropped" if _has_drops(model, high)
            else ""
        )
        if reason:
            return f"Saturation{at}: not determined; {changes}, {slower}, {reason}."
        return f"Saturated{at} from {low.load.text} on: {changes}, {slower}."
    return f"Saturation{at}: not reached up to {levels[-1].load.text}."


def _has_drops(model: Model, point: Point) -> bool:
    cells = model.cells
    mine = cells[(cells["group"] == point.group) & (cells["tenants"] == point.tenants) & (cells["load"] == point.load)]
    return bool((mine["generator_dropped"].fillna(0) > 0).any())


def _cpu(model: Model, group: str, where: str) -> list[str]:
    frame = component_frame(model, MLFLOW)
    frame = frame[(frame["group"] == group) & frame["verdict"].isin(VALID_STATUSES) & frame["cpu_cores_mean"].notna()]
    if frame.empty:
        return []
    low, high = number(frame["cpu_cores_mean"].min()), number(frame["cpu_cores_mean"].max())
    return [f"CPU of MLflow{where}: {low if low == high else f'{low} to {high}'} cores on average, by cell."]


def _tenants(model: Model) -> list[str]:
    """Return how evenly the tenants of valid cells were served."""
    cells = model.cells[model.cells["verdict"].isin(VALID_STATUSES)]
    even, completed, worst = (cells[name].dropna() for name in ("jain_p95", "jain_completed", "worst_tenant_to_median"))
    if even.empty or worst.empty:
        return []
    parts = [f"Jain's index of P95 {_ends(even)}"]
    parts += [f"of completed per started journeys {_ends(completed)}"] if not completed.empty else []
    place = worst.idxmax()
    parts.append(f"the slowest tenant of a cell has up to {number(worst[place])} times the P95 of its median tenant (cell {cells['cell_id'][place]})")
    return [f"Tenants: {', '.join(parts)}."]


def _ends(values: Series) -> str:
    low, high = number(values.min()), number(values.max())
    return low if low == high else f"{low} to {high}"


def _slowest(model: Model) -> list[str]:
    """Return the operation with the highest P95 over all points, if it differs from the next one by more than noise at every point that has both."""
    frame = shown_latency(model)
    by_operation: dict[str, dict[tuple[object, ...], Point]] = {}
    for name in model.operation_names:
        points = points_of(model, frame[frame["operation"] == name], ("shown",))
        by_operation[name] = {(point.group, point.tenants, point.load): point for point in points if point.values["shown"]}
    means = {name: _mean(points.values()) for name, points in by_operation.items() if points}
    ranked = sorted(means, key=lambda name: means[name], reverse=True)
    if not ranked:
        return []
    ranges = {name: _range(by_operation[name].values()) for name in ranked[:2]}
    first = ranked[0]
    if len(ranked) == 1:
        return [f"Slowest operation: {first}, P95 {ranges[first]} ms."]
    second = ranked[1]
    noise = noise_of([point.values["shown"] for name in (first, second) for point in by_operation[name].values()])
    numbers = f"{first} (P95 {ranges[first]} ms) and {second} ({ranges[second]} ms)"
    if noise is None:
        return [f"Operations with the highest P95: {numbers}; the difference is not tested."]
    shared = by_operation[first].keys() & by_operation[second].keys()
    beyond = [noise.is_beyond(by_operation[first][key].values["shown"], by_operation[second][key].values["shown"]) for key in shared]
    if beyond and all(beyond):
        return [f"Slowest operation: {first}, P95 {ranges[first]} ms; next {second}, {ranges[second]} ms."]
    return [f"Slowest operation: not distinguishable between {numbers}."]


def _mean(points: Iterable[Point]) -> float:
    values = [math.log(point.mean("shown")) for point in points if point.mean("shown") > 0]
    return math.fsum(values) / len(values) if values else -math.inf


def _range(points: Iterable[Point]) -> str:
    values = [point.mean("shown") for point in points]
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"


def _failing(model: Model) -> list[str]:
    """Return how many requests of valid cells failed, and in which operations most."""
    frame = model.operations[model.operations["verdict"].isin(VALID_STATUSES) & (model.operations["failed"].fillna(0) > 0)]
    if frame.empty:
        return []
    totals = frame.groupby("operation")[["failed", "n"]].sum().sort_values("failed", ascending=False)
    causes = _causes(frame)
    named = ", ".join(f"{name} {int(row['failed'])} of {int(row['n'])}" for name, row in totals.head(_FAILING_NAMED).iterrows())
    more = f" and {len(totals) - _FAILING_NAMED} more operations" if len(totals) > _FAILING_NAMED else ""
    return [f"Failures in valid cells: {int(frame['failed'].sum())} requests ({named}{more}){f'; by cause {causes}' if causes else ''}."]


def _causes(frame: DataFrame) -> str:
    counts: dict[str, int] = {}
    for failed_by in frame["failed_by"]:
        for cause, count in failed_by.items():
            counts[cause] = counts.get(cause, 0) + count
    return ", ".join(f"{cause} {count}" for cause, count in sorted(counts.items(), key=lambda item: -item[1]))
