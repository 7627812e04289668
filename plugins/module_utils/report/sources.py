# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources of a report: run directories and legacy result folders. Reads run.json and every cells/<id>/cell.json, never the samples."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.run import CAPACITY_NAME
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import CHECKSUM
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import printable, printable_parts
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import TENANTS_NAME
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import read_cell, read_record, unsealed_warning
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.points import POINTS_NAME
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import (
    MISSING,
    VERDICT_FILE,
    Cell,
    ReportedRun,
    ReportError,
    ReportInputs,
    missing_record,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.legacy.folder import is_legacy_folder, read_legacy_folder


def read_sources(sources: Sequence[str | Path], schema_dir: Path | str) -> ReportInputs:
    """Read run directories, legacy result folders, and directories that contain such; control characters in their texts are made visible.

    Records are verified against their checksum and the schemas in `schema_dir`. What is damaged or of another origin is named in the warnings and
    the rest is read. Raises ReportError when nothing can be used.
    """
    inputs = ReportInputs()
    seen: set[Path] = set()
    for source in sources:
        for folder in _folders(Path(source), inputs):
            if folder.resolve() not in seen:
                seen.add(folder.resolve())
                if is_run_folder(folder):
                    read_run_folder(folder, inputs, schema_dir)
                else:
                    read_legacy_folder(folder, inputs)
    if not inputs.cells:
        why = " ".join(inputs.warnings)
        raise ReportError(
            f"Report of {', '.join(str(source) for source in sources)}: nothing usable. "
            f"Use a run directory, a directory of runs, or a folder with summary_tenants-<T>_concurrency_<C>.json files. {why}".strip()
        )
    return ReportInputs(
        [_printable(run) for run in inputs.runs],
        [replace(cell, record=printable_parts(cell.record), run_id=printable(cell.run_id), path=printable(cell.path)) for cell in inputs.cells],
        [printable(warning) for warning in inputs.warnings],
    )


def _printable(run: ReportedRun) -> ReportedRun:
    capacity = printable_parts(run.capacity) if run.capacity else None
    return replace(run, document=printable_parts(run.document), capacity=capacity, run_id=printable(run.run_id), path=printable(run.path))


def _folders(source: Path, inputs: ReportInputs) -> list[Path]:
    if not source.is_dir():
        inputs.warnings.append(f"Source {source}: not a directory. It is left out; check the path.")
        return []
    if _is_known(source):
        return [source]
    try:
        children = sorted(child for child in source.iterdir() if child.is_dir() and not _is_skipped(child))
    except OSError as error:
        inputs.warnings.append(f"Source {source}: cannot be listed ({error.strerror}). It is left out; check its permissions.")
        return []
    known = [child for child in children if _is_known(child)]
    inputs.warnings.extend(
        f"Folder {child}: neither a run nor results of the legacy suite. It is left out." for child in children if child not in known
    )
    return known


def _is_skipped(child: Path) -> bool:
    """Return whether a directory is hidden, or a report that an earlier call wrote here."""
    return child.name.startswith(".") or (child / VERDICT_FILE).is_file()


def _is_known(folder: Path) -> bool:
    return is_run_folder(folder) or is_legacy_folder(folder)


def is_run_folder(folder: Path) -> bool:
    """Return whether a directory is a run, complete or not."""
    return (folder / "run.json").is_file() or (folder / "cells").is_dir()


def read_run_folder(folder: Path, inputs: ReportInputs, schema_dir: Path | str) -> None:
    """Add a run to the inputs. A planned cell without a readable record stays in, as missing or failed with the reason."""
    document = _run_document(folder, inputs, schema_dir)
    run_id = inputs.unique_run_id(str(document.get("run_id") or folder.resolve().name))
    run = ReportedRun(run_id, str(folder), {**document, "run_id": run_id})
    planned = {cell["id"]: cell for cell in document.get("plan", {}).get("cells", [])}
    records, unreadable = _records(folder, inputs, planned, schema_dir)
    unsealed = [record for record in (document, *records.values()) if record.get("schema_version") and CHECKSUM not in record]
    if unsealed:
        inputs.warnings.append(unsealed_warning(run_id, len(unsealed)))
    factors: dict[str, Any] = next((record["spec"].get("factors", {}) for record in records.values()), {})
    for name, cell in planned.items():
        if name not in records:
            status = "failed" if name in unreadable else MISSING
            reason = unreadable.get(name, "No record: the run ended before this cell, or is still running.")
            records[name] = missing_record(cell, status, reason, factors)
    run.points = _points(folder, inputs, records, schema_dir)
    run.capacity = _capacity(folder, inputs, schema_dir)
    cells = [
        Cell(run_id, records[name], str(folder / "cells" / name), _tenants(folder / "cells" / name)) for name in dict.fromkeys([*planned, *records])
    ]
    if cells:
        inputs.runs.append(run)
        inputs.cells.extend(cells)
    else:
        inputs.warnings.append(f"Run {folder}: no cells. It is left out.")


def _points(folder: Path, inputs: ReportInputs, records: Mapping[str, Mapping[str, Any]], schema_dir: Path | str) -> list[dict[str, Any]]:
    """Return the points of points.json, without those of cells that were measured again since."""
    path = folder / POINTS_NAME
    if not path.exists():
        return []
    try:
        points = read_record(path, "points", schema_dir)["points"]
    except ValueError as error:
        inputs.warnings.append(str(error))
        return []
    return [point for point in points if all(records.get(name, {}).get(CHECKSUM) == checksum for name, checksum in point["cells"].items())]


def _tenants(directory: Path) -> list[dict[str, str]]:
    """Return the rows of tenants.csv of a cell, none where it cannot be read: what the record names is opened by verdict and publication."""
    try:
        with (directory / TENANTS_NAME).open(encoding="utf-8", newline="") as stream:
            return [printable_parts(dict(row)) for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _capacity(folder: Path, inputs: ReportInputs, schema_dir: Path | str) -> dict[str, Any] | None:
    """Return capacity.json of a search, None of another run."""
    path = folder / CAPACITY_NAME
    if not path.exists():
        return None
    try:
        return read_record(path, "capacity", schema_dir)
    except ValueError as error:
        inputs.warnings.append(str(error))
        return None


def _run_document(folder: Path, inputs: ReportInputs, schema_dir: Path | str) -> dict[str, Any]:
    try:
        return read_record(folder / "run.json", "run", schema_dir)
    except ValueError as error:
        inputs.warnings.append(str(error))
        return {"status": "incomplete", "cells": [], "plan": {}, "objectives": []}


def _records(
    folder: Path, inputs: ReportInputs, planned: Mapping[str, Mapping[str, Any]], schema_dir: Path | str
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    records: dict[str, dict[str, Any]] = {}
    unreadable: dict[str, str] = {}
    directory = folder / "cells"
    for path in sorted(directory.iterdir()) if directory.is_dir() else []:
        if not path.is_dir():
            inputs.warnings.append(f"File {path}: not a cell. It is left out.")
        elif not (path / "cell.json").is_file():
            inputs.warnings.append(f"Cell {path}: no cell.json; the cell is still running or was interrupted. Run the same run_id again to finish it.")
        else:
            try:
                # Nothing but the record is read, so the files that it names stay unopened.
                records[path.name] = read_cell(path, planned.get(path.name, {"id": path.name}), schema_dir, digest=None)
            except ValueError as error:
                unreadable[path.name] = str(error)
                inputs.warnings.append(str(error))
    return records, unreadable
