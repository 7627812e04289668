# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run sent to sinks: what changed since the last time, scanned for secrets, verified, with a manifest at the end."""

from __future__ import annotations

import fnmatch
import json
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, file_digest, read_json, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.parallel import in_parallel
from ansible_collections.perfscale.mlflow.plugins.module_utils.console.task_result import LOG
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import manifest
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import KNOWN, Finding, Scanner
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import (
    RECORDS,
    FileChangedError,
    FileSink,
    RecordSink,
    Sink,
    SinkError,
    Upload,
    joined,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import examine

# How often a publication is repeated because a file was written meanwhile.
ATTEMPTS = 3
PAUSE_S = 0.5
# Checksums and scans of earlier publications, and what record sinks have; like every hidden file it is never published.
STATE = ".publish.json"


def publish(
    directory: Path | str,
    sinks: Sequence[Sink],
    scanner: Scanner,
    schema_dir: Path | str,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    reread: bool = True,
) -> dict[str, Any]:
    """Send a run's files to every sink, and return {run_id, files, sinks [{name, kind, location, status, sent, …}], problems []}.

    A sink that fails is a problem and no exception, so that the other sinks get the run; nothing is sent while a file holds a secret.
    `only` limits what is sent to some patterns and leaves the rest of an earlier publication as it is.
    A damaged cell is a problem and is left out, so that it replaces no intact copy; nothing is sent when run.json is damaged. For that every file
    that a record names is read again, or, without `reread`, only those that have changed since the last publication.
    """
    directory = Path(directory)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _once(directory, sinks, scanner, schema_dir, only, exclude, reread)
        except FileChangedError as error:
            if attempt == ATTEMPTS:
                problem = f"File {directory / str(error)}: changed while it was published, {ATTEMPTS} times. Publish the run again when nothing writes into it."
                return _result(directory, [], [_report(sink, directory.name, "stopped") for sink in sinks], [problem])
            time.sleep(PAUSE_S)
    raise AssertionError("unreachable: the last attempt returns")


def check_access(sinks: Sequence[Sink]) -> list[str]:
    """Return the problems of sinks that can be found without sending a run."""
    problems = []
    for sink in sinks:
        try:
            sink.open()
            sink.check_access()
        except SinkError as error:
            problems.append(str(error))
    return problems


def _once(
    directory: Path,
    sinks: Sequence[Sink],
    scanner: Scanner,
    schema_dir: Path | str,
    only: Sequence[str],
    exclude: Sequence[str],
    reread: bool,
) -> dict[str, Any]:
    files = RunFiles(directory)
    uploads, findings = files.uploads(only, exclude, scanner)
    if findings:
        files.save()
        problems = [_problem(directory, path, found) for path, found in findings.items()]
        return _result(directory, uploads, [_report(sink, directory.name, "stopped") for sink in sinks], problems)

    intact, damages = _intact(directory, uploads, schema_dir, bool(only), reread)
    if uploads and not intact:
        return _result(directory, [], [_report(sink, directory.name, "stopped") for sink in sinks], damages)
    is_part = bool(only) or len(intact) < len(uploads)

    def send(sink: Sink) -> tuple[dict[str, Any], str]:
        begun = time.monotonic()
        try:
            sink.open()
            sent = _update(sink, directory, intact, is_part, schema_dir, memories[sink.name])
        except SinkError as error:
            report = _report(sink, directory.name, "failed", message=str(error), seconds=round(time.monotonic() - begun, 3))
            return report, f"{error} The local copy {directory} is complete."
        return _report(sink, directory.name, "ok", **sent, seconds=round(time.monotonic() - begun, 3)), ""

    memories = {sink.name: files.memory(sink.name) for sink in sinks}
    try:
        # In parallel: a sink that does not respond delays no other.
        sent = in_parallel(send, sinks, max(1, len(sinks)))
    finally:
        files.save()
    return _result(directory, intact, [report for report, _problem in sent], [*damages, *(problem for _report, problem in sent if problem)])


def _intact(directory: Path, uploads: Sequence[Upload], schema_dir: Path | str, is_part: bool, reread: bool) -> tuple[Sequence[Upload], list[str]]:
    """Return the uploads without those of damaged cells, none when run.json is damaged, and a sentence for each damage."""
    if not any(upload.is_record for upload in uploads):
        return uploads, []
    summed = {upload.file: {"sha256": upload.sha256, "bytes": upload.bytes} for upload in uploads}

    def known(path: Path) -> Mapping[str, Any]:
        return summed.get(path) or file_digest(path)

    try:
        damages = examine(directory, schema_dir, None if is_part else file_digest if reread else known).damages
    except ValueError as error:
        return [], [f"{error} Nothing was sent."]
    omitted = tuple("target.json" if cell == "" else f"cells/{cell}/" for cell in damages)
    left_out = "It was not sent; what a sink has of it stays."
    return [upload for upload in uploads if not upload.path.startswith(omitted)], [f"{damage} {left_out}" for damage in damages.values()]


def _problem(directory: Path, path: str, found: Sequence[Finding]) -> str:
    """Return the sentences about the secrets in one file; those of the run cannot be allowed."""
    first, more = found[0], f" and {len(found) - 1} more" if len(found) > 1 else ""
    remedy = "Remove it there, then publish again."
    if first.kind != KNOWN:
        remedy = f"Remove it there, then publish again; if it is no secret, add {{path: {path}, kind: {first.kind}}} to publish_allowed_findings."
    return f"File {directory / path}: {first} in it{more}. Nothing was sent. {remedy}"


def _update(
    sink: Sink, directory: Path, uploads: Sequence[Upload], is_part: bool, schema_dir: Path | str, memory: dict[str, Any]
) -> dict[str, Any]:
    """Send what one sink does not have, and return {sent, bytes, unchanged, verified}."""
    if isinstance(sink, RecordSink):
        return sink.index(directory.name, uploads, memory)
    if isinstance(sink, FileSink):
        return _to_files(sink, directory, uploads, is_part, schema_dir, memory)
    raise TypeError(f"{type(sink).__name__} stores neither files nor records")


def _to_files(
    sink: FileSink, directory: Path, uploads: Sequence[Upload], is_part: bool, schema_dir: Path | str, memory: dict[str, Any]
) -> dict[str, Any]:
    run_id = directory.name
    published = manifest.read(sink, run_id, schema_dir)
    # A write-only sink has the files that our state file lists as sent.
    known = published["files"] if published else memory.get("files", {}) if not sink.is_readable else {}
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
    """Set the sink's `latest` to this run, unless the run that it names began later."""
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


def _report(sink: Sink, run_id: str, status: str, **details: Any) -> dict[str, Any]:
    empty = {"sent": 0, "bytes": 0, "unchanged": 0, "verified": {}, "seconds": 0.0, "message": ""}
    return {"name": sink.name, "kind": sink.kind, "location": sink.location(run_id), "status": status, **empty, **details}


def _result(directory: Path, uploads: Sequence[Upload], reports: list[dict[str, Any]], problems: list[str]) -> dict[str, Any]:
    return {"run_id": directory.name, "files": len(uploads), "sinks": reports, "problems": problems}


class RunFiles:
    """The files of one run directory, with a private cache of their checksums."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self._state = _state_of(self.directory / STATE)
        self._known: dict[str, dict[str, Any]] = self._state.setdefault("files", {})
        # Keeps a reader of the memory from trying out which secrets were known.
        self._key: str = self._state.setdefault("key", secrets.token_hex(32))

    def uploads(self, only: Sequence[str], exclude: Sequence[str], scanner: Scanner) -> tuple[list[Upload], dict[str, list[Finding]]]:
        """Return the files to publish, records last, and the secrets in which of them ({path: findings}).

        `only` and `exclude` are patterns (`*` also matches slashes); without `only` all files are meant. A file without a finding is not scanned
        again until its content, the rules, the known secrets or what is allowed change. Raises FileChangedError when a file is written meanwhile.
        """
        chosen, findings = [], {}
        clean = scanner.digest(bytes.fromhex(self._key))
        for path in listed(self.directory, only, exclude):
            entry = self._entry(path)
            if entry.get("clean") != clean:
                found = self._scan(path, entry, scanner)
                if found:
                    findings[path] = found
                entry["clean"] = "" if found else clean
            chosen.append(Upload(path, self.directory / path, entry["sha256"], entry["bytes"]))
        return sorted(chosen, key=lambda upload: (_rank(upload.path), upload.path)), findings

    def _scan(self, path: str, entry: Mapping[str, Any], scanner: Scanner) -> list[Finding]:
        """Return the findings in a file, provided that what was scanned is what was summed."""
        file = self.directory / path
        try:
            found = scanner.findings(file, path)
            is_same = _stamp(file) == entry["stamp"]
        except OSError:
            is_same = False
        if not is_same:
            raise FileChangedError(path)
        return found

    def _entry(self, path: str) -> dict[str, Any]:
        file = self.directory / path
        try:
            stamp = _stamp(file)
            entry = self._known.get(path)
            if entry is None or entry["stamp"] != stamp:
                entry = {"stamp": stamp, **file_digest(file)}
                if _stamp(file) != stamp:
                    raise FileChangedError(path)
                self._known[path] = entry
        except OSError:
            raise FileChangedError(path) from None
        return entry

    def memory(self, sink: str) -> dict[str, Any]:
        """Return the memory of a sink, to be changed in place."""
        memory: dict[str, Any] = self._state.setdefault("sinks", {}).setdefault(sink, {})
        return memory

    def save(self) -> None:
        """Write the state file; without it all checksums are computed again next time."""
        present = set(listed(self.directory, (), ()))
        self._state["files"] = {path: entry for path, entry in self._known.items() if path in present}
        try:
            write_json(self.directory / STATE, self._state, mode=0o600)
        except FileWriteError:
            return


def listed(directory: Path, only: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """Return the paths of the requested regular files below a directory; hidden ones, links and the log of Ansible are never included."""
    found = []
    for root, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(root) / name
            if not name.startswith(".") and file.is_file() and not file.is_symlink():
                found.append(file.relative_to(directory).as_posix())
    return [path for path in found if path != LOG and (not only or _matches(path, only)) and not _matches(path, exclude)]


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _rank(path: str) -> int:
    name = path.rsplit("/", 1)[-1]
    return RECORDS.index(name) + 1 if name in RECORDS else 0


def _stamp(file: Path) -> list[int]:
    status = file.stat()
    # The time of the last change of content or status, which no program sets.
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _state_of(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path) if path.exists() else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("schema_version", 1) == 1 else {}
