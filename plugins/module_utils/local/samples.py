# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The samples of local/sampler.py as the measurements that a Prometheus would give: the metrics, fields and units of files/metrics_profiles/local.yml."""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.local.sampler import COLUMNS, OWN_GROUP
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.collection import SCRAPES_PER_RATE, Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.measurement import Measurement, Points, Row
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.profile import Entry
from ansible_collections.perfscale.mlflow.plugins.module_utils.prometheus.response import Series

# Samples beside a window that its rates, its first restart and its ends need (seconds).
LOOKBACK_S = 120.0


class SamplesError(ValueError):
    """Samples that cannot be read; the text is one sentence."""


@dataclass(frozen=True)
class Sample:
    """What the sampler saw of a group at one time: epoch seconds, CPU seconds since its start, bytes, number of processes, start of the oldest one."""

    timestamp: float
    cpu_seconds: float
    memory_bytes: float
    processes: int
    oldest_start: float


def read_samples(path: str, since: float, until: float) -> dict[str, list[Sample]]:
    """Return the samples by group from epoch seconds `since` to `until`, in order of time.

    The CPU counter never falls: where the sampler was started again it goes on from what it had. A line that was cut off is left out.
    Raises SamplesError when the file cannot be read.
    """
    groups: dict[str, list[Sample]] = {}
    offsets: dict[str, float] = {}
    last: dict[str, float] = {}
    try:
        with Path(path).open(newline="", encoding="utf-8") as stream:
            for row in csv.reader(stream):
                try:
                    stamp, group = float(row[0]), row[1]
                    cpu, memory, processes, oldest = (float(text) for text in row[2 : len(COLUMNS)])
                except (ValueError, IndexError):
                    continue
                if not since <= stamp <= until:
                    continue
                if cpu < last.get(group, 0.0):
                    offsets[group] = offsets.get(group, 0.0) + last[group]
                last[group] = cpu
                groups.setdefault(group, []).append(Sample(stamp, cpu + offsets.get(group, 0.0), memory, int(processes), oldest))
    except OSError as error:
        raise SamplesError(f"Samples {path}: not readable ({error.strerror}). Deploy the local stack again, or choose metrics_profile=none.") from error
    return groups


def measurements(samples: Mapping[str, list[Sample]], components: Mapping[str, str], window: Window, interval_s: float) -> list[Measurement]:
    """Return the measurements of the components {name: group} in a window; samples from before it are used where a counter or a restart needs them."""
    rate_range_s = SCRAPES_PER_RATE * interval_s
    found = []
    for metric in METRICS:
        groups: Mapping[Any, str] = {None: OWN_GROUP} if metric.is_of_sampler else components
        series = {component: Series({"groupname": group}, metric.points(samples.get(group, []), window, rate_range_s)) for component, group in groups.items()}
        rows = [Row(one, component, None) for component, one in series.items() if one.points]
        found.append(Measurement(metric.entry, f"sampler: {metric.entry.metric}", rows, window.start + (rate_range_s if metric.needs_history else 0.0)))
    return found


def cpu_mean(samples: list[Sample], window: Window, _rate_range_s: float) -> Points:
    """Return the increase of the CPU counter over the window divided by its length (cores), the counter interpolated at both ends."""
    if not _living(samples, window):
        return []
    return [(window.end, (_counter_at(samples, window.end) - _counter_at(samples, window.start)) / window.seconds)]


def cpu_rates(samples: list[Sample], window: Window, rate_range_s: float) -> Points:
    """Return at each sample of the window the rate of the CPU counter over the range before it (cores)."""
    points = []
    times = [sample.timestamp for sample in samples]
    for sample in _living(samples, window):
        first = samples[bisect_left(times, sample.timestamp - rate_range_s)]
        if first.timestamp < sample.timestamp:
            points.append((sample.timestamp, (sample.cpu_seconds - first.cpu_seconds) / (sample.timestamp - first.timestamp)))
    return points


def memory(samples: list[Sample], window: Window, _rate_range_s: float) -> Points:
    """Return the memory at each sample of the window that saw a process (bytes)."""
    return [(sample.timestamp, sample.memory_bytes) for sample in _living(samples, window)]


def count_samples(samples: list[Sample], window: Window, _rate_range_s: float) -> Points:
    """Return how many samples of the window saw a process."""
    living = _living(samples, window)
    return [(window.end, float(len(living)))] if living else []


def process_count(samples: list[Sample], window: Window, _rate_range_s: float) -> Points:
    """Return the number of processes at each sample of the window."""
    return [(sample.timestamp, float(sample.processes)) for sample in _inside(samples, window)]


def restarts(samples: list[Sample], window: Window, _rate_range_s: float) -> Points:
    """Return how often the oldest process of the group changed, counted from the last sample before the window."""
    seen = [sample for sample in samples if sample.timestamp <= window.end and sample.processes]
    before = [sample for sample in seen if sample.timestamp < window.start][-1:]
    if not _living(samples, window):
        return []
    counted = pairwise([*before, *_living(samples, window)])
    return [(window.end, float(sum(earlier.oldest_start != later.oldest_start for earlier, later in counted)))]


@dataclass(frozen=True)
class Metric:
    """An entry as in a profile, and how its points follow from the samples of a group."""

    entry: Entry
    points: Callable[[list[Sample], Window, float], Points]
    needs_history: bool = False
    is_of_sampler: bool = False


def _entry(metric: str, field: str | None, unit: str, *, instant: bool = False, optional: bool = False) -> Entry:
    return Entry(query="", metric=metric, instant=instant, field=field, component_label="groupname", unit=unit, optional=optional)


METRICS = (
    Metric(_entry("cpu_mean", "cpu_cores_mean", "cores", instant=True), cpu_mean),
    Metric(_entry("cpu", "cpu_cores_peak", "cores"), cpu_rates, needs_history=True),
    Metric(_entry("memory", "memory_bytes", "bytes"), memory),
    Metric(_entry("samples", "coverage", "samples", instant=True), count_samples),
    Metric(_entry("process_count", "instance_count", "processes"), process_count),
    Metric(_entry("restarts", "restarts", "restarts", instant=True, optional=True), restarts),
    Metric(_entry("monitoring_cpu", None, "cores", instant=True, optional=True), cpu_mean, is_of_sampler=True),
)


def _inside(samples: Iterable[Sample], window: Window) -> list[Sample]:
    return [sample for sample in samples if window.start <= sample.timestamp <= window.end]


def _living(samples: Iterable[Sample], window: Window) -> list[Sample]:
    return [sample for sample in _inside(samples, window) if sample.processes]


def _counter_at(samples: list[Sample], at: float) -> float:
    """Return the CPU counter at a time, interpolated between the samples around it; before the first and after the last sample it stands still."""
    before = [sample for sample in samples if sample.timestamp <= at]
    after = [sample for sample in samples if sample.timestamp > at]
    if not before or not after:
        return (before[-1] if before else after[0]).cpu_seconds
    left, right = before[-1], after[0]
    share = (at - left.timestamp) / (right.timestamp - left.timestamp)
    return left.cpu_seconds + share * (right.cpu_seconds - left.cpu_seconds)
