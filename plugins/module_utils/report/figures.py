# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the page about the whole matrix: latency, throughput, operations and components over load or tenants, scalability, the search."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.answer import latency_limits
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import Load, Model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.points import points_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.scalability import sweeps
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.svg import INVALID_SVG, Panel, Plot, Series, described, legend_svg, plot_svg
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.text import number
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.views import (
    MLFLOW,
    VALID_STATUSES,
    bucketed,
    component_frame,
    goodput_text,
    group_letters,
    ordered_operations,
    outcomes_text,
    shown_latency,
)

if TYPE_CHECKING:
    from pandas import DataFrame

_AXES = {"closed": ("concurrent users", "c"), "open": ("journeys started per second", "q")}
_SMALL = 300
_MIB = 1024**2
# A limit that is this many times the highest value would flatten what is measured.
_LIMIT_ROOM = 4.0
_NEAR_PX = 26
Key = tuple[str, int, Load]
Value = tuple[float, float, float, bool]
"""A value, the ends of its interval, and whether it is that of a cell which is not valid."""


@dataclass(frozen=True)
class Figure:
    """One figure of the page: its charts as SVG, the legend, and the pictures (PNG files) that show the same."""

    name: str
    section: str
    title: str
    caption: str
    charts: list[str]
    legend: list[tuple[str, str]]
    pictures: tuple[str, ...] = ()
    is_wide: bool = False


def page_figures(model: Model) -> list[Figure]:
    """Return every figure about the matrix for which there are values, in the order of the page; the first is that of the first screen."""
    found: list[Figure] = []
    for profile in dict.fromkeys(load.profile for load in model.loads):
        found += _of_loads(model, profile)
    found += [*_operations(model), *_by_tenants(model), *_scalability(model)]
    return [*found, *(_capacity(run.run_id, run.capacity) for run in model.runs if run.capacity and run.capacity["probes"])]


def latency_figure(model: Model, width: int = 640, height: int = 250) -> Figure | None:
    """Return P95 of all requests over the load with the objective's line; None where no such P95 is known."""
    profile = model.loads[0].profile if model.loads else "closed"
    values = _point_values(model, "p95")
    series = _level_series(model, profile, values)
    known = [value for one in series for value in one.y if not math.isnan(value)]
    if not known:
        return None
    limits = [limit for limit in latency_limits(model) if limit <= _LIMIT_ROOM * max(known)]
    beyond = [limit for limit in latency_limits(model) if limit not in limits]
    note = f" The objective (P95 at most {', '.join(map(number, beyond))} ms) is far above this range." if beyond else ""
    texts = [(limit, f"objective {number(limit)} ms") for limit in limits]
    panel = Panel("P95 in ms, all requests (lower is better)", series, "ms", height, texts)
    objective = f" Objective: at most {', '.join(map(number, limits + beyond))} ms." if limits or beyond else ""
    plot = _load_plot(model, profile, panel, width, f"P95 of all requests by {_AXES[profile][0]}. {described(series, 'ms')}.{objective}")
    bars = "Bars are 95 % intervals: between repeats from three on, else within the window." if any(one.low for one in series) else ""
    caption = f"{bars}{note}".strip()
    return Figure("latency", "Overview", "P95 by load", caption, [plot], _legend(series), ("chart_summary_dashboard.png",))


