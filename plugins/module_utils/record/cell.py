# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cell.json: the record of one cell, built from what the stages measured, and the files that belong to it."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, explain, file_digest, read_sealed, write_atomic
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import SPEC_KEYS, write_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import Run
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.verdict import evaluate_objectives, evaluate_rules, offered_load

# What lies beside the files of the accepted attempt and belongs to the cell, not to an attempt.
UNLISTED = ("cell.json", "state.json")
# What k6_result measured, and the record has as it is.
MEASURED = (
    *("operations", "total", "categories", "journeys", "mix", "tenants", "samples", "machine"),
    *("outage_s", "tenant_outage", "steadiness", "wrong_answers", "silent_repeats", "stall_s", "time_weighted_ms", "stopped_after_s", "others", "isolation"),
    *("sent", "shards"),
)
COVERAGE_MIN = 0.5
# A failed attempt that ended earlier before the next one began belongs to another execution.
RETRY_S = 900.0
UNRECORDED = "The run was interrupted before this attempt was recorded."


def spec_of(planned: dict[str, Any], factors: dict[str, Any]) -> dict[str, Any]:
    """Return the record's spec: the planned cell without its place in the plan, and the complete factors."""
    own = {"data_set": planned["data_set"]} if "data_set" in planned else {}
    return {**{key: planned[key] for key in SPEC_KEYS}, **own, "factors": {**factors, **planned.get("factors", {}), "profile": planned["profile"]}}


def generator_of(measured: dict[str, Any], exited: dict[str, Any], resource: dict[str, Any], cores: float | None, node: str | None) -> dict[str, Any]:
    """Return the record's generator block.

    CPU (cores) and memory (bytes) come from the metrics of the window; without metrics, or where they cover less than half of the window, from what
    the operating system accounted for the whole life of the process (`exited`: cpu_seconds, max_rss_bytes, started, ended), as far as it did.
    """
    life = (exited.get("ended") or 0) - (exited.get("started") or 0)
    whole_life_cpu = exited["cpu_seconds"] / life if exited.get("cpu_seconds") is not None and life > 0 else None
    is_measured = resource.get("status") == "ok"
    is_covered = is_measured and (resource.get("coverage") is None or resource["coverage"] >= COVERAGE_MIN)
    cpu = resource["cpu_cores_mean"] if is_covered or (is_measured and whole_life_cpu is None) else whole_life_cpu
    return {
        "cpu_cores_mean": cpu,
        "cpu_share": cpu / cores if cpu is not None and cores else None,
        "memory_bytes_max": resource.get("memory_bytes_peak") if is_measured else exited.get("max_rss_bytes"),
        "vus_max": measured["vus_max"],
        "dropped": measured["dropped"],
        "lateness_ms_p95": measured.get("lateness_ms_p95"),
        "lateness_ms_p99": measured["lateness_ms_p99"],
        "exit_code": exited.get("exit_code"),
        "node": node,
    }


def timings_of(timings: dict[str, float], exited: dict[str, Any]) -> dict[str, float]:
    """Return the timings (seconds) with `load_s` as the life of the generator, as far as it is known: a controller that attached saw only its end."""
    if exited.get("started") is None or exited.get("ended") is None:
        return timings
    return {**timings, "load_s": round(exited["ended"] - exited["started"], 3)}


def disturbances_of(parts: dict[str, Any], earlier: list[dict[str, Any]], started: float | None) -> list[str]:
    """Return what happened around the window that its samples do not show, one phrase each.

    `parts`: unreachable_s (seconds for which the generator's pod did not respond), lease (of module run_lease after the load: was_held, or msg when it
    failed), disturbances (of module cluster_state_info). `earlier`: attempts of the cell before the one that `started` (epoch seconds).
    """
    found = [
        f"attempt {entry['n']} failed shortly before ({entry['reason'].rstrip('.')})"
        for entry in earlier
        if entry["outcome"] == "failed" and started is not None and entry.get("ended") and 0 <= started - entry["ended"] < RETRY_S
    ]
    if parts.get("unreachable_s"):
        found.append(f"load generator not reachable for {parts['unreachable_s']:.0f} s of the load")
    lease = parts.get("lease") or {}
    if lease.get("msg"):
        found.append(f"lease of the cluster lost ({lease['msg'].rstrip('.')})")
    elif lease.get("was_held") is False:
        found.append("lease of the cluster not held until the end of the load, so another run may have loaded the same MLflow")
    return [*found, *parts.get("disturbances", [])]


