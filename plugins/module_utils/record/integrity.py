# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is believed of a run: records with checksum, schema and place, and the files that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import CHECKSUM, file_digest, read_sealed, write_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check

# Records of version 1 have no checksum. From version 2 on one without it is damaged, so no single change hides another.
SCHEMA_VERSION = 2
SPEC_KEYS = ("tenants", "concurrency", "rate", "profile", "repeat", "duration_s", "warmup_s", "seed", "training_share", "think_time_s", "load")
Digest = Callable[[Path], Mapping[str, Any]]


class Evidence(NamedTuple):
    """A run as it is on the disk.

    `document` is run.json; `records` has by cell id each record that is intact, with all its files; `damages` has one sentence for each other cell
    that run.json lists, and under an empty key one for target.json; `warnings` says what could not be verified.
    """

    document: dict[str, Any]
    records: dict[str, dict[str, Any]]
    damages: dict[str, str]
    warnings: list[str]


def write_record(path: Path, document: Mapping[str, Any], kind: str, schema_dir: Path | str) -> None:
    """Validate a record against its schema and write it with its checksum, atomically. Raises ValueError and FileWriteError."""
    record = {**document, "schema_version": SCHEMA_VERSION}
    validate_record(record, kind, schema_dir)
    write_sealed(path, record)


def validate_record(record: Mapping[str, Any], kind: str, schema_dir: Path | str) -> None:
    """Raise ValueError unless a record that has no checksum yet follows its schema."""
    check({**record, CHECKSUM: "0" * 64}, kind, schema_dir)


def read_record(path: Path, kind: str, schema_dir: Path | str) -> dict[str, Any]:
    """Return a record (`kind` names its schema) whose checksum and schema were verified.

    Raises ValueError with one sentence that names the file and the field.
    """
    document = read_sealed(path)
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ValueError(f"File {path}: at schema_version: is {version}. This version reads 1 and {SCHEMA_VERSION}; use the collection that wrote it.")
    check(document, kind, schema_dir, path)
    found: dict[str, Any] = document
    if kind == "run":
        _check_ids(found, path)
    return found


def _check_ids(document: Mapping[str, Any], path: Path) -> None:
    """Raise ValueError unless each id in run.json is planned, and planned once."""
    planned = [cell["id"] for cell in document["plan"]["cells"]]
    recorded = [cell["id"] for cell in document["cells"]]
    for where, ids in (("plan/cells", planned), ("cells", recorded)):
        if len(set(ids)) < len(ids):
            raise ValueError(f"File {path}: at {where}: a cell is listed twice. Restore the file from a copy, or use another run_id.")
    strange = [name for name in [*recorded, *(result["cell"] for result in document["objectives"])] if name not in planned]
    if strange:
        raise ValueError(f"File {path}: at cells: cell {strange[0]} is not planned. Restore the file from a copy, or use another run_id.")


def read_cell(directory: Path, planned: Mapping[str, Any], schema_dir: Path | str, digest: Digest | None = file_digest) -> dict[str, Any]:
    """Return the record of a planned cell in its directory, if it is that cell's and every file that it names is unchanged.

    `digest` returns {sha256, bytes} of a file; None leaves the files unopened. Raises ValueError with one sentence that names the file.
    """
    path = directory / "cell.json"
    record = read_record(path, "cell", schema_dir)
    if record["id"] != planned["id"]:
        raise ValueError(f"File {path}: at id: is the record of cell {record['id']}, not of {planned['id']}. It was moved; put it back or remove it.")
    wrong = [key for key in SPEC_KEYS if key in planned and record["spec"].get(key) != planned[key]]
    if wrong:
        raise ValueError(f"File {path}: at spec/{wrong[0]}: differs from the plan in run.json. Remove the file, and run again with the same run_id.")
    if digest is not None:
        for name, known in record.get("files", {}).items():
            _compare(directory / name, known, digest)
    return record


def _compare(path: Path, known: Mapping[str, Any], digest: Digest) -> None:
    remedy = "Restore the file from a copy, or run again with the same run_id, which measures the cell again"
    try:
        found = digest(path)
    except OSError as error:
        raise ValueError(f"File {path}: cannot be read ({error.strerror}). {remedy}.") from error
    if found["sha256"] != known["sha256"] or found["bytes"] != known["bytes"]:
        sizes = f"{found['bytes']} bytes, recorded were {known['bytes']}" if found["bytes"] != known["bytes"] else "its checksum differs from the recorded one"
        raise ValueError(f"File {path}: changed since it was recorded ({sizes}). {remedy}.")


def examine(directory: Path, schema_dir: Path | str, digest: Digest | None = file_digest) -> Evidence:
    """Open every record of a run and, unless `digest` is None, every file that they name, and return what was found.

    Raises ValueError with one sentence when run.json itself is absent or damaged.
    """
    document = read_record(directory / "run.json", "run", schema_dir)
    planned = {cell["id"]: cell for cell in document["plan"]["cells"]}
    records: dict[str, dict[str, Any]] = {}
    damages: dict[str, str] = {}
    unsealed = 0 if CHECKSUM in document else 1
    for entry in document["cells"]:
        path = directory / "cells" / entry["id"]
        try:
            record = read_cell(path, planned[entry["id"]], schema_dir, digest)
            if record["verdict"] != entry["verdict"]:
                raise ValueError(f"File {path / 'cell.json'}: at verdict: differs from the one in run.json. Run again with the same run_id.")
        except ValueError as error:
            damages[entry["id"]] = f"Cell {entry['id']}: damaged. {error}"
            continue
        records[entry["id"]] = record
        unsealed += CHECKSUM not in record
    if (directory / "target.json").exists():
        try:
            unsealed += CHECKSUM not in read_record(directory / "target.json", "target", schema_dir)
        except ValueError as error:
            damages[""] = str(error)
    return Evidence(document, records, damages, [unsealed_warning(document["run_id"], unsealed)] if unsealed else [])


def unsealed_warning(run_id: str, count: int) -> str:
    """Return the sentence about records of schema version 1."""
    records = "1 record is" if count == 1 else f"{count} records are"
    return f"Run {run_id}: {records} from a version that wrote no checksums, so a changed number in them is not noticed."
