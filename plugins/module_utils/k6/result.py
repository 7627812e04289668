# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of one k6 attempt: its directory in, samples and the flat part of cell.json out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, explain, file_digest, write_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6 import (
    blocks,
    intervals,
    isolation,
    journeys,
    listings,
    log,
    machine,
    outages,
    samples,
    shard_differences,
    shards,
    stalls,
    timeline,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.exit_codes import INTERRUPTED, STOPPED, is_complete, meaning
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import ARTIFACTS, OPERATIONS, undersampled
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import K6ResultError, Raw, pool, read_raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.requests import Requests
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.summary import find_summary
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window, find_window

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

DEFAULT_TIMEOUT_S = 60.0
"""The request timeout of k6 when a script sets none."""
TENANTS_NAME = "tenants.csv"
TIMELINE_NAME = "timeline.csv"
# k6 flushes its CSV output and reports `vus` once per second; one second for each.
_SILENCE_MS = 2000
# The timers of k6 and the order of its starts make less.
_LATE_S = 1.0


@dataclass(frozen=True)
class Attempt:
    """What to read: the directory that k6 worked in, where to write the samples, and what the caller knows.

    window: explicit start and end (epoch seconds); exit_code: of the k6 process, None when unknown; timeout_s: the
    request timeout of the load; operations: those that the result must list; apart: a tenant without which the others are summarized too.
    """

    directory: Path
    dest: Path
    operations: Sequence[str] = OPERATIONS
    window: tuple[float, float] | None = None
    exit_code: int | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    remove_raw: bool = False
    apart: str = ""


def build_result(attempt: Attempt) -> dict[str, Any]:
    """Repack the samples of an attempt and return {result, files, changed}.

    The raw file is removed, if asked, only after the samples were read back and the result was written beside
    them; a second call then returns that result. Raises K6ResultError or FileWriteError (one sentence each); the raw
    file then stays.
    """
    paths = samples.raw_files(attempt.directory)
    stored = samples.stored_result(attempt.dest)
    if stored and not any(path.exists() for path in paths):
        return {**stored, "changed": False}
    with closing(Requests(attempt.dest)) as requests:
        built = _build(attempt, requests)
    write_sealed(attempt.dest / samples.RESULT_NAME, built)
    if attempt.remove_raw:
        for path in filter(Path.exists, paths):
            _remove(path)
        if shards.is_sharded(attempt.directory):
            shards.keep_files(attempt.directory)
    return {**built, "changed": attempt.remove_raw or built != stored}


@dataclass
class _Load:
    """What is read of an attempt, of one k6 or of all shards together: planned and observed window, and why its samples do not cover the load, if so."""

    raw: Raw
    planned: Window
    window: Window
    stopped_after_s: float | None
    reasons: list[str]
    lost: int | None
    warnings: list[str]
    shards: dict[str, Any] | None = None


def _read(attempt: Attempt, requests: Requests) -> _Load:
    path = samples.raw_file(attempt.directory)
    try:
        raw = read_raw(path, attempt.timeout_s * 1000, Raw(requests))
    except K6ResultError as error:
        raise K6ResultError(f"{error}{_exit_details(attempt)}") from error
    if not raw.count:
        raise K6ResultError(f"Raw samples {path}: no requests{_unreadable(raw)}. The load did not reach the server.{_exit_details(attempt)}")
    summary, warnings = find_summary(attempt.directory)
    logged = log.window_line(attempt.directory / samples.LOG_NAME)
    planned = find_window(attempt.directory, attempt.window, logged, summary.setup_data if summary else None)
    stopped_after_s = stopped_after(raw, planned, attempt.exit_code)
    reasons = [] if stopped_after_s else partial_reasons(raw, planned, attempt.exit_code, has_summary=summary is not None)
    return _Load(raw, planned, observed_window(planned, raw.last_ms), stopped_after_s, reasons, shards.lost_rows(raw, summary), warnings)