def filled_tables(rows: dict[str, dict[str, int]] | None) -> dict[str, dict[str, int]] | None:
    """Return the rows before and after by table, without the many tables that are empty at both times."""
    if not rows or not rows["before"] or not rows["after"]:
        return None
    named = [table for table in rows["after"] if rows["after"][table] or rows["before"].get(table)]
    return {when: {table: counts.get(table, 0) for table in named} for when, counts in rows.items()}


def start_state_of(parts: dict[str, Any], database: dict[str, Any]) -> dict[str, Any]:
    """Return the record's start_state: what the cell started from, or why nothing was restored for it.

    `parts`: state_reset of the plan, and start_state as the module baseline returned it, empty where it was not called. `database`: of target.json.
    """
    found = parts.get("start_state") or {}
    if not found:
        restorable = "those of the local stack and the PostgreSQL that this collection deploys in a cluster"
        can_be = database.get("baselines_dir") or database.get("job")
        cause = "state_reset is never" if can_be else f"this database cannot be restored (only {restorable} can)"
        found = {"status": "never", "reason": f"The cell started with the rows that earlier cells left, because {cause}."}
    baseline = found.get("baseline")
    if baseline:
        baseline = {**baseline, "rows": {table: count for table, count in (baseline["rows"] or {}).items() if count}}
    keys = ("status", "reason", "seconds", "removed_runs")
    return {"state_reset": parts.get("state_reset") or "never", **{key: found.get(key) for key in keys}, "baseline": baseline}


