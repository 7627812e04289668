# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a shard of a load differs from the others beyond chance: its latency, or its mix of journeys. On a slow node it does.

Shards share one server and one stream of choices, so without a cause of its own each of them sees the same. A slow second slows the requests of all
of them alike. So latency is compared slice by slice of the window, and the slices, not the requests, are the independent observations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.blocks import failure
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import Raw
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


def slow_shards(raw: Raw, window: Window) -> list[Slow]:
    """Return the shards whose latency is at least 10 % above that of the others beyond chance, each with the percentile that differs most.

    Latencies are relative to the median of their operation. In each slice of the window the percentile of a shard is compared with the median of those
    of the others; one-sided t-test over the slices, with Bonferroni's correction. Too few requests give no finding.
    """
    starts = raw.column("starts")
    succeeds = np.array([failure(kind.status, kind.error_code) is None for kind in raw.kind_table], dtype=bool)
    chosen = np.flatnonzero((starts >= window.start_ms) & (starts < window.end_ms) & succeeds[raw.column("kinds")]).astype(np.uint32)
    numbers, rows, counts = np.unique(raw.shards()[chosen], return_inverse=True, return_counts=True)
    if len(numbers) < 2:
        return []
    logs = _relative_logs(raw, chosen)
    moments = ((starts[chosen] - window.start_ms) / (window.end_ms - window.start_ms)).astype(np.float32)
    chance = CHANCE / (len(SLICED) * len(numbers))
    found: dict[int, Slow] = {}
    for percent, needed in SLICED.items():
        values = _sliced(logs, rows, moments, min(_SLICES[1], int(counts.min()) // needed), percent)
        if values.shape[1] < _SLICES[0]:
            continue
        for row, shard in enumerate(numbers.tolist()):
            differences = values[row] - np.median(np.delete(values, row, axis=0), axis=0)
            error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
            ratio = math.exp(float(differences.mean()))
            is_certain = float(differences.mean()) > student_t(len(differences) - 1, 1 - 2 * chance) * error
            if is_certain and ratio >= NOTED_RATIO and (shard not in found or ratio > found[shard].ratio):
                found[shard] = Slow(shard, percent, round(ratio, 3))
    return list(found.values())


def _sliced(logs: NDArray[Any], rows: NDArray[Any], moments: NDArray[Any], count: int, percent: float) -> NDArray[Any]:
    """Return the percentile of each shard (row) in each of so many slices of the window, but those in which a shard did nothing: they compare nothing.

    `rows` are the shards of the requests from 0, `moments` their starts as shares of the window.
    """
    shards = int(rows.max()) + 1
    key = rows.astype(np.int32) * count + np.minimum((moments * count).astype(np.int32), count - 1)
    parts = np.split(logs[np.argsort(key, kind="stable")], np.cumsum(np.bincount(key, minlength=shards * count))[:-1]) if count else []
    values = np.array([np.percentile(part, percent) if len(part) else np.nan for part in parts]).reshape(shards, count)
    compared: NDArray[Any] = values[:, ~np.isnan(values).any(axis=0)]
    return compared


def _relative_logs(raw: Raw, chosen: NDArray[Any]) -> NDArray[Any]:
    """Return the logarithms of the latencies of the chosen requests, each without the median of its operation."""
    logs: NDArray[Any] = np.log(np.maximum(raw.column("durations")[chosen], 1)).astype(np.float32)
    names = sorted({kind.operation for kind in raw.kind_table})
    operations = np.array([names.index(kind.operation) for kind in raw.kind_table], dtype=np.int16)[raw.column("kinds")[chosen]]
    for number in range(len(names)):
        mine = operations == number
        if mine.any():
            logs[mine] -= np.median(logs[mine])
    return logs


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
