# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run.json: the record of a run, its plan, the verdicts of its cells, and the controller's part of its fingerprint."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, explain, file_digest, read_json, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import differences
from ansible_collections.perfscale.mlflow.plugins.module_utils.record import lock
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.verdict import evaluate_objectives

# The packages that affect a figure or a file; the rest of the environment follows from requirements.txt.
PACKAGES = ("ansible-core", "jinja2", "jsonschema", "k6", "kubernetes", "matplotlib", "numpy", "pandas", "psutil", "urllib3")


class PlanMismatchError(Exception):
    """The run was planned with other settings; the message names them and the remedy."""


class Run:
    """One run directory and its run.json. Every write is validated against the schema and atomic."""

    def __init__(self, directory: Path | str, schema_dir: Path | str) -> None:
        self.directory = Path(directory)
        self.schema_dir = schema_dir
        self.path = self.directory / "run.json"

    def cell_directory(self, cell_id: str) -> Path:
        return self.directory / "cells" / cell_id

    def load(self) -> dict[str, Any]:
        """Return run.json. Raises ValueError with one sentence when it is absent or damaged."""
        document: dict[str, Any] = read_json(self.path)
        check(document, "run", self.schema_dir)
        return document

    def save(self, document: dict[str, Any]) -> None:
        check(document, "run", self.schema_dir)
        write_json(self.path, document)

    def compare(self, plan: dict[str, Any]) -> None:
        """Raise PlanMismatchError when there is such a run and it was planned differently; write nothing."""
        check(plan, "plan", self.schema_dir)
        if self.path.exists():
            self._verify_plan(self.load(), plan)

    def begin(self, plan: dict[str, Any], config: dict[str, Any], fingerprint: dict[str, Any]) -> dict[str, Any]:
        """Create run.json, or resume the existing one.

        Returns {resumed, todo: ids to run, done: ids that stay, remaining_s: load after each cell to run, by its id}. A cell stays when its verdict
        is valid and its files are unchanged.
        Raises PlanMismatchError when the same run_id was planned differently, and lock.RunLockedError when another process works on it.
        """
        check(plan, "plan", self.schema_dir)
        resumed = self.path.exists()
        document = self.load() if resumed else self._new(plan, config, fingerprint)
        self._verify_plan(document, plan)
        self._create_directory()
        lock.acquire(self.directory)
        done = [cell["id"] for cell in document["cells"] if cell["verdict"]["status"] == "valid" and self._is_unchanged(cell["id"])]
        document["cells"] = [cell for cell in document["cells"] if cell["id"] in done]
        document.update({"status": "incomplete", "fingerprint": fingerprint, "ended": None, "abort_reason": None})
        self.save(document)
        self._point_latest()
        left = [cell for cell in plan["cells"] if cell["id"] not in done]
        return {"resumed": resumed, "todo": [cell["id"] for cell in left], "done": done, "remaining_s": remaining_load_s(left)}

    def add_cell(self, cell_id: str, verdict: dict[str, Any]) -> dict[str, Any]:
        """Set the verdict of a cell in run.json, in the order of the plan, and return the document."""
        document = self.load()
        verdicts = {cell["id"]: cell for cell in document["cells"]}
        verdicts[cell_id] = {"id": cell_id, "verdict": verdict}
        document["cells"] = [verdicts[cell["id"]] for cell in document["plan"]["cells"] if cell["id"] in verdicts]
        self.save(document)
        return document

    def finish(self, objectives: list[dict[str, Any]], abort_reason: str | None = None) -> dict[str, Any]:
        """Close run.json: status, objectives, end. Return the outcome {ok, reasons, counts, objectives_missed}."""
        document = self.load()
        document["objectives"] = [
            result
            for cell in document["cells"]
            if cell["verdict"]["status"] == "valid"
            for result in evaluate_objectives(objectives, read_json(self.cell_directory(cell["id"]) / "cell.json"))
        ]
        planned, recorded = len(document["plan"]["cells"]), len(document["cells"])
        document.update({"status": "complete" if planned == recorded else "incomplete", "ended": time.time(), "abort_reason": abort_reason})
        self.save(document)
        lock.release(self.directory)
        return outcome_of(document)

    def _verify_plan(self, document: dict[str, Any], plan: dict[str, Any]) -> None:
        if document["plan"]["digest"] != plan["digest"]:
            found = differences(document["plan"]["settings"], plan["settings"]) or ["the cells differ"]
            raise PlanMismatchError(f"Run {self.directory.name}: was planned differently ({'; '.join(found)}). Use the same settings, or another run_id.")

    def _new(self, plan: dict[str, Any], config: dict[str, Any], fingerprint: dict[str, Any]) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "run_id": self.directory.name,
            "status": "incomplete",
            "started": time.time(),
            "ended": None,
            "abort_reason": None,
            "config": config,
            "fingerprint": fingerprint,
            "plan": plan,
            "cells": [],
            "objectives": [],
        }

    def _create_directory(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileWriteError(explain(self.directory, error)) from error

    def _is_unchanged(self, cell_id: str) -> bool:
        """Return whether cell.json can be read and every file that it lists still has its checksum."""
        directory = self.cell_directory(cell_id)
        try:
            record = read_json(directory / "cell.json")
            check(record, "cell", self.schema_dir)
            return all(file_digest(directory / name) == found for name, found in record["files"].items())
        except (OSError, ValueError):
            return False

    def _point_latest(self) -> None:
        """Point results/latest to this run; a directory of that name is not changed."""
        link = self.directory.parent / "latest"
        temporary = link.with_name(f".latest.{os.getpid()}")
        if link.is_symlink() or not link.exists():
            temporary.symlink_to(self.directory.name)
            temporary.replace(link)


def remaining_load_s(cells: list[dict[str, Any]]) -> dict[str, float]:
    """Return by cell id the seconds of load (warm-ups and windows) of the cells that come after it."""
    seconds = [cell["warmup_s"] + cell["duration_s"] for cell in cells]
    return {cell["id"]: sum(seconds[number:]) for number, cell in enumerate(cells, start=1)}


def outcome_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return {ok, reasons, counts {planned, valid, invalid, failed, missing}} of a run.json document.

    `ok` is true only if every planned cell is valid and every objective of severity error holds.
    """
    statuses = [cell["verdict"]["status"] for cell in document["cells"]]
    counts = {status: statuses.count(status) for status in ("valid", "invalid", "failed")}
    counts["planned"] = len(document["plan"]["cells"])
    counts["missing"] = counts["planned"] - len(statuses)
    reasons = [
        f"Cell {cell['id']}: {cell['verdict']['status']}: {' '.join(cell['verdict']['reasons'])}"
        for cell in document["cells"]
        if cell["verdict"]["status"] != "valid"
    ]
    if counts["missing"]:
        reasons.append(f"Run {document['run_id']}: {counts['missing']} of {counts['planned']} cells have no record. Run it again with the same run_id.")
    reasons += [
        f"Objective {result['name']}: {result['status']} in cell {result['cell']} ({result['metric']} {result['value']}, limit {result['limit']})."
        for result in document["objectives"]
        if result["status"] != "met" and result["severity"] == "error"
    ]
    if document.get("abort_reason"):
        reasons.append(f"Run {document['run_id']}: ended early: {document['abort_reason']}")
    return {"ok": not reasons, "reasons": reasons, "counts": counts}


def summarize(directory: Path | str, schema_dir: Path | str) -> dict[str, Any]:
    """Return {run_id, verdict, cells_valid, cells_planned, goodput_per_s_max, p95_ms_at_max, error_ratio_max} of a run.

    The best cell is the valid one with the highest goodput (successful requests per second) that nothing disturbed, and p95_ms_at_max is its 95th
    percentile over all outcomes; error_ratio_max is the highest share of failed requests of any valid cell. None without a valid cell. Raises
    ValueError without a record of the run.
    """
    run = Run(directory, schema_dir)
    document = run.load()
    outcome = outcome_of(document)
    cells = [read_json(run.cell_directory(cell["id"]) / "cell.json") for cell in document["cells"] if cell["verdict"]["status"] == "valid"]
    totals = [cell["total"] for cell in cells]
    undisturbed = [cell["total"] for cell in cells if not cell.get("notes", {}).get("disturbances")]
    best = max(undisturbed, key=lambda total: total["goodput_per_s"] or 0.0, default=None)
    return {
        "run_id": document["run_id"],
        "verdict": _verdict_of(document, outcome),
        "cells_valid": outcome["counts"]["valid"],
        "cells_planned": outcome["counts"]["planned"],
        "goodput_per_s_max": best["goodput_per_s"] if best else None,
        "p95_ms_at_max": best["latency_ms"]["p95"] if best else None,
        "error_ratio_max": max((total["failed"] / total["n"] for total in totals if total["n"]), default=None),
    }


def _verdict_of(document: dict[str, Any], outcome: dict[str, Any]) -> str:
    """Return one word: incomplete (cells have no record), failed (a cell has no measurement), invalid (a cell is invalid or an objective is missed), valid."""
    counts = outcome["counts"]
    if document["status"] != "complete" or counts["missing"]:
        return "incomplete"
    if counts["failed"]:
        return "failed"
    return "valid" if outcome["ok"] else "invalid"


def script_digest(directory: Path | str) -> str:
    """Return the first 12 hex digits of the SHA-256 over names and contents of all scripts below a directory."""
    root = Path(directory)
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.js")):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def package_versions(names: tuple[str, ...] = PACKAGES) -> dict[str, str | None]:
    """Return the installed versions by package, None where one is not installed."""
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def controller_fingerprint(scripts: Path | str) -> dict[str, Any]:
    """Return {script_digest, controller_python, packages}."""
    return {"script_digest": script_digest(scripts), "controller_python": platform.python_version(), "packages": package_versions()}
