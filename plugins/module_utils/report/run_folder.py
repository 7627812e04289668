# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads one run directory: run.json and every cells/<id>/cell.json, never the samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.material import MISSING, Cell, Material, RunMaterial, missing_record

SCHEMA_VERSION = 1
_SHAPES: dict[str, dict[str, type]] = {
    "run": {"run_id": str, "cells": list, "plan": dict},
    "cell": {"id": str, "spec": dict, "verdict": dict},
}

_PARTS = ("operations", "total", "categories", "resources", "generator", "window")


def is_run_folder(folder: Path) -> bool:
    """Tells whether a directory is a run, whole or not."""
    return (folder / "run.json").is_file() or (folder / "cells").is_dir()


def read_run_folder(folder: Path, material: Material) -> None:
    """Adds a run to the material. A planned cell without a readable record stays in, as missing or failed with the reason."""
    document = _run_document(folder, material)
    run_id = material.unique_run_id(str(document.get("run_id") or folder.resolve().name))
    run = RunMaterial(run_id, str(folder), {**document, "run_id": run_id})
    records, unreadable = _records(folder, material)
    planned = document.get("plan", {}).get("cells", [])
    factors = next((record["spec"].get("factors", {}) for record in records.values()), {})
    for cell in planned:
        if cell["id"] not in records:
            status = "failed" if cell["id"] in unreadable else MISSING
            reason = unreadable.get(cell["id"], "It has no record: the run ended before it, or is still under way.")
            records[cell["id"]] = missing_record(cell, status, reason, factors)
    order = [cell["id"] for cell in planned]
    order += [name for name in records if name not in order]
    cells = [Cell(run_id, records[name], str(folder / "cells" / name)) for name in order]
    if cells:
        material.runs.append(run)
        material.cells.extend(cells)
    else:
        material.warnings.append(f"Run {folder}: has no cells. It is left out.")


def _run_document(folder: Path, material: Material) -> dict[str, Any]:
    try:
        return _checked(read_json(folder / "run.json"), folder / "run.json", "run")
    except ValueError as error:
        material.warnings.append(str(error))
        return {"status": "incomplete", "cells": [], "plan": {}, "objectives": []}


def _records(folder: Path, material: Material) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    records: dict[str, dict[str, Any]] = {}
    unreadable: dict[str, str] = {}
    directory = folder / "cells"
    for path in sorted(directory.iterdir()) if directory.is_dir() else []:
        record_path = path / "cell.json"
        if not path.is_dir():
            material.warnings.append(f"File {path}: is foreign among the cells. It is left out.")
        elif not record_path.is_file():
            material.warnings.append(f"Cell {path}: has no cell.json; it is still running or was interrupted. Run the same run_id again to finish it.")
        else:
            try:
                records[path.name] = _checked(read_json(record_path), record_path, "cell", path.name)
            except ValueError as error:
                unreadable[path.name] = str(error)
                material.warnings.append(str(error))
    return records, unreadable


def _checked(document: Any, path: Path, kind: str, name: str | None = None) -> dict[str, Any]:
    """Refuses what would break the report; the writer of the file has checked the rest against the schema."""
    if not isinstance(document, dict):
        raise ValueError(f"File {path}: is not a record of a {kind}. It is foreign; remove it or choose another folder.")
    if document.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(
            f"File {path}: has schema_version {document.get('schema_version')!r}. This version reads {SCHEMA_VERSION}; use the collection that wrote it."
        )
    wrong = [key for key, kind_of in _SHAPES[kind].items() if not isinstance(document.get(key), kind_of)]
    if kind == "cell" and not wrong:
        wrong = [key for key in ("tenants", "repeat") if not isinstance(document["spec"].get(key), int)]
        wrong += [key for key in _PARTS if not isinstance(document.get(key) or {}, dict)]
        wrong += ["verdict"] if document["verdict"].get("status") not in ("valid", "invalid", "failed") else []
    if kind == "run" and not wrong and not all(isinstance(cell, dict) and "id" in cell for cell in document["plan"].get("cells", [])):
        wrong = ["plan"]
    if wrong:
        raise ValueError(f"File {path}: lacks {', '.join(wrong)}. It is damaged or foreign; remove it or choose another folder.")
    if name is not None and document["id"] != name:
        raise ValueError(f"File {path}: is the record of cell {document['id']}, not of {name}. It was moved; put it back or remove it.")
    return document
