# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""manifest.json of a published run: its files with size and checksum. Written last, so that it marks a complete publication.

A publication that is interrupted between files leaves new files with the old manifest. So before anything is replaced the new manifest is
written beside it, and a file is complete when it matches either of the two.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.sink import FileSink, joined

NAME, PENDING, LATEST = "manifest.json", "manifest.pending.json", "latest"
Files = Mapping[str, Mapping[str, Any]]


def document(run_id: str, files: Files) -> dict[str, Any]:
    """Return the manifest of a run's files ({path: {sha256, bytes}})."""
    ordered = {path: {"sha256": files[path]["sha256"], "bytes": files[path]["bytes"]} for path in sorted(files)}
    return {"schema_version": 1, "run_id": run_id, "published": time.time(), "digest": digest_of(ordered), "files": ordered}


def digest_of(files: Files) -> str:
    """Return one checksum for all files, whatever their order."""
    lines = (f"{files[path]['sha256']} {files[path]['bytes']} {path}\n" for path in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def encoded(manifest: Mapping[str, Any]) -> bytes:
    """Return a manifest as the bytes of its file."""
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


def read(sink: FileSink, run_id: str, schema_dir: Path | str, name: str = NAME) -> dict[str, Any] | None:
    """Return the manifest that a sink has of a run, or None. Raises SinkError, also for one that is damaged or names files outside the run."""
    data = sink.get(joined(run_id, name))
    if data is None:
        return None
    where = f"{sink.location(run_id)}/{name}"
    try:
        found: dict[str, Any] = json.loads(data)
        check(found, "publication_manifest", schema_dir)
    except ValueError as error:
        raise sink.error(f"{where}: damaged or not a manifest ({error}). Remove it there, and publish the run again.") from error
    odd = [path for path in found["files"] if not is_safe(path)]
    if odd or found["run_id"] != run_id or found["digest"] != digest_of(found["files"]):
        why = f"path {odd[0]!r} leaves the run" if odd else "it is of another run, or its digest does not match its files"
        raise sink.error(f"{where}: damaged or not the run's ({why}). Remove it there, and publish the run again.")
    return found


def is_safe(path: str) -> bool:
    """Return whether a path stays below the run: a manifest from outside must not name a file elsewhere."""
    parts = PurePosixPath(path).parts
    is_plain = path == "/".join(parts) and "\\" not in path and "\0" not in path
    return bool(parts) and is_plain and not path.startswith("/") and not any(part in (".", "..") or part.startswith(".") for part in parts)
