# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a shard of a load differs from the others beyond chance: its latency, or its mix of journeys. On a slow node it does.

Shards share one server and one stream of choices, so without a cause of its own each of them sees the same. A slow second slows the requests of all
of them alike. So latency is compared slice by slice of the window, and the slices, not the requests, are the independent observations.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import failure
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import Requests, durations_by
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window
from ansible_collections.perfscale.mlflow.plugins.module_utils.statistics.intervals import student_t

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLICED = {50: 10, 95: 40}
"""The percentiles that are compared, and how many requests of each shard a slice needs for them."""
CHANCE = 0.001
"""The probability that shards that are alike give any finding, of each kind."""
NOTED_RATIO = 1.10
"""Latencies that are closer are no finding, however certain they are."""
NOTED_SHARE = 0.05
"""The same of the share of training among journeys."""
_SLICES = (6, 30)


class Slow(NamedTuple):
    """A shard whose percentile is `ratio` times that of the others."""

    shard: int
    percent: int
    ratio: float


class Mixed(NamedTuple):
    """A shard with `share` of training among its journeys, where the others have `others`."""

    shard: int
    share: float
    others: float


def slow_shards(requests: Requests, window: Window) -> list[Slow]:
    """Return the shards whose latency is at least 10 % above that of the others beyond chance, each with the percentile that differs most.

    Latencies are relative to the median of their operation. In each slice of the window the percentile of a shard is compared with the median of those
    of the others; one-sided t-test over the slices, with Bonferroni's correction. Too few requests give no finding.
    """
    counts: Counter[int] = Counter()
    for chunk in _successful(requests, window):
        counts.update(dict(zip(*(values.tolist() for values in np.unique(chunk["shard"], return_counts=True)), strict=True)))
    numbers = sorted(counts)
    if len(numbers) < 2:
        return []
    usual = _median_logs(requests, window)
    chance = CHANCE / (len(SLICED) * len(numbers))
    found: dict[int, Slow] = {}
    for percent, needed in SLICED.items():
        slices = min(_SLICES[1], min(counts.values()) // needed)
        if slices < _SLICES[0]:
            continue
        values = _sliced(requests, window, usual, numbers, slices, percent)
        if values.shape[1] < _SLICES[0]:
            continue
        for row, shard in enumerate(numbers):
            differences = values[row] - np.median(np.delete(values, row, axis=0), axis=0)
            error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
            ratio = math.exp(float(differences.mean()))
            is_certain = float(differences.mean()) > student_t(len(differences) - 1, 1 - 2 * chance) * error
            if is_certain and ratio >= NOTED_RATIO and (shard not in found or ratio > found[shard].ratio):
                found[shard] = Slow(shard, percent, round(ratio, 3))
    return list(found.values())


def _successful(requests: Requests, window: Window) -> Iterator[NDArray[Any]]:
    """Yield the successful requests of the window in the order of their starts."""
    succeeds = np.array([failure(kind.status, kind.error_code) is None for kind in requests.kind_table], dtype=bool)
    for chunk in requests.inside(window):
        chosen = chunk[succeeds[chunk["kind"]]]
        if len(chosen):
            yield chosen


def _median_logs(requests: Requests, window: Window) -> NDArray[Any]:
    """Return the logarithm of the median latency of the operation of each kind."""
    names = sorted({kind.operation for kind in requests.kind_table})
    operations = np.array([names.index(kind.operation) for kind in requests.kind_table])
    found = durations_by(_successful(requests, window), lambda chunk: operations[chunk["kind"]])
    medians = np.zeros(len(names), dtype=np.float32)
    for number, latencies in found.items():
        middle = (len(latencies) - 1) // 2, len(latencies) // 2
        medians[number] = _logs(np.array([latencies[place] for place in middle])).mean()
    logs: NDArray[Any] = medians[operations]
    return logs


def _logs(durations: NDArray[Any]) -> NDArray[Any]:
    logs: NDArray[Any] = np.log(np.maximum(durations, 1)).astype(np.float32)
    return logs


def _sliced(requests: Requests, window: Window, usual: NDArray[Any], numbers: list[int], slices: int, percent: float) -> NDArray[Any]:
    """Return the percentile of the relative latencies of each shard (row) in each slice of the window, but those in which a shard did nothing.

    Such a slice compares nothing. Requests come in the order of their starts, so that a slice is complete as soon as the next one has begun.
    """
    values = np.full((len(numbers), slices), np.nan, dtype=np.float32)
    keys, logs = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32)
    for chunk in _successful(requests, window):
        moments = ((chunk["start"] - window.start_ms) / (window.end_ms - window.start_ms)).astype(np.float32)
        places = np.minimum((moments * slices).astype(np.int32), slices - 1)
        keys = np.append(keys, places * len(numbers) + np.searchsorted(numbers, chunk["shard"]).astype(np.int32))
        logs = np.append(logs, _logs(chunk["duration"]) - usual[chunk["kind"]])
        is_complete = keys < places[-1] * len(numbers)
        _fill(values, keys[is_complete], logs[is_complete], percent)
        keys, logs = keys[~is_complete], logs[~is_complete]
    _fill(values, keys, logs, percent)
    compared: NDArray[Any] = values[:, ~np.isnan(values).any(axis=0)]
    return compared


def _fill(values: NDArray[Any], keys: NDArray[Any], logs: NDArray[Any], percent: float) -> None:
    """Set the percentiles of complete slices; a key is the number of the slice times that of the shards, plus the row of the shard."""
    order = np.argsort(keys, kind="stable")
    found, first = np.unique(keys[order], return_index=True)
    for key, own in zip(found.tolist(), np.split(logs[order], first[1:]), strict=False):
        place, row = divmod(key, len(values))
        values[row, place] = np.percentile(own, percent)


def mixed_shards(journeys: Mapping[int, tuple[int, int]]) -> list[Mixed]:
    """Return the shards whose share of training differs from that of the others beyond chance, by at least five percentage points.

    `journeys` has (training, all) journeys by shard. Test of two proportions, for the shard that differs most, then for the rest without it.
    """
    left = {shard: counts for shard, counts in journeys.items() if counts[1]}
    found = []
    limit = NormalDist().inv_cdf(1 - CHANCE / (2 * len(left))) if left else 0.0
    while len(left) > 1:
        shard, score, mixed = max(((shard, *_score(shard, left)) for shard in left), key=lambda entry: entry[1])
        if score <= limit or abs(mixed.share - mixed.others) < NOTED_SHARE:
            break
        found.append(mixed)
        del left[shard]
    return found


def _score(shard: int, journeys: Mapping[int, tuple[int, int]]) -> tuple[float, Mixed]:
    """Return the difference of a shard's share in its standard deviations, and both shares."""
    training, started = journeys[shard]
    others_training, others_started = (sum(counts[place] for number, counts in journeys.items() if number != shard) for place in (0, 1))
    share, others = training / started, others_training / others_started
    whole = (training + others_training) / (started + others_started)
    deviation = math.sqrt(whole * (1 - whole) * (1 / started + 1 / others_started))
    return abs(share - others) / deviation if deviation else 0.0, Mixed(shard, round(share, 4), round(others, 4))
