# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of one k6 attempt: its directory in, samples and the flat part of cell.json out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
    stalls,
    timeline,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.exit_codes import STOPPED, is_complete, meaning
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import ARTIFACTS, OPERATIONS, undersampled
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.raw import PRECISION, K6ResultError, Raw, read_raw
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.summary import Summary, SummaryError, read_summary
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.window import Window, find_window

LOG_NAME = "k6.log"
DEFAULT_TIMEOUT_S = 60.0
"""The request timeout of k6 when a script sets none."""
TENANTS_NAME = "tenants.csv"
TIMELINE_NAME = "timeline.csv"
# k6 flushes its CSV output and reports `vus` once per second; one second for each.
_SILENCE_MS = 2000


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
    path = samples.raw_file(attempt.directory)
    stored = samples.stored_result(attempt.dest)
    if stored and not path.exists():
        return {**stored, "changed": False}
    built = _build(attempt, path)
    write_sealed(attempt.dest / samples.RESULT_NAME, built)
    if attempt.remove_raw:
        _remove(path)
    return {**built, "changed": attempt.remove_raw or built != stored}


def _build(attempt: Attempt, path: Path) -> dict[str, Any]:
    try:
        raw = read_raw(path, attempt.timeout_s * 1000)
    except K6ResultError as error:
        raise K6ResultError(f"{error}{_exit_details(attempt)}") from error
    if not raw.starts:
        raise K6ResultError(f"Raw samples {path}: no requests{_unreadable(raw)}. The load did not reach the server.{_exit_details(attempt)}")
    summary, warnings = _summary(attempt.directory)
    planned = find_window(attempt.directory, attempt.window, log.window_line(attempt.directory / LOG_NAME), summary.setup_data if summary else None)
    stopped_after_s = stopped_after(raw, planned, attempt.exit_code)
    reasons = [] if stopped_after_s else partial_reasons(raw, planned, attempt.exit_code, has_summary=summary is not None)
    window = observed_window(raw, planned)
    order = samples.sorted_requests(raw)
    pools = blocks.pools_of(raw, order, window)
    by_tenant = blocks.tenant_blocks(pools, window.seconds)
    written = samples.write_samples(attempt.dest / samples.SAMPLES_NAME, raw, order, planned)
    by_journey = journeys.tenant_journeys(raw, window)
    samples.write_tenants(attempt.dest / TENANTS_NAME, by_tenant, by_journey)
    by_second = timeline.timeline_of(raw, window)
    timeline.write_timeline(attempt.dest / TIMELINE_NAME, by_second)
    result = {
        "window": {"start": window.start_ms / 1000, "end": window.end_ms / 1000, "planned_end": planned.end_ms / 1000},
        "stopped_after_s": stopped_after_s,
        "partial": bool(reasons),
        "partial_reason": "; ".join(reasons) or None,
        **_measured(attempt, raw, order, window, pools),
        "outage_s": outages.longest_outage_s(raw, order, window),
        "tenant_outage": outages.tenant_outage(raw, order, window),
        "steadiness": timeline.steadiness(by_second),
        "stall_s": round(stalls.longest_stall_s(raw, window), 3),
        "time_weighted_ms": stalls.time_weighted_ms(raw, order, window),
        "isolation": isolation.isolation(raw, window),
        "tenants": {
            **blocks.slow_tenants(by_tenant), "fairness": blocks.fairness(by_tenant, by_journey), "listings": listings.listings(raw, order, window),
        },
        "congestion": journeys.congestion(raw, order, window),
        "machine": machine.machine_use(attempt.directory / machine.MACHINE_NAME, window, sum(map(len, pools.values()))),
        "silent_repeats": silent_repeats(raw, window),
        "sent": sent(raw),
        "samples": {
            "rows": written.rows, "bytes": written.bytes, "bytes_per_row": round(written.bytes / written.rows, 2),
            "lost": lost_rows(raw, summary), "unreadable": raw.unreadable,
        },
    }
    result["undersampled"] = undersampled(result["operations"], attempt.operations)
    result["warnings"] = warnings + _warnings(attempt, raw, result)
    return {"result": result, "files": {name: file_digest(attempt.dest / name) for name in (samples.SAMPLES_NAME, TENANTS_NAME, TIMELINE_NAME)}}


def silent_repeats(raw: Raw, window: Window) -> dict[str, int]:
    """Count by operation the requests of the window that the HTTP client of k6 silently sent twice."""
    return dict(sorted(Counter(raw.kind_table[raw.kinds[i]].operation for i in raw.repeated if window.phase(raw.starts[i]) == "window").items()))


def sent(raw: Raw) -> dict[str, Any]:
    """Count the requests of the whole load, for a comparison with the server's own count.

    n: requests; answered: those with a response; repeated: those that were silently sent twice; artifacts: the same of those that pass the content of an
    artifact; start and end of the first and the last one (epoch seconds). Requests for another tenant's objects, which are in no total, count too.
    """
    kinds = [raw.kind_table[number] for number in raw.kinds]
    ends = [start + duration / PRECISION for start, duration in zip(raw.starts, raw.durations, strict=True)]
    repeated = [kinds[i].operation for i in raw.repeated]

    def counted(operations: list[tuple[str, int]], repeats: list[str]) -> dict[str, int]:
        return {"n": len(operations), "answered": sum(status > 0 for _name, status in operations), "repeated": len(repeats)}

    operations = [(kind.operation, kind.status) for kind in kinds]
    aside = [(request.operation, request.status) for request in raw.aside]
    return {
        **counted(operations + aside, repeated),
        "artifacts": counted([one for one in operations if one[0] in ARTIFACTS], [name for name in repeated if name in ARTIFACTS]),
        "start": min([*raw.starts, *(request.start_ms for request in raw.aside)]) / 1000,
        "end": max([*ends, *(request.start_ms + request.duration_ms for request in raw.aside)]) / 1000,
    }


def lost_rows(raw: Raw, summary: Summary | None) -> int | None:
    """Return how many requests that k6 counted have no row in the raw output; None without its summary."""
    counted = summary.metrics.get("http_reqs", {}).get("count") if summary else None
    return None if counted is None else max(0, round(counted) - raw.duration_rows)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise FileWriteError(explain(path, error)) from error


def _measured(attempt: Attempt, raw: Raw, order: list[int], window: Window, pools: blocks.Pools) -> dict[str, Any]:
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
    found = intervals.interval_blocks(raw, order, window, list(operations))
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
    return round((raw.last_ms - min(raw.starts)) / 1000, 1)


def observed_window(raw: Raw, planned: Window) -> Window:
    """Return the part of the window that k6 completed, so that the rates of a killed k6 divide by the time it loaded."""
    if raw.last_ms >= planned.end_ms - _SILENCE_MS:
        return planned
    return replace(planned, end_ms=max(planned.start_ms, raw.last_ms))


def _summary(directory: Path) -> tuple[Summary | None, list[str]]:
    found = sorted(directory.glob("summary*.json"))
    if not found:
        return None, [f"Summary of {directory}: the file is missing. k6 writes it at the end of the load; see {LOG_NAME}."]
    try:
        return read_summary(found[0]), []
    except SummaryError as error:
        return None, [str(error)]


def _exit_details(attempt: Attempt) -> str:
    """Return exit code and last log error of a k6 without output."""
    error = log.last_error(attempt.directory / LOG_NAME)
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