def _of_loads(model: Model, profile: str) -> list[Figure]:
    """Return the figures over the levels of one load profile."""
    cells, mlflow = model.cells, component_frame(model, MLFLOW)
    per_request = mlflow.assign(cpu_ms=mlflow["cpu_cores_mean"] / mlflow["rate_per_s"].where(mlflow["rate_per_s"] > 0) * 1000)
    suffix = "" if profile == "closed" else "-open"
    wanted: list[tuple[str, str, str, str, str, dict[Key, Value], tuple[str, ...], str]] = [
        ("throughput", "Throughput", "Throughput", "successful requests per second (higher is better)", "/s", _point_values(model, "goodput_per_s"),
         ("chart_rps_by_concurrency.png", "chart_throughput_heatmap.png", "chart_passed_counts.png"), goodput_text(model)),
        ("failed", "Throughput", "Failed requests", "% of requests (lower is better)", "%", _values(cells, "error_ratio", 100),
         ("chart_passed_counts.png",), "Of all requests that started in the window."),
        ("p50", "Response times", "P50 by load", "P50 in ms, all requests (lower is better)", "ms", _point_values(model, "p50"), (), ""),
        ("p99", "Response times", "P99 by load", "P99 in ms, all requests (lower is better)", "ms", _values(cells, "p99"), (), ""),
        ("mlflow-cpu", "Components", "CPU of MLflow", "mean CPU in cores", "cores", _values(mlflow, "cpu_cores_mean"),
         ("chart_mlflow_cpu_by_concurrency.png",), "Summed over its instances."),
        ("mlflow-cpu-request", "Components", "CPU time of MLflow per request", "ms per request (lower is better)", "ms", _values(per_request, "cpu_ms"),
         ("chart_mlflow_cpu_by_concurrency.png", "chart_mlflow_cpu_by_tenants.png"), "Mean CPU divided by requests per second, failed ones included."),
    ]  # fmt: skip
    found = []
    for name, section, title, axis, unit, values, pictures, caption in wanted:
        series = _level_series(model, profile, values)
        if _is_known(series) and not (name == "failed" and _is_zero(series)):
            chart = _load_plot(model, profile, Panel(axis, series, unit, 200), 560, f"{title}, {axis}, by {_AXES[profile][0]}. {described(series, unit)}.")
            found.append(Figure(f"{name}{suffix}", section, title, caption, [chart], _legend(series), pictures))
    return [*found, *_components(model, profile, suffix)]


def _components(model: Model, profile: str, suffix: str) -> list[Figure]:
    """Return small charts of CPU and memory, one per component."""
    found = []
    for kind, column, unit, scale, picture in (
        ("CPU", "cpu_cores_mean", "cores", 1.0, "chart_cpu_utilization.png"), ("Memory", "memory_bytes_mean", "MiB", 1 / _MIB, "chart_memory_utilization.png"),
    ):  # fmt: skip
        charts, legend = [], []
        for component in dict.fromkeys([MLFLOW, *model.resources["component"]]):
            series = _level_series(model, profile, _values(component_frame(model, component), column, scale))
            if _is_known(series):
                alt = f"{kind} of {component} by {_AXES[profile][0]}. {described(series, unit)}."
                charts.append(_load_plot(model, profile, Panel(f"{component}, {unit}", series, unit, 110), _SMALL, alt))
                legend = _legend(series)
        if charts:
            title = f"{kind} of every component in {unit}"
            caption = "Mean over the window, summed over the instances."
            found.append(Figure(f"components-{kind.lower()}{suffix}", "Components", title, caption, charts, legend, (picture,), is_wide=True))
    return found


def _operations(model: Model) -> list[Figure]:
    """Return small charts of the P95 of each operation with one logarithmic scale."""
    profile = model.loads[0].profile if model.loads else "closed"
    frame = shown_latency(model)
    by_operation: dict[str, list[Series]] = {}
    for name in ordered_operations(model):
        series = _level_series(model, profile, _values(frame[frame["operation"] == name], "shown"))
        if _is_known(series):
            by_operation[name] = series
    values = [value for series in by_operation.values() for one in series for value in one.y if value > 0]
    if not values:
        return []
    ends = (min(values) * 0.8, max(values) * 1.25)
    charts = [
        _load_plot(
            model, profile, Panel(name, series, "ms", 110, _within(latency_limits(model, name), ends), log=True, ends=ends), _SMALL,
            f"P95 of {name} by {_AXES[profile][0]}. {described(series, 'ms')}.",
        )
        for name, series in by_operation.items()
    ]  # fmt: skip
    caption = f"P95 in ms on one logarithmic scale. {outcomes_text(model)}"
    pictures = ("chart_response_times_by_concurrency.png", "chart_response_times_p95_heatmap.png")
    legend = _legend(next(iter(by_operation.values())))
    return [Figure("operations-p95", "Response times", "P95 of each operation by load", caption, charts, legend, pictures, is_wide=True)]


def _within(limits: Sequence[float], ends: tuple[float, float]) -> list[tuple[float, str]]:
    """Return the lines of the limits that are inside an axis."""
    return [(limit, f"objective {number(limit)} ms") for limit in limits if ends[0] <= limit <= ends[1]]


