# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shards of a load left, each a k6 of its own, and the figures of each; their requests are pooled before anything is computed from them.

The attempt's directory has shards.json (files/schemas/shards.json) and, in `shards/<number>`, for each of them what k6 leaves for a load without shards.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, explain, read_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6 import blocks, journeys, log
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.exit_codes import is_complete
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError, Raw, read_raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import Requests
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.samples import LOG_NAME, SHARDS_DIRECTORY, SHARDS_NAME, raw_file
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.summary import Summary, find_summary
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window


@dataclass
class Shard:
    """One k6 of a sharded load: its entry in shards.json, its files as far as they are there, and what is wrong with them."""

    number: int
    known: dict[str, Any]
    raw: Raw
    summary: Summary | None
    window: dict[str, Any] | None
    problems: list[str]

    @property
    def title(self) -> str:
        """Name the shard in a sentence."""
        node = self.known.get("node")
        return f"shard {self.number} ({node})" if node else f"shard {self.number}"

    @property
    def first_ms(self) -> float:
        """Epoch milliseconds of its first sign of life, infinite without one: the heartbeat begins with the load, however rare its journeys are."""
        return min(self.raw.first_start_ms, min((row.time_ms for row in self.raw.heartbeats), default=float("inf")))

    def lost(self) -> int | None:
        """Return how many requests that k6 counted have no row in its raw output; None without its summary."""
        return lost_rows(self.raw, self.summary)


def lost_rows(raw: Raw, summary: Summary | None) -> int | None:
    """Return how many requests that k6 counted have no row in the raw output; None without its summary."""
    counted = summary.metrics.get("http_reqs", {}).get("count") if summary else None
    return None if counted is None else max(0, round(counted) - raw.duration_rows)


def is_sharded(directory: Path) -> bool:
    """Return whether the load of an attempt had shards."""
    return (directory / SHARDS_NAME).is_file()


def read_shards(directory: Path, timeout_ms: float, requests: Requests) -> list[Shard]:
    """Return every shard that was planned, in the order of their numbers, those that left nothing too, and add their requests to those of the load.

    timeout_ms: the request timeout of the load. Raises K6ResultError when shards.json cannot be read.
    """
    try:
        document = read_json(directory / SHARDS_NAME)
        known = {entry["shard"]: entry for entry in document["shards"]}
        planned = range(1, document["planned"] + 1)
    except (ValueError, LookupError, TypeError) as error:
        raise K6ResultError(f"Shards of {directory}: {SHARDS_NAME} cannot be read ({error}). Start the run again with the same run_id.") from error
    return [_read_shard(number, known.get(number, {}), directory / SHARDS_DIRECTORY / str(number), timeout_ms, Raw(requests)) for number in planned]


def _read_shard(number: int, known: dict[str, Any], directory: Path, timeout_ms: float, raw: Raw) -> Shard:
    problems = []
    # What was read before an error counts, and is truncated.
    with suppress(K6ResultError):
        read_raw(raw_file(directory), timeout_ms, raw, number)
    if not raw.count:
        cause = " and ".join(filter(None, (known.get("reason"), log.last_error(directory / LOG_NAME))))
        problems.append(f"no requests{f' ({cause})' if cause else ''}")
    if known.get("exit_code") is None:
        problems.append("no exit code")
    summary, _warnings = find_summary(directory)
    if summary is None:
        problems.append("k6 wrote no summary")
    lost = lost_rows(raw, summary)
    if lost:
        problems.append(f"{lost} requests that k6 counted have no row")
    if not (known.get("is_complete") or problems) and is_complete(known["exit_code"]):
        problems.append("not all of its files arrived")
    window = log.window_line(directory / LOG_NAME) or (summary.setup_data if summary else None)
    return Shard(number, known, raw, summary, window, problems)


def common_window(shards: list[Shard]) -> dict[str, Any] | None:
    """Return the part of their windows that all shards share, in the form of one of them; None when no shard has one.

    Shards that are given the same start plan the same window.
    """
    known = [shard.window for shard in shards if shard.window and "start_ms" in shard.window and "end_ms" in shard.window]
    if not known:
        return None
    return {**known[0], "start_ms": max(window["start_ms"] for window in known), "end_ms": min(window["end_ms"] for window in known)}


def figures(shards: list[Shard], window: Window) -> list[dict[str, Any]]:
    """Return the figures of each shard in the window: latencies in milliseconds, rates per second, start_skew_s after the first shard, null where unknown."""
    first_ms = min(shard.first_ms for shard in shards)
    pools = blocks.pools_by_shard(shards[0].raw.requests, window)
    return [_figures(shard, pools.get(shard.number, {}), window, first_ms) for shard in shards]


def _figures(shard: Shard, pools: blocks.Pools, window: Window, first_ms: float) -> dict[str, Any]:
    raw, known = shard.raw, shard.known
    block = blocks.block(pools, window.seconds)
    own = journeys.generator(raw, window, known.get("exit_code"))
    mix = journeys.mix(journeys.journey_blocks(raw, window), pools, window)
    begun = shard.first_ms != float("inf")
    return {
        "shard": shard.number,
        **{key: known.get(key) for key in ("name", "node", "exit_code", "reason", "cpu_s", "memory_bytes_max")},
        "is_complete": not shard.problems,
        "n": block["n"],
        "failed": block["failed"],
        "rate_per_s": block["rate_per_s"],
        "p50_ms": block["latency_ms"]["p50"],
        "p95_ms": block["latency_ms"]["p95"],
        "training_share_journeys": mix["training_share_journeys"],
        **{key: own[key] for key in ("vus_max", "dropped", "lateness_ms_p99")},
        "start_skew_s": round((shard.first_ms - first_ms) / 1000, 3) if begun else None,
        "lost": shard.lost(),
    }


def keep_files(directory: Path) -> None:
    """Move what shards left, but their raw output, beside shards.json under a name with the shard's number, so that the record of the cell has it.

    Raises FileWriteError.
    """
    for own in sorted((directory / SHARDS_DIRECTORY).iterdir()):
        try:
            for path in sorted(own.iterdir()):
                path.rename(directory / f"shard-{own.name}-{path.name}")
            own.rmdir()
        except OSError as error:
            raise FileWriteError(explain(own, error)) from error
    (directory / SHARDS_DIRECTORY).rmdir()
