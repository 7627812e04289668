# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A metrics profile queried from one Prometheus for one finished window.

Queries may use variables, the `{{.elapsed}}` of kube-burner's profiles and ours in the same notation.
"""

from __future__ import annotations

import datetime
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.client import PrometheusClient, PrometheusError
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.measurement import Measurement, assign
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import Entry
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.resources import resources
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import ResponseError, Series, check_shape, read_series
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.selector import cut_down, matchers, normalize

# Prometheus rejects range queries of more points per series (web/api/v1: 11,000).
_MOST_POINTS = 11_000
# A rate needs at least two scrapes; four survive a lost one and a shift (https://www.robustperception.io/what-range-should-i-use-with-rate/).
SCRAPES_PER_RATE = 4
# A gauge this many scrapes old still counts: one scrape may be lost, and cAdvisor's samples are some seconds old when they are
# scraped. Where time stamps are exported (cAdvisor), Prometheus would show what is gone for five minutes.
_SCRAPES_FRESH = 2.5
_CLOCK_TOLERANCE_S = 2.0
# kube-burner renders profiles with Go's text/template; a field access is all that its published profiles use.
_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_FIELD = re.compile(r"\.([A-Za-z_]\w*)")
# A clock of this machine read twice may step a little; more than this is a window that is not over.
_CLOCK_SLACK_S = 1.0
# Epoch seconds of 2001 and of 5138: what is larger and becomes a time after 2001 in another unit is in that unit.
_SECONDS_MIN, _SECONDS_MAX = 1e9, 1e11


class WindowError(ValueError):
    """A window that cannot be measured; the text is one sentence."""


@dataclass(frozen=True)
class Window:
    """A closed interval of epoch seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.end - self.start


def parse_time(value: Any, name: str) -> float:
    """Return epoch seconds.

    Accepts epoch seconds (number or text), ISO 8601 (with `T` or a space, with or without zone; `Z` too).
    A time without a zone is local time of this machine, as `date` reads it. Raises WindowError.
    """
    text = str(value).strip()
    if not isinstance(value, bool):
        number = _number(text)
        if math.isfinite(number) and number > 0:
            return _epoch_seconds(number, value, name)
        try:
            return datetime.datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError):
            pass
    raise WindowError(f"Window {name} {value!r}: not a time. Write epoch seconds, 2026-11-23T18:11:36Z, or '2026-11-23 18:11:36' (local time).")