def _by_tenants(model: Model) -> list[Figure]:
    """Return P95 and throughput over the tenants, one line per level of load."""
    if len(model.tenants) < 2:
        return []
    found = []
    for metric, title, axis, unit, picture in (
        ("p95", "P95 by tenants", "P95 in ms, all requests (lower is better)", "ms", "chart_response_times_by_tenants.png"),
        ("goodput_per_s", "Throughput by tenants", "successful requests per second (higher is better)", "/s", "chart_rps_by_tenants.png"),
    ):  # fmt: skip
        values = _point_values(model, metric)
        letters = group_letters(model)
        series = [
            _one(f"{load.text}{_suffix(letters[group])}", [float(level) for level in model.tenants],
                 [values.get((group, level, load)) for level in model.tenants], place, len(model.loads), model.groups.index(group))
            for group in model.groups for place, load in enumerate(model.loads)
        ]  # fmt: skip
        series = [one for one in series if _is_known([one])]
        if series:
            plot = Plot(
                [Panel(axis, series, unit, 200)], "tenants (logarithmic)", (model.tenants[0] * 0.8, model.tenants[-1] * 1.25), model.tenants, x_log=True,
                width=560, alt=f"{title}, {axis}. {described(series, unit)}.",
            )  # fmt: skip
            found.append(Figure(f"tenants-{metric.partition('_')[0]}", "Tenants", title, "", [plot_svg(plot)], _legend(series), (picture,)))
    return found


def _scalability(model: Model) -> list[Figure]:
    """Return throughput over users with the fitted law, and its knee with the interval."""
    charts = []
    letters = group_letters(model)
    for sweep in sweeps(model):
        if not sweep.fit:
            continue
        highest = max(sweep.users)
        places = [1 + (highest - 1) * step / 60 for step in range(61)]
        series = [
            Series("fit", places, [sweep.fit.throughput(place) for place in places], role="ink"),
            Series("measured", sweep.users, sweep.throughput, role="level", shape=0, kind="marks"),
        ]
        knee = sweep.fit.knee_ci95
        spans = [(knee[0], min(highest, knee[1]), "interval", "knee, 95 %")] if knee else []
        title = f"{sweep.tenants} tenant{'' if sweep.tenants == 1 else 's'}{_suffix(letters[sweep.group])}, successful requests/s"
        alt = f"Throughput over concurrent users and the fitted Universal Scalability Law, {title}. {described(series, '/s')}."
        charts.append(plot_svg(Plot([Panel(title, series, "/s", 150)], "concurrent users", (0, highest), spans=spans, width=460, alt=alt)))
    if not charts:
        return []
    caption = "Marks are repeats, the line is the fitted Universal Scalability Law, the band its knee."
    return [Figure("scalability", "Throughput", "Scalability", caption, charts, [], ("chart_scalability.png",), is_wide=True)]


def _capacity(run_id: str, document: Mapping[str, Any]) -> Figure:
    """Return the probes of a search over their load: latency and throughput, the limit and the interval of the answer."""
    limits = list(document["search"]["limits"].items())
    name, limit = limits[0] if limits else ("", None)
    probes = sorted((probe for probe in document["probes"] if probe["verdict"] != "invalid"), key=lambda probe: probe["load"])
    panels = [
        Panel(f"{name or 'no latency is limited'}, ms", _probes(probes, lambda probe: probe["values"].get(name)), "ms", 170,
              [(limit, f"limit {number(limit)} ms")] if limit else [], log=True),
        Panel("requests per second", _probes(probes, lambda probe: probe["rate_per_s"]), "/s", 170, log=True),
    ]  # fmt: skip
    loads = [probe["load"] for probe in probes] or [1.0, 2.0]
    crossing = document["crossing"]
    spans = [(crossing["low"], crossing["high"], "interval", "95 % interval")] if crossing else []
    shown = [one for panel in panels for one in panel.series]
    plot = Plot(
        panels, f"{document['unit']} (logarithmic)", (min(loads) * 0.85, max(loads) * 1.15), x_log=min(loads) > 0, spans=spans,
        alt=f"Probes of the search: {described(shown, '')}.",
    )  # fmt: skip
    legend = [(legend_svg(one), one.name) for one in panels[0].series]
    caption = f"One mark per probe; the band is the 95 % interval of the answer ({run_id})."
    return Figure("capacity", "Overview", "Probes of the search", caption, [plot_svg(plot)], legend, ("chart_capacity.png",), is_wide=True)


