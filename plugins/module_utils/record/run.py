# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run.json: the record of a run, its plan, the verdicts of its cells, and the controller's part of its fingerprint."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import lock
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, explain
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.schema import check
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import differences, search_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.record import latest
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import Evidence, examine, read_cell, read_record, write_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.points import write_points
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.verdict import evaluate_objectives, objective_sentence

# The packages that affect a figure or a file; the rest of the environment follows from requirements.txt.
PACKAGES = ("ansible-core", "jinja2", "jsonschema", "k6", "kubernetes", "matplotlib", "numpy", "pandas", "psutil", "scipy", "urllib3")


# Hidden, so it is never published.
LOCK_NAME = ".lock"


class RunLockedError(Exception):
    """Another ansible-playbook works on the run; the text is a sentence."""


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
        return read_record(self.path, "run", self.schema_dir)

    def save(self, document: dict[str, Any]) -> None:
        write_record(self.path, document, "run", self.schema_dir)

    def examine(self) -> Evidence:
        """Open every record and file of the run (see `integrity.examine`)."""
        return examine(self.directory, self.schema_dir)

    def compare(self, plan: dict[str, Any]) -> None:
        """Raise PlanMismatchError when there is such a run and it was planned differently; write nothing."""
        check(plan, "plan", self.schema_dir)
        if self.path.exists():
            self._verify_plan(self.load(), plan)

    def begin(self, plan: dict[str, Any], config: dict[str, Any], fingerprint: dict[str, Any]) -> dict[str, Any]:
        """Create run.json, or resume the existing one.

        Returns {resumed, todo: ids to run, done: ids that stay, remaining_s: load after each cell to run, by its id, warnings}. A cell stays when its
        record is intact and valid and its files are unchanged, whether or not the interrupted run came to list it.
        Raises PlanMismatchError when the same run_id was planned differently, RunLockedError when another process works on it, and ValueError
        when run.json or target.json is damaged.
        """
        check(plan, "plan", self.schema_dir)
        self._create_directory()
        is_new = self._acquire_lock()
        try:
            return self._begin(plan, config, fingerprint)
        except Exception:
            # A rejected run is as free as before.
            if is_new:
                self.release_lock()
            raise

    def _acquire_lock(self) -> bool:
        try:
            return lock.acquire(self.directory / LOCK_NAME, self.directory.name)
        except lock.LockedError as error:
            raise RunLockedError(f"Run {self.directory.name}: {error} is working on it. Wait for it to end, or start a run with another run_id.") from error

    def release_lock(self) -> None:
        """Release the lock of the run, unless another ansible-playbook holds it."""
        with suppress(lock.LockedError):
            lock.release(self.directory / LOCK_NAME)

    def _begin(self, plan: dict[str, Any], config: dict[str, Any], fingerprint: dict[str, Any]) -> dict[str, Any]:
        resumed = self.path.exists()
        document = self.load() if resumed else self._new(plan, config, fingerprint)
        self._verify_plan(document, plan)
        target = self.directory / "target.json"
        if target.exists():
            read_record(target, "target", self.schema_dir)
        verdicts, warnings = self._finished(document) if resumed else ({}, [])
        # The plan of a search has grown since it began.
        cells = document["plan"]["cells"]
        document["cells"] = [{"id": cell["id"], "verdict": verdicts[cell["id"]]} for cell in cells if cell["id"] in verdicts]
        document["objectives"] = [result for result in document["objectives"] if result["cell"] in verdicts]
        document.update({"status": "incomplete", "fingerprint": fingerprint, "ended": None, "abort_reason": None})
        document.pop("search", None)
        self.save(document)
        unnamed = latest.point(self.directory.parent, self.directory.name)
        left = [cell for cell in cells if cell["id"] not in verdicts]
        return {
            "resumed": resumed,
            "todo": [cell["id"] for cell in left],
            "done": list(verdicts),
            "remaining_s": remaining_load_s(left),
            "warnings": [*warnings, *([unnamed] if unnamed else [])],
        }

    def _finished(self, document: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], list[str]]:
        """Return the verdicts of the cells that stay, by id, and a sentence for each damaged one."""
        verdicts, warnings = {}, []
        # A probe that says nothing about the server is repeated by the search itself.
        kept = ("valid", "invalid") if search_of(document["plan"]) else ("valid",)
        listed = {cell["id"] for cell in document["cells"]}
        for planned in document["plan"]["cells"]:
            directory = self.cell_directory(planned["id"])
            if planned["id"] not in listed and not (directory / "cell.json").exists():
                continue
            try:
                verdict = read_cell(directory, planned, self.schema_dir)["verdict"]
            except ValueError as error:
                warnings.append(f"Cell {planned['id']}: damaged, and measured again. {error}")
                continue
            if verdict["status"] in kept:
                verdicts[planned["id"]] = verdict
        return verdicts, warnings

    def append_cell(self, cell: dict[str, Any]) -> None:
        """Append a cell to the plan, the next probe of a search; its digest, which has the parameters of the search, stays."""
        document = self.load()
        document["plan"]["cells"].append(cell)
        self.save(document)

    def end_search(self, is_answered: bool, sentence: str) -> None:
        """Write how the search ended, which decides the outcome of its run."""
        document = self.load()
        document["search"] = {"answered": is_answered, "sentence": sentence}
        self.save(document)

    def add_cell(self, cell_id: str, verdict: dict[str, Any], results: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
        """Set the verdict of a cell in run.json, in the order of the plan, and the results of its objectives, and return the document.

        So a report knows them while the run goes on; its end evaluates all of them again.
        """
        document = self.load()
        document["objectives"] = [*(result for result in document["objectives"] if result["cell"] != cell_id), *results]
        verdicts = {cell["id"]: cell for cell in document["cells"]}
        verdicts[cell_id] = {"id": cell_id, "verdict": verdict}
        document["cells"] = [verdicts[cell["id"]] for cell in document["plan"]["cells"] if cell["id"] in verdicts]
        self.save(document)
        return document

    def finish(self, objectives: list[dict[str, Any]], abort_reason: str | None = None) -> dict[str, Any]:
        """Close run.json: status, objectives, end; pool the repeats in points.json. Return the outcome (see `outcome_of`)."""
        evidence = self.examine()
        document = evidence.document
        document["objectives"] = [
            result
            for record in evidence.records.values()
            if record["verdict"]["status"] == "valid"
            for result in evaluate_objectives(objectives, record)
        ]
        planned, recorded = len(document["plan"]["cells"]), len(document["cells"])
        document.update({"status": "complete" if planned == recorded else "incomplete", "ended": time.time(), "abort_reason": abort_reason})
        self.save(document)
        write_points(self.directory, evidence.records, self.schema_dir)
        self.release_lock()
        return outcome_of(evidence)

    def _verify_plan(self, document: dict[str, Any], plan: dict[str, Any]) -> None:
        if document["plan"]["digest"] != plan["digest"]:
            found = differences(document["plan"]["settings"], plan["settings"]) or ["the cells differ"]
            raise PlanMismatchError(f"Run {self.directory.name}: was planned differently ({'; '.join(found)}). Use the same settings, or another run_id.")

    def _new(self, plan: dict[str, Any], config: dict[str, Any], fingerprint: dict[str, Any]) -> dict[str, Any]:
        return {
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


def remaining_load_s(cells: list[dict[str, Any]]) -> dict[str, float]:
    """Return by cell id the seconds of load (warm-ups and windows) of the cells that come after it."""
    seconds = [cell["warmup_s"] + cell["duration_s"] for cell in cells]
    return {cell["id"]: sum(seconds[number:]) for number, cell in enumerate(cells, start=1)}


def outcome_of(evidence: Evidence) -> dict[str, Any]:
    """Return {ok, intact, reasons, answer, counts {planned, valid, invalid, failed, missing, damaged}, warnings} of a run.

    `ok` is true only if the record and all files of every planned cell are there and unchanged, every cell is valid and every objective of
    severity error holds; that of a search only if the search has an answer, which is `answer`. `intact` if nothing of what was recorded is damaged.
    """
    document, damages = evidence.document, evidence.damages
    cells = [cell for cell in document["cells"] if cell["id"] not in damages]
    statuses = [cell["verdict"]["status"] for cell in cells]
    counts = {status: statuses.count(status) for status in ("valid", "invalid", "failed")}
    counts["planned"] = len(document["plan"]["cells"])
    counts["missing"] = counts["planned"] - len(document["cells"])
    counts["damaged"] = len(document["cells"]) - len(cells)
    search = document.get("search")
    reasons = _search_reasons(search) if search_of(document["plan"]) else _matrix_reasons(cells, document["objectives"])
    reasons += gaps_of(evidence)
    if document.get("abort_reason"):
        reasons.append(f"Run {document['run_id']}: ended early: {document['abort_reason']}")
    answer = search["sentence"] if search else ""
    return {"ok": not reasons, "intact": not damages, "reasons": reasons, "answer": answer, "counts": counts, "warnings": evidence.warnings}


def _matrix_reasons(cells: list[dict[str, Any]], objectives: list[dict[str, Any]]) -> list[str]:
    invalid = [
        f"Cell {cell['id']}: {cell['verdict']['status']}: {' '.join(cell['verdict']['reasons'])}" for cell in cells if cell["verdict"]["status"] != "valid"
    ]
    return invalid + [
        objective_sentence(result, str(result["value"]))
        for result in objectives
        if result["status"] != "met" and result["severity"] == "error"
    ]


def _search_reasons(search: dict[str, Any] | None) -> list[str]:
    """Return why a search has no answer. Probes beyond the limit miss the objectives on purpose."""
    if search is None:
        return ["Search: has not ended. Run it again with the same run_id."]
    return [] if search["answered"] else [f"Search: has no answer. {search['sentence']}"]


def gaps_of(evidence: Evidence) -> list[str]:
    """Return one sentence for everything that is damaged, and one for the cells without a record."""
    planned, recorded = len(evidence.document["plan"]["cells"]), len(evidence.document["cells"])
    missing = f"Run {evidence.document['run_id']}: {planned - recorded} of {planned} cells have no record. Run it again with the same run_id."
    return [*evidence.damages.values(), *([missing] if recorded < planned else [])]


def summarize(directory: Path | str, schema_dir: Path | str) -> dict[str, Any]:
    """Return {run_id, verdict, cells_valid, cells_planned, goodput_per_s_max, p95_ms_at_max, error_ratio_max, gaps, warnings} of a run.

    The best cell is the valid one with the highest goodput (successful requests per second) that nothing disturbed, and p95_ms_at_max is its 95th
    percentile over all outcomes; error_ratio_max is the highest share of failed requests of any valid cell. None without a valid cell. `gaps` has
    a sentence for what is missing or damaged. Raises ValueError without a record of the run.
    """
    evidence = Run(directory, schema_dir).examine()
    outcome = outcome_of(evidence)
    valid = [record for record in evidence.records.values() if record["verdict"]["status"] == "valid"]
    totals = [record["total"] for record in valid]
    undisturbed = [record["total"] for record in valid if not record.get("notes", {}).get("disturbances")]
    best = max(undisturbed, key=lambda total: total["goodput_per_s"] or 0.0, default=None)
    return {
        "run_id": evidence.document["run_id"],
        "verdict": _verdict_of(evidence, outcome),
        "cells_valid": outcome["counts"]["valid"],
        "cells_planned": outcome["counts"]["planned"],
        "goodput_per_s_max": best["goodput_per_s"] if best else None,
        "p95_ms_at_max": best["latency_ms"]["p95"] if best else None,
        "error_ratio_max": max((total["failed"] / total["n"] for total in totals if total["n"]), default=None),
        "gaps": gaps_of(evidence),
        "warnings": evidence.warnings,
    }


def _verdict_of(evidence: Evidence, outcome: dict[str, Any]) -> str:
    """Return one word: incomplete (cells have no record, or it is damaged), failed (a cell has no measurement), invalid (a cell or an objective), valid."""
    counts = outcome["counts"]
    is_search = search_of(evidence.document["plan"]) is not None
    if evidence.document["status"] != "complete" or counts["missing"] or evidence.damages:
        return "incomplete"
    if counts["failed"] and not (is_search and outcome["ok"]):
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