def measured_record(planned: dict[str, Any], factors: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a measured cell without attempts, verdict and files.

    `parts`: result (of k6_result), resources, exit (of the generator process), generator (of target.json), controller, rows, notes, timings,
    start_state (see start_state_of), and of a cluster unreachable_s, lease and disturbances (see disturbances_of).
    """
    result, resources = parts["result"], parts["resources"]
    target = parts.get("generator", {})
    record = {
        "id": planned["id"],
        "spec": spec_of(planned, factors),
        "window": {key: result["window"][key] for key in ("start", "end")},
        **{key: result[key] for key in MEASURED if key in result},
        "generator": generator_of(result["generator"], parts.get("exit", {}), resources.get("k6_benchmark", {}), target.get("cores"), target.get("node")),
        "controller": parts.get("controller") or {"cpu_cores_mean": None},
        "clock_offset_s": parts.get("clock_offset_s"),
        "resources": resources,
        **({"alerts": parts["alerts"]} if parts.get("alerts") else {}),
        "rows": filled_tables(parts.get("rows")),
        "database_bytes": parts.get("database_bytes"),
        "start_state": parts.get("start_state"),
        "timings": timings_of(parts.get("timings", {}), parts.get("exit", {})),
        "notes": {**parts.get("notes", {}), "partial": result.get("partial_reason", "the window has no end") if result.get("partial") else None},
    }
    return {**record, "offered": offered_load(record, result.get("congestion"))}


def write_measured(
    run: Run, planned: dict[str, Any], factors: dict[str, Any], parts: dict[str, Any], attempt: dict[str, Any], rules: list[dict[str, Any]],
    objectives: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Set the verdict of a measured cell by the rules, write its record, and return it.

    The attempt's files are linked to the cell before cell.json is written, and removed from the attempt only when run.json lists the cell: killed
    at any point, the run finds either the attempt or the cell complete. Raises FileWriteError, and ValueError for numbers against the schema.
    """
    record = measured_record(planned, factors, parts)
    earlier = [entry for entry in _previous(run.cell_directory(planned["id"])) if entry["n"] != attempt["n"]]
    record["notes"]["disturbances"] = disturbances_of(parts, earlier, attempt.get("started"))
    record["verdict"] = evaluate_rules(record, rules, preset=run.load()["plan"]["name"], objectives=objectives or [])
    directory = run.cell_directory(planned["id"])
    record["attempts"] = history(directory, attempt, record["verdict"])
    record["files"] = accept_attempt(directory, attempt["n"])
    results: list[dict[str, Any]] = []
    if record["verdict"]["status"] == "valid":
        # An objective without such a number is an error of the end of the run, which costs no measurement.
        with suppress(ValueError):
            results = evaluate_objectives(objectives or [], record)
    _save(run, record, results)
    remove_accepted(directory, record)
    return record


class Failure(NamedTuple):
    """The consequence of the failure of a cell."""

    attempt: dict[str, Any]
    is_started: bool
    retry: bool


def assess_failure(directory: Path, latest: dict[str, Any], cell_begun: float, is_retryable: bool) -> Failure:
    """Return the attempt that failed, whether its load was started, and whether the cell is to be measured once more.

    `latest` is the latest attempt whose load was started by this execution ({n, directory, started}), which may be one of an earlier cell or an
    attempt that is recorded already; then the cell failed before its load was started. `cell_begun` is when this execution began the cell (epoch
    seconds). Only a retryable failure is retried, and only once in an execution.
    """
    recorded = _previous(directory)
    numbers = [entry["n"] for entry in recorded]
    is_of_cell = bool(latest) and directory in Path(latest["directory"]).parents
    is_started = is_of_cell and latest["n"] not in numbers
    attempt = {key: latest[key] for key in ("n", "started")} if is_started else {"n": max([0, *numbers]) + 1, "started": cell_begun}
    is_second = any((entry.get("ended") or 0) >= cell_begun for entry in recorded)
    return Failure(attempt, is_started, is_retryable and not is_second)


def write_failed(run: Run, planned: dict[str, Any], factors: dict[str, Any], reason: str, attempt: dict[str, Any], notes: dict[str, Any]) -> dict[str, Any]:
    """Write the record of a cell that has no measurement; what its attempt left stays in attempts/<n>, and what an earlier one left goes there."""
    verdict = {"status": "failed", "reasons": [reason], "warnings": []}
    directory = run.cell_directory(planned["id"])
    record = {
        "id": planned["id"],
        "spec": spec_of(planned, factors),
        "window": None,
        "attempts": history(directory, attempt, verdict),
        "verdict": verdict,
        "notes": notes,
    }
    _set_aside(directory, attempt["n"])
    _save(run, record, [])
    return record


def _save(run: Run, record: dict[str, Any], results: list[dict[str, Any]]) -> None:
    write_record(run.cell_directory(record["id"]) / "cell.json", record, "cell", run.schema_dir)
    run.add_cell(record["id"], record["verdict"], results)


def history(directory: Path, attempt: dict[str, Any], verdict: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the attempts of the cell, this one last; an attempt that left no record is listed as failed."""
    known = {entry["n"]: entry for entry in _previous(directory)}
    for n in range(1, attempt["n"]):
        known.setdefault(n, {"n": n, "started": None, "ended": None, "outcome": "failed", "reason": UNRECORDED})
    known[attempt["n"]] = {
        "n": attempt["n"],
        "started": attempt.get("started"),
        "ended": time.time(),
        "outcome": verdict["status"],
        "reason": " ".join(verdict["reasons"]),
    }
    return [known[n] for n in sorted(known)]


def _previous(directory: Path) -> list[dict[str, Any]]:
    """Return the attempts of the record that is there; none when it is absent or damaged."""
    try:
        attempts: list[dict[str, Any]] = read_sealed(directory / "cell.json")["attempts"]
        return [entry for entry in attempts if isinstance(entry["n"], int)]
    except (ValueError, LookupError, TypeError):
        return []


def _named_files(directory: Path) -> set[str]:
    """Return the names of the files in the record that is there; none when it is absent or damaged."""
    try:
        return set(read_sealed(directory / "cell.json")["files"])
    except (ValueError, LookupError, TypeError):
        return set()


def accept_attempt(directory: Path, n: int) -> dict[str, dict[str, Any]]:
    """Link the files of attempt `n` into the cell's directory and return their {sha256, bytes} by name; nothing of the attempt is removed.

    Files of another attempt that lie there go to attempts/<its n> before. Raises FileWriteError.
    """
    source = directory / "attempts" / str(n)
    try:
        _set_aside(directory, n)
        paths = _files(source)
        for path in paths:
            _link(path, directory / path.name)
        return {path.name: file_digest(directory / path.name) for path in paths}
    except OSError as error:
        raise FileWriteError(explain(directory, error)) from error


def begin_run(run: Run, plan: dict[str, Any], config: dict[str, Any], fingerprint: dict[str, Any]) -> dict[str, Any]:
    """Begin or resume the run (see `Run.begin`), and remove the second copies that an interruption left of finished cells."""
    begun = run.begin(plan, config, fingerprint)
    for directory in map(run.cell_directory, begun["done"]):
        remove_accepted(directory, read_sealed(directory / "cell.json"))
    return begun


def remove_accepted(directory: Path, record: dict[str, Any]) -> None:
    """Remove from attempts/<n> what the record of attempt n has beside it. What cannot be removed stays; it is a second copy."""
    source = directory / "attempts" / str(record["attempts"][-1]["n"])
    with suppress(OSError):
        for path in _files(source):
            if record["files"].get(path.name) == file_digest(path):
                path.unlink()
        # What a writer that was killed left of a file, which was written again since.
        for path in source.glob(".*"):
            path.unlink()
        source.rmdir()
        source.parent.rmdir()


def _set_aside(directory: Path, n: int) -> None:
    """Move the files of an attempt before `n` from the cell's directory to attempts/<its n>, unless they are there. Raises FileWriteError.

    They are those of the attempt that the record names, or, where it is damaged, of the attempt before `n`. Links to attempt `n` itself, which an
    interruption left, are no files of another attempt.
    """
    recorded = [entry["n"] for entry in _previous(directory) if entry["n"] != n]
    owner = recorded[-1] if recorded else n - 1
    aside, source = directory / "attempts" / str(owner), directory / "attempts" / str(n)
    named = _named_files(directory)
    try:
        for path in _files(directory) if directory.is_dir() and owner else ():
            # Files of two attempts may be equal, so what the record names is asked first; a link is no file of its own anyhow.
            is_link = (source / path.name).exists() and path.samefile(source / path.name)
            if is_link or (path.name not in named and _is_same(path, source / path.name)):
                continue
            if not (aside / path.name).exists():
                aside.mkdir(parents=True, exist_ok=True)
                _link(path, aside / path.name)
            if _is_same(path, aside / path.name):
                path.unlink()
    except OSError as error:
        raise FileWriteError(explain(directory, error)) from error


def _files(directory: Path) -> list[Path]:
    return [path for path in sorted(directory.iterdir()) if path.is_file() and path.name not in UNLISTED and not path.name.startswith(".")]


def _is_same(path: Path, other: Path) -> bool:
    return other.exists() and (path.samefile(other) or file_digest(path) == file_digest(other))


def _link(source: Path, destination: Path) -> None:
    """Give a file a second name, replacing what has that name, or copy it where the file system has no links; atomic either way."""
    if destination.exists() and destination.samefile(source):
        return
    temporary = destination.with_name(f".{destination.name}.arriving")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
        temporary.replace(destination)
    except OSError:
        with source.open("rb") as stream:
            write_atomic(destination, lambda copy: shutil.copyfileobj(stream, copy, 1 << 20))
