# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run sent to sinks: what changed since the last time, scanned for secrets, verified, with a manifest at the end."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import manifest
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.run_files import RunFiles
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import Altered, FileSink, RecordSink, Sink, SinkError, Upload, joined

# How often a publication begins again because a file was written meanwhile.
ATTEMPTS = 3
PAUSE_S = 0.5


def publish(
    directory: Path | str,
    sinks: Sequence[Sink],
    inspect: Callable[[Path], str | None],
    schema_dir: Path | str,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> dict[str, Any]:
    """Sends a run's files to every sink, and returns {run_id, files, sinks [{name, kind, location, status, sent, …}], problems []}.

    A sink that fails is a problem and no exception, so that the others get the run; nothing is sent anywhere while a file holds a secret.
    `only` limits what is sent to some patterns and leaves the rest of an earlier publication as it is.
    """
    directory = Path(directory)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _once(directory, sinks, inspect, schema_dir, only, exclude)
        except Altered as error:
            if attempt == ATTEMPTS:
                problem = f"File {directory / str(error)}: was written while it was published, {ATTEMPTS} times. Publish the run again when it is at rest."
                return _result(directory, [], [_report(sink, directory.name, "stopped") for sink in sinks], [problem])
            time.sleep(PAUSE_S)
    raise AssertionError("unreachable: the last attempt returns")


def reach(sinks: Sequence[Sink]) -> list[str]:
    """Returns what keeps which sink from taking a run, as far as it is known without sending one."""
    problems = []
    for sink in sinks:
        try:
            sink.open()
            sink.reach()
        except SinkError as error:
            problems.append(str(error))
    return problems


def _once(
    directory: Path, sinks: Sequence[Sink], inspect: Callable[[Path], str | None], schema_dir: Path | str, only: Sequence[str], exclude: Sequence[str]
) -> dict[str, Any]:
    files = RunFiles(directory)
    uploads, findings = files.uploads(only, exclude, inspect)
    if findings:
        files.remember()
        problems = [f"File {directory / path}: holds {finding}. Nothing was sent. Remove it there, then publish again." for path, finding in findings.items()]
        return _result(directory, uploads, [_report(sink, directory.name, "stopped") for sink in sinks], problems)

    def send(sink: Sink) -> tuple[dict[str, Any], str]:
        begun = time.monotonic()
        try:
            sink.open()
            told = _bring_up_to_date(sink, directory, uploads, bool(only), schema_dir, memories[sink.name])
        except SinkError as error:
            report = _report(sink, directory.name, "failed", message=str(error), seconds=round(time.monotonic() - begun, 3))
            return report, f"{error} The local copy {directory} is whole."
        return _report(sink, directory.name, "ok", **told, seconds=round(time.monotonic() - begun, 3)), ""

    memories = {sink.name: files.memory(sink.name) for sink in sinks}
    try:
        # Side by side: one that does not answer keeps no other from getting the run.
        sent = in_parallel(send, sinks, max(1, len(sinks)))
    finally:
        files.remember()
    return _result(directory, uploads, [report for report, _problem in sent], [problem for _report, problem in sent if problem])


def _bring_up_to_date(
    sink: Sink, directory: Path, uploads: Sequence[Upload], is_part: bool, schema_dir: Path | str, memory: dict[str, Any]
) -> dict[str, Any]:
    """Sends what one sink does not have, and returns {sent, bytes, unchanged, verified}."""
    if isinstance(sink, RecordSink):
        return sink.index(directory.name, uploads, memory)
    if isinstance(sink, FileSink):
        return _to_files(sink, directory, uploads, is_part, schema_dir, memory)
    raise TypeError(f"{type(sink).__name__} keeps neither files nor records")


def _to_files(
    sink: FileSink, directory: Path, uploads: Sequence[Upload], is_part: bool, schema_dir: Path | str, memory: dict[str, Any]
) -> dict[str, Any]:
    run_id = directory.name
    there = manifest.read(sink, run_id, schema_dir)
    # A place that gives nothing back has what we remember to have sent.
    known = there["files"] if there else memory.get("files", {}) if not sink.is_readable else {}
    wanted = {upload.path: {"sha256": upload.sha256, "bytes": upload.bytes} for upload in uploads}
    files = {**known, **wanted} if is_part else wanted
    changed = [upload for upload in uploads if known.get(upload.path) != wanted[upload.path]]
    document = manifest.encoded(manifest.document(run_id, files))
    if any(upload.path in known for upload in changed):
        sink.put(joined(run_id, manifest.PENDING), document)
    proofs = sink.send(run_id, changed)
    if files != known:
        sink.put(joined(run_id, manifest.NAME), document)
    memory["files"] = files
    _point_latest(sink, directory)
    return {
        "sent": len(changed),
        "bytes": sum(upload.bytes for upload in changed),
        "unchanged": len(uploads) - len(changed),
        "verified": dict(Counter(proofs)),
    }


def _point_latest(sink: FileSink, directory: Path) -> None:
    """Lets the sink's `latest` name this run, unless the run that it names began later."""
    run_id = directory.name
    named = (sink.get(manifest.LATEST) or b"").decode("utf-8", "replace").strip()
    if named == run_id:
        return
    if named and manifest.is_safe(named):
        other = sink.get(joined(named, "run.json"))
        if other is not None and _started(other) > _started_here(directory):
            return
    sink.put(manifest.LATEST, f"{run_id}\n".encode())


def _started(data: bytes) -> float:
    try:
        return float(json.loads(data)["started"])
    except (ValueError, KeyError, TypeError):
        return 0.0


def _started_here(directory: Path) -> float:
    try:
        return float(read_json(directory / "run.json")["started"])
    except (ValueError, KeyError, TypeError):
        return time.time()


def _report(sink: Sink, run_id: str, status: str, **told: Any) -> dict[str, Any]:
    empty = {"sent": 0, "bytes": 0, "unchanged": 0, "verified": {}, "seconds": 0.0, "message": ""}
    return {"name": sink.name, "kind": sink.kind, "location": sink.location(run_id), "status": status, **empty, **told}


def _result(directory: Path, uploads: Sequence[Upload], reports: list[dict[str, Any]], problems: list[str]) -> dict[str, Any]:
    return {"run_id": directory.name, "files": len(uploads), "sinks": reports, "problems": problems}