def _number(text: str) -> float:
    """Return a number, NaN for other text."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _epoch_seconds(number: float, value: Any, name: str) -> float:
    """Return epoch seconds. Raises WindowError for what is a time of our days in another unit, as tools show it that count in milliseconds."""
    for unit, factor in (("nanoseconds", 1e9), ("microseconds", 1e6), ("milliseconds", 1e3)):
        if number >= _SECONDS_MAX and number / factor >= _SECONDS_MIN:
            raise WindowError(f"Window {name} {value}: too large for epoch seconds, probably {unit}. Write {number / factor:.3f}.")
    return number


def parse_window(start: Any, end: Any, now: float) -> Window:
    """Return the window between two times. Raises WindowError when it is empty, reversed, or not over at `now`."""
    window = Window(parse_time(start, "start"), parse_time(end, "end"))
    if window.seconds <= 0:
        raise WindowError(f"Window {start} to {end}: ends before it starts, or is empty. Give an end that is later than the start.")
    if window.end > now + _CLOCK_SLACK_S:
        raise WindowError(
            f"Window {start} to {end}: ends {window.end - now:.0f} s in the future. Collect a window after it is over, or check the clock of this machine."
        )
    return window


def remaining_wait(window: Window, wait_after: float, now: float) -> float:
    """Return the seconds (0 or more) left until `wait_after` seconds have passed since the end of the window."""
    return max(0.0, window.end + wait_after - now)


class TemplateError(ValueError):
    """A query with something between braces that cannot be rendered; the text is one sentence."""


@dataclass(frozen=True)
class Request:
    """What to collect: the entries, the components {name: selector}, the window, and its granularity in seconds.

    `load` is the time from the first request of the load to the end of its last one; the window where it is not given.
    """

    entries: Sequence[Entry]
    components: Mapping[str, Any]
    window: Window
    scrape_interval: float
    step: float | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    load: Window | None = None

    @property
    def counted(self) -> Window:
        """Return the time between whose ends the server's own counters are compared: the load, and one scrape after it, in which they have it all."""
        load = self.load or self.window
        return Window(load.start, load.end + self.scrape_interval)

    @property
    def step_s(self) -> float:
        """Step of range queries: the one given, else one scrape, coarser where a long window needs it."""
        return self.step or max(self.scrape_interval, math.ceil(self.window.seconds / _MOST_POINTS))

    @property
    def rate_range_s(self) -> float:
        """Range for rates inside the window (`{{.interval}}`), four scrapes."""
        return SCRAPES_PER_RATE * self.scrape_interval

    def query_of(self, entry: Entry) -> str:
        """Return the rendered query of an entry. Raises TemplateError, and SelectorError for a component without selector."""
        built_in = {
            "elapsed": promql_duration(self.window.seconds),
            "interval": promql_duration(self.rate_range_s),
            "step": promql_duration(self.step_s),
            "scrape_interval": promql_duration(self.scrape_interval),
            "fresh_s": f"{_SCRAPES_FRESH * self.scrape_interval:g}",
            "load_start": f"{self.counted.start:.3f}",
            "load_end": f"{self.counted.end:.3f}",
        }
        if "selector" in names_in(entry.query):
            if not self.components:
                raise TemplateError(f"Metric {entry.metric}: its query selects components, and none is given. Give the components with their selectors.")
            built_in["selector"] = matchers(self._normal(entry))
        return render(entry.query, {**self.variables, **built_in}, entry.metric)

    def selectors_of(self, entry: Entry) -> dict[str, dict[str, str]]:
        """Return the components by which the entry's series can be distinguished.

        A text selects by the entry's component_label; without one, texts select nothing.
        """
        if entry.component_label is None and any(isinstance(selector, str) for selector in self.components.values()):
            return {}
        return self._normal(entry)

    def _normal(self, entry: Entry) -> dict[str, dict[str, str]]:
        selectors = normalize(self.components, entry.component_label)
        return cut_down(selectors, entry.selector_labels) if entry.selector_labels else selectors


@dataclass
class Collection:
    """The result: measurements in the profile's order, resources by component, and what went wrong."""

    measurements: list[Measurement]
    resources: dict[str, dict[str, Any]]
    errors: list[str]
    warnings: list[str]


def check(request: Request) -> list[str]:
    """Return the queries of all entries, so that a bad profile is found before anything is sent.

    Raises TemplateError, SelectorError, and ResponseError for a step that is too fine for the window.
    """
    if request.window.seconds / request.step_s > _MOST_POINTS:
        raise ResponseError(
            f"Step {request.step_s:g} s: more than {_MOST_POINTS} points per series in a window of {request.window.seconds:.0f} s. Choose a larger step."
        )
    return [request.query_of(entry) for entry in request.entries]


def collect(
    request: Request, client: PrometheusClient, wait_after: float, spacing: float = 0.0,
    clock: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep,
) -> Collection:  # fmt: skip
    """Query every entry once, the first one only after `wait_after` seconds have passed since the window's end, and a scrape since the load's.

    A failure that would recur (unreachable, rejected) ends the collection; any other one affects only its entry.
    Raises what `check` raises.
    """
    queries, window = check(request), request.window
    sleep(max(remaining_wait(window, wait_after, clock()), remaining_wait(request.counted, 0, clock()) if request.load else 0.0))
    measurements: list[Measurement] = []
    errors: list[str] = []
    warnings: list[str] = []
    is_rejected = False
    for entry, query in zip(request.entries, queries, strict=True):
        measured = []
        try:
            if not query:
                (errors if entry.is_required else warnings).append(f"Metric {entry.metric}: its query is empty. Write a query, or remove the entry.")
            elif not is_rejected:
                if client.requests:
                    sleep(spacing)
                measured = _measure(request, entry, query, client)
        except (PrometheusError, ResponseError) as error:
            is_rejected = isinstance(error, PrometheusError) and error.final
            (warnings if entry.optional and not is_rejected else errors).append(str(error))
        measurements += measured or [Measurement(one, query, [], window.start, failed=True, end=window.end) for one in entry.by_field()]
    filled, missing, notes = resources(request.components, measurements, window.seconds / request.scrape_interval)
    empty = [measurement for measurement in measurements if not (measurement.entry.field or measurement.failed or measurement.has_result())]
    errors += missing + [_nothing(one) for one in empty if one.entry.is_required]
    warnings += client.warnings + notes + [_nothing(one) for one in empty if one.entry.optional is None] + _clock_warning(client, request)
    return Collection(measurements, filled, errors, warnings)