def _read_shards(attempt: Attempt, requests: Requests) -> _Load:
    """Read all shards into one load. It is complete only if each of them is."""
    found = shards.read_shards(attempt.directory, attempt.timeout_s * 1000, requests)
    loaded = [shard for shard in found if shard.raw.count]
    if not loaded:
        details = "; ".join(f"{shard.title}: {', '.join(shard.problems)}" for shard in found)
        raise K6ResultError(f"Raw samples {attempt.directory}: none of {len(found)} shards sent a request. {details}.")
    common = shards.common_window(found)
    planned = find_window(attempt.directory, attempt.window, common)
    stopped = [seconds for shard in loaded if (seconds := stopped_after(shard.raw, planned, shard.known.get("exit_code"))) is not None]
    first_ms, last_ms = max(shard.first_ms for shard in loaded), min(shard.raw.last_ms for shard in loaded)
    window = observed_window(planned, last_ms, first_ms)
    reasons = [f"{shard.title} of {len(found)}: {', '.join(problems)}" for shard in found if (problems := _problems(shard, planned, bool(stopped)))]
    lost = [shard.lost() for shard in found]
    by_shard = shards.figures(found, window)
    started = {shard.number: _started(shard.raw, window) for shard in loaded}
    titles = {shard.number: shard.title for shard in found}
    raw = pool([shard.raw for shard in loaded])
    members = {
        "planned": len(found),
        "vus": (common or {}).get("vus"),
        "start_skew_s": max(known for own in by_shard if (known := own["start_skew_s"]) is not None),
        "members": by_shard,
        "deviations": _deviations(requests, window, started, titles),
    }
    total = None if None in lost else sum(rows or 0 for rows in lost)
    return _Load(raw, planned, window, min(stopped, default=None), reasons, total, [], members)


def _problems(shard: shards.Shard, planned: Window, is_stopped: bool) -> list[str]:
    """Return why a shard is not complete; one that was stopped, since a threshold ended the load, need not have reached the end of the window."""
    code = shard.known.get("exit_code")
    if is_stopped and (is_complete(code) or code in INTERRUPTED):
        return shard.problems
    if not shard.raw.count:
        ended = [] if code is None or is_complete(code) else [f"k6 ended with exit code {code}: {meaning(code)}"]
        return [*shard.problems, *ended]
    late_s = (shard.first_ms - planned.start_ms) / 1000
    late = [f"it began {late_s:.1f} s after the start of the window"] if late_s > _LATE_S else []
    return [*shard.problems, *late, *partial_reasons(shard.raw, planned, code, has_summary=True)]


def _started(raw: Raw, window: Window) -> tuple[int, int]:
    """Return the journeys of training and all journeys that started in the window."""
    names = [journey.name for journey in raw.journeys if window.phase(journey.start_ms) == "window"]
    return names.count("training"), len(names)


def _deviations(requests: Requests, window: Window, started: dict[int, tuple[int, int]], titles: dict[int, str]) -> list[str]:
    """Return a phrase for each shard that differs from the others beyond chance."""
    slow = [f"{titles[one.shard]} had {one.ratio:.2f} times the P{one.percent} of the others" for one in shard_differences.slow_shards(requests, window)]
    mixed = shard_differences.mixed_shards(started)
    return slow + [f"{titles[one.shard]} had {one.share:.0%} of training among its journeys, the others {one.others:.0%}" for one in mixed]


