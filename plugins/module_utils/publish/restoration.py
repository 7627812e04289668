# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run restored from the first sink that has it, each file verified against the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase as fnmatch
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import manifest
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import FileSink, Sink, SinkError, joined

NOT_FOUND = {"found": False, "run_id": "", "directory": "", "sink": "", "location": "", "restored": 0, "unchanged": 0, "warnings": []}


def restore(wanted: str, results: Path | str, sinks: Sequence[Sink], schema_dir: Path | str, only: Sequence[str] = ()) -> dict[str, Any]:
    """Restore a run (`wanted` is its id, or latest) below `results`; return {found, run_id, directory, sink, location, restored, unchanged, warnings}.

    `only` limits it to the files whose paths match one of some patterns (`*` also matches slashes). `found` is false when no sink has the run. Files
    that are present and the same are not fetched. Raises SinkError when a
    sink could not be read and no other one has the run, and when a local file differs from the published one.
    """
    warnings: list[str] = []
    for sink in (sink for sink in sinks if isinstance(sink, FileSink)):
        try:
            sink.open()
            run_id = _named(sink, wanted)
            found = manifest.read(sink, run_id, schema_dir) if run_id else None
            if run_id is None or found is None:
                if not sink.is_readable:
                    warnings.append(str(sink.error("read access missing. Correct its secret, or allow reading, or restore from another sink.")))
                continue
            pending = manifest.read(sink, run_id, schema_dir, manifest.PENDING) or {"files": {}}
            accepted = _accepted(found["files"], pending["files"])
            chosen = {path: contents for path, contents in accepted.items() if not only or any(fnmatch(path, pattern) for pattern in only)}
            fetched = _fetch(sink, run_id, Path(results) / run_id, chosen, found["files"])
        except SinkError as error:
            warnings.append(str(error))
            continue
        return {"found": True, "run_id": run_id, "sink": sink.name, "location": sink.location(run_id), "warnings": warnings, **fetched}
    if warnings:
        raise SinkError(" ".join(warnings))
    return dict(NOT_FOUND)


def _named(sink: FileSink, wanted: str) -> str | None:
    """Return the id of the requested run, or None if the sink names none."""
    if wanted != manifest.LATEST:
        return wanted
    named = (sink.get(manifest.LATEST) or b"").decode("utf-8", "replace").strip()
    if named and not manifest.is_safe(named):
        raise sink.error(f"file latest: no run id in it ({named[:40]!r}). Write one into it, or give run_id.")
    return named or None


def _accepted(*manifests: manifest.Files) -> dict[str, list[Mapping[str, Any]]]:
    """Return the valid contents of each path: those of the manifest, and those of a publication that was interrupted."""
    accepted: dict[str, list[Mapping[str, Any]]] = {}
    for files in manifests:
        for path, content in files.items():
            accepted.setdefault(path, []).append(content)
    return accepted


def _fetch(sink: FileSink, run_id: str, directory: Path, accepted: Mapping[str, list[Mapping[str, Any]]], required: manifest.Files) -> dict[str, Any]:
    fetched, unchanged = 0, 0
    for path, contents in accepted.items():
        local = directory / path
        if local.exists():
            if file_digest(local) not in contents:
                raise sink.error(f"file {local}: exists and differs from the published one. Move {directory} away, and restore again.")
            unchanged += 1
            continue
        arriving = local.with_name(f".{local.name}.arriving")
        try:
            if not sink.fetch(joined(run_id, path), arriving):
                if path in required:
                    raise sink.error(f"{sink.location(run_id)}/{path}: missing, although the manifest lists it. Publish the run again.")
                continue
            if file_digest(arriving) not in contents:
                raise sink.error(f"{sink.location(run_id)}/{path}: its checksum differs from the manifest. It is damaged; publish the run again.")
            arriving.replace(local)
        finally:
            arriving.unlink(missing_ok=True)
        fetched += 1
    return {"directory": str(directory), "restored": fetched, "unchanged": unchanged}