def _measure(request: Request, entry: Entry, query: str, client: PrometheusClient) -> list[Measurement]:
    """Return a measurement for each field of an entry (one for an entry without fields)."""
    window = request.window
    if entry.instant and entry.capture_start:
        # One request for both ends: a range query whose step is the whole window.
        data = client.range(query, window.start, window.end, round(window.end, 3) - round(window.start, 3), entry.metric)
    elif entry.instant:
        data = client.instant(query, window.end, entry.metric)
    else:
        data = client.range(query, window.start, window.end, request.step_s, entry.metric)
    shape, series = read_series(data, entry.metric)
    if entry.capture_start and entry.instant and shape == "matrix":
        shape = "vector"
    check_shape(entry.metric, shape, series, entry.shape, entry.series_min, entry.series_max)
    since = window.start + (request.rate_range_s if "interval" in names_in(entry.query) else 0.0)
    selectors = request.selectors_of(entry)
    return [
        Measurement(one, query, assign(one, [each for each in series if _is_of(each, one)], selectors), since, end=window.end) for one in entry.by_field()
    ]


def _is_of(series: Series, entry: Entry) -> bool:
    return entry.field_label is None or series.labels.get(entry.field_label) == entry.field


def _nothing(measurement: Measurement) -> str:
    """Return the sentence about an entry that describes no component and gave nothing."""
    series = [row.series for row in measurement.rows]
    odd = sorted({text for one in series for text in one.not_finite})
    if odd:
        what = f"is {' and '.join(odd)}, not a number"
    else:
        what = "has no value at the end of the window" if any(one.points for one in series) else "returned no series"
    remedy = "Check the query and the window, or mark the entry optional" if measurement.entry.is_required else "Its figures are missing"
    return f"Metric {measurement.entry.metric}: {what}. {remedy}."


def _clock_warning(client: PrometheusClient, request: Request) -> list[str]:
    offset = client.clock_offset_s
    if offset is None or abs(offset) <= max(_CLOCK_TOLERANCE_S, request.scrape_interval):
        return []
    return [
        f"Clock of {client.url}: {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} ours, which shifts the window. "
        "Synchronize the clocks and collect again."
    ]


def names_in(query: str) -> set[str]:
    """Return the names of the variables that a query uses."""
    return {match.group(1) for match in map(_FIELD.fullmatch, _ACTION.findall(query)) if match}


def render(query: str, variables: Mapping[str, str], metric: str) -> str:
    """Return the query with every `{{.name}}` replaced. Raises TemplateError for an unknown name and for other template code."""

    def value_of(action: re.Match[str]) -> str:
        field = _FIELD.fullmatch(action.group(1))
        if field and field.group(1) in variables:
            return str(variables[field.group(1)])
        known = ", ".join("{{." + name + "}}" for name in sorted(variables))
        raise TemplateError(f"Metric {metric}: its query uses {action.group(0)}, which has no value. Set this variable, or use one of {known}.")

    return _ACTION.sub(value_of, query)


def promql_duration(seconds: float) -> str:
    """Return a PromQL duration, `20s` or, when there is a fraction, `20500ms`."""
    milliseconds = max(1, round(seconds * 1000))
    whole, rest = divmod(milliseconds, 1000)
    return f"{milliseconds}ms" if rest else f"{whole}s"