def _build(attempt: Attempt, requests: Requests) -> dict[str, Any]:
    load = (_read_shards if shards.is_sharded(attempt.directory) else _read)(attempt, requests)
    raw, planned, window = load.raw, load.planned, load.window
    pools = blocks.pools_by_operation(requests, window, attempt.apart)
    by_tenant = blocks.tenant_blocks(blocks.pools_by_tenant(requests, window), window.seconds)
    written = samples.write_samples(attempt.dest / samples.SAMPLES_NAME, raw, planned)
    by_journey = journeys.tenant_journeys(raw, window)
    samples.write_tenants(attempt.dest / TENANTS_NAME, by_tenant, by_journey)
    samples.write_latencies(attempt.dest / samples.LATENCIES_NAME, blocks.operation_latencies(pools))
    by_second = timeline.timeline_of(requests, window)
    timeline.write_timeline(attempt.dest / TIMELINE_NAME, by_second)
    result = {
        "window": {"start": window.start_ms / 1000, "end": window.end_ms / 1000, "planned_end": planned.end_ms / 1000},
        "stopped_after_s": load.stopped_after_s,
        "partial": bool(load.reasons),
        "partial_reason": "; ".join(load.reasons) or None,
        **_measured(attempt, raw, window, pools),
        "outage_s": outages.longest_outage_s(requests, window),
        "tenant_outage": outages.tenant_outage(requests, window),
        "steadiness": timeline.steadiness(by_second),
        "stall_s": round(stalls.longest_stall_s(requests, window), 3),
        "time_weighted_ms": stalls.time_weighted_ms(requests, window),
        "isolation": isolation.isolation(raw, window),
        "tenants": {
            **blocks.slow_tenants(by_tenant), "fairness": blocks.fairness(by_tenant, by_journey), "listings": listings.listings(requests, window),
        },
        "congestion": journeys.congestion(raw, window),
        "machine": machine.machine_use(attempt.directory / machine.MACHINE_NAME, window, sum(map(len, pools.values()))),
        "silent_repeats": silent_repeats(requests, window),
        "sent": sent(raw),
        "samples": {
            "rows": written.rows, "bytes": written.bytes, "bytes_per_row": round(written.bytes / written.rows, 2),
            "lost": load.lost, "unreadable": raw.unreadable,
        },
        **({"shards": load.shards} if load.shards else {}),
    }
    result["undersampled"] = undersampled(result["operations"], attempt.operations)
    result["warnings"] = load.warnings + _warnings(attempt, raw, result)
    written_names = (samples.SAMPLES_NAME, TENANTS_NAME, samples.LATENCIES_NAME, TIMELINE_NAME)
    return {"result": result, "files": {name: file_digest(attempt.dest / name) for name in written_names}}


def silent_repeats(requests: Requests, window: Window) -> dict[str, int]:
    """Count by operation the requests of the window that the HTTP client of k6 silently sent twice."""
    counts: Counter[str] = Counter()
    for chunk in requests.inside(window):
        counts.update(requests.kind_table[kind].operation for kind in chunk["kind"][chunk["repeated"] > 0].tolist())
    return dict(sorted(counts.items()))


def sent(raw: Raw) -> dict[str, Any]:
    """Count the requests of the whole load, for a comparison with the server's own count.

    n: requests; answered: those with a response; repeated: those that were silently sent twice; artifacts: the same of those that pass the content of an
    artifact; start and end of the first and the last one (epoch seconds). Requests for another tenant's objects, which are in no total, count too.
    """
    kinds = raw.requests.kind_table
    seen, repeats = np.zeros(len(kinds), dtype=int), np.zeros(len(kinds), dtype=int)
    for chunk in raw.requests.chunks():
        seen += np.bincount(chunk["kind"], minlength=len(kinds))
        repeats += np.bincount(chunk["kind"][chunk["repeated"] > 0], minlength=len(kinds))
    operations: Counter[tuple[str, int]] = Counter()
    repeated: Counter[str] = Counter()
    for kind, count, again in zip(kinds, seen.tolist(), repeats.tolist(), strict=True):
        operations[kind.operation, kind.status] += count
        repeated[kind.operation] += again
    artifacts = Counter({key: count for key, count in operations.items() if key[0] in ARTIFACTS})
    operations.update((request.operation, request.status) for request in raw.aside)

    def counted(requests: Counter[tuple[str, int]], again: int) -> dict[str, int]:
        return {"n": requests.total(), "answered": sum(count for (_name, status), count in requests.items() if status > 0), "repeated": again}

    first_ms, last_ms = raw.requests.span()
    return {
        **counted(operations, repeated.total()),
        "artifacts": counted(artifacts, sum(count for name, count in repeated.items() if name in ARTIFACTS)),
        "start": min([first_ms, *(request.start_ms for request in raw.aside)]) / 1000,
        "end": max([last_ms, *(request.start_ms + request.duration_ms for request in raw.aside)]) / 1000,
    }


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise FileWriteError(explain(path, error)) from error