def _probes(probes: Sequence[Mapping[str, Any]], value_of: Callable[[Mapping[str, Any]], float | None]) -> list[Series]:
    """Return the probes that hold and those that fail as series of marks over their load."""
    found = []
    for verdict, role, shape in (("holds", "meets", 0), ("fails", "misses", 3)):
        known = [(probe, value) for probe in probes if probe["verdict"] == verdict and (value := value_of(probe) or 0.0) > 0]
        if known:
            stopped = ["stopped early" if probe["is_hopeless"] else "" for probe, _value in known]
            loads = [probe["load"] for probe, _value in known]
            found.append(Series(verdict, loads, [float(value) for _probe, value in known], role, shape=shape, kind="marks", notes=stopped))
    return found


def _load_plot(model: Model, profile: str, panel: Panel, width: int, alt: str) -> str:
    """Return a chart over the levels of a profile, at distances in proportion to the load."""
    levels = [load.value for load in model.loads if load.profile == profile]
    high = max(levels) * 1.06 or 1.0
    per_unit = (width - 74) / high
    labelled: list[float] = []
    for level in levels:
        if not labelled or (level - labelled[-1]) * per_unit >= _NEAR_PX:
            labelled.append(level)
    return plot_svg(Plot([panel], _AXES[profile][0], (0, high), labelled if len(levels) <= len(labelled) + 1 else (), width=width, alt=alt))


def _level_series(model: Model, profile: str, values: Mapping[Key, Value]) -> list[Series]:
    """Return one line per tenant level and combination of factors."""
    loads = [load for load in model.loads if load.profile == profile]
    letters = group_letters(model)
    found = []
    for group in model.groups:
        for place, tenants in enumerate(model.tenants):
            known = [values.get((group, tenants, load)) for load in loads]
            if any(known):
                name = f"{tenants} tenant{'' if tenants == 1 else 's'}{_suffix(letters[group])}"
                found.append(_one(name, [load.value for load in loads], known, place, len(model.tenants), model.groups.index(group)))
    return found


def _one(name: str, x: Sequence[float], known: Sequence[Value | None], place: int, count: int, dash: int) -> Series:
    """Return a series of values; what is not known is a gap."""
    gap = (math.nan, math.nan, math.nan, False)
    y, low, high, invalid = zip(*(value or gap for value in known), strict=True)
    has_interval = any(not math.isnan(value) for value in low)
    return Series(
        name, x, y, "level", place / (count - 1) if count > 1 else 0.6, place, dash, low=low if has_interval else (), high=high if has_interval else (),
        invalid=frozenset(index for index, flag in enumerate(invalid) if flag), notes=["invalid" if flag else "" for flag in invalid],
    )  # fmt: skip


def _point_values(model: Model, metric: str) -> dict[Key, Value]:
    """Return a number of all requests by point: of the pooled repeats with its interval, else of the cells that are not valid."""
    found = _values(model.cells, metric)
    bounds = _values(model.cells, f"{metric}_low"), _values(model.cells, f"{metric}_high")
    for point in points_of(model, metrics=(metric,)):
        key = (point.group, point.tenants, point.load)
        value = point.reported(metric)
        low, high = point.interval(metric) or (bounds[0].get(key, (math.nan,))[0], bounds[1].get(key, (math.nan,))[0])
        if point.repeats > 1 and not point.interval(metric):
            low = high = math.nan
        if not math.isnan(value) or point.repeats:
            found[key] = (point.mean(metric) if math.isnan(value) else value, low, high, False)
    return found


def _values(frame: DataFrame, column: str, scale: float = 1.0) -> dict[Key, Value]:
    """Return the median of a column over the valid repeats of each point, or over those that are not valid where no other is known."""
    found: dict[Key, Value] = {}
    for (group, tenants, load), rows in bucketed(frame, ("group", "tenants", "load"), (column, "verdict")).items():
        valid = [value * scale for value, verdict in rows if verdict in VALID_STATUSES and not math.isnan(value)]
        known = valid or [value * scale for value, _verdict in rows if not math.isnan(value)]
        if known:
            found[group, int(tenants), load] = (statistics.median(known), math.nan, math.nan, not valid)
    return found


def _is_known(series: Sequence[Series]) -> bool:
    return any(not math.isnan(value) for one in series for value in one.y)


def _is_zero(series: Sequence[Series]) -> bool:
    return not any(value > 0 for one in series for value in one.y)


def _legend(series: Sequence[Series]) -> list[tuple[str, str]]:
    """Return sample and name of every series, and of the mark of cells that are not valid where there are such."""
    entries = [(legend_svg(one), one.name) for one in series]
    return [*entries, (INVALID_SVG, "cell is not valid")] if any(one.invalid for one in series) else entries


def _suffix(letter: str) -> str:
    return f" · {letter}" if letter else ""