def _measured(attempt: Attempt, raw: Raw, window: Window, pools: blocks.Pools) -> dict[str, Any]:
    by_journey = journeys.journey_blocks(raw, window)
    operations = blocks.operation_blocks(pools, attempt.operations, window.seconds)
    measured = {
        "operations": operations,
        "total": blocks.block(pools, window.seconds),
        **({"others": blocks.block({kind: found for kind, found in pools.items() if kind.tenant != attempt.apart}, window.seconds)} if attempt.apart else {}),
        "categories": blocks.category_blocks(pools, window.seconds),
        "wrong_answers": blocks.wrong_answers(pools),
        "journeys": by_journey,
    }
    found = intervals.interval_blocks(raw, pools, window, list(operations))
    measured["total"]["ci95"] = found["total"]
    for group in ("operations", "categories", "journeys"):
        for name, block in measured[group].items():
            block["ci95"] = found[group][name]
    return {**measured, "mix": journeys.mix(by_journey, pools, window), "generator": journeys.generator(raw, window, attempt.exit_code)}


def partial_reasons(raw: Raw, window: Window, exit_code: int | None, has_summary: bool) -> list[str]:
    """List why the samples do not cover the planned load; empty when they do."""
    reasons = []
    if exit_code is not None and not is_complete(exit_code):
        reasons.append(f"k6 ended with exit code {exit_code}: {meaning(exit_code)}")
    if raw.last_ms < window.end_ms - _SILENCE_MS:
        reasons.append(f"the last row of k6 is {(window.end_ms - raw.last_ms) / 1000:.1f} s before the end of the window")
    if raw.is_truncated:
        reasons.append("the raw file ends in the middle of a line or block")
    if exit_code is None and not has_summary:
        reasons.append("k6 wrote no summary")
    return reasons


def stopped_after(raw: Raw, window: Window, exit_code: int | None) -> float | None:
    """Return after how many seconds of load a threshold stopped a hopeless one; None for a load that reached the end of its window."""
    if exit_code != STOPPED or raw.last_ms >= window.end_ms - _SILENCE_MS:
        return None
    return round((raw.last_ms - raw.first_start_ms) / 1000, 1)


def observed_window(planned: Window, last_ms: float, first_ms: float = 0.0) -> Window:
    """Return the part of the window in which k6, or each of several, loaded the server, so that rates divide by that time.

    last_ms: the last row of k6, of the shard that ended first; first_ms: the first sign of the shard that began last (epoch milliseconds).
    """
    start = first_ms if first_ms > planned.start_ms + 1000 * _LATE_S else planned.start_ms
    end = planned.end_ms if last_ms >= planned.end_ms - _SILENCE_MS else max(planned.start_ms, last_ms)
    return replace(planned, start_ms=min(start, end), end_ms=end)


def _exit_details(attempt: Attempt) -> str:
    """Return exit code and last log error of a k6 without output."""
    error = log.last_error(attempt.directory / samples.LOG_NAME)
    ended = f" k6 ended with exit code {attempt.exit_code} ({meaning(attempt.exit_code)})." if attempt.exit_code is not None else ""
    return ended + (f" Its last error: {error.rstrip('.')}." if error else "")


def _unreadable(raw: Raw) -> str:
    return f", but {raw.unreadable} unreadable rows" if raw.unreadable else ""


def _warnings(attempt: Attempt, raw: Raw, result: dict[str, Any]) -> list[str]:
    warnings = []
    if raw.unmatched_answers:
        warnings.append(f"Raw samples: {raw.unmatched_answers} of {raw.wrong_answers} wrong answers have no request row, so they count as successes.")
    additional = [name for name in result["operations"] if name not in attempt.operations]
    if additional:
        warnings.append(f"Operations {', '.join(additional)}: sampled, but not among the required ones. They are part of the total.")
    return warnings
