# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sides of a comparison: runs found by directory, by id or as `latest`, and those of their cells that can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import printable, printable_parts
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.latest import NAME as LATEST
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.latest import run_id_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportInputs
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.legacy.folder import is_legacy_folder
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.sources import is_run_folder, read_run_folder

RESTORED = "restored"


class ComparisonError(ValueError):
    """Runs that cannot be compared; the text is one sentence with cause and remedy."""


@dataclass(frozen=True)
class Run:
    """A run with its run.json and the records of its valid cells, in which nothing disturbed the measurement."""

    run_id: str
    path: Path
    document: dict[str, Any]
    records: list[dict[str, Any]]

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What was measured; empty where it is not known."""
        found: dict[str, Any] = self.document.get("fingerprint") or {}
        return found

    @property
    def started(self) -> float:
        """The start in epoch seconds, 0 where it is not known."""
        return float(self.document.get("started") or 0.0)

    @property
    def is_good(self) -> bool:
        """Whether the run is complete, all of its planned cells are valid, and no objective of severity error is missed or unknown."""
        planned, cells = self.document["plan"]["cells"], self.document["cells"]
        return (
            self.document["status"] == "complete" and len(cells) == len(planned)
            and all(cell["verdict"]["status"] == "valid" for cell in cells)
            and all(row["status"] == "met" for row in self.document["objectives"] if row["severity"] == "error")
        )  # fmt: skip


@dataclass
class Side:
    """The runs of one side, and a sentence for each run or cell that is left out."""

    name: str
    runs: list[Run] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def cells(self) -> list[tuple[Run, dict[str, Any]]]:
        """Every comparable cell with its run."""
        return [(run, record) for run in self.runs for record in run.records]


def run_directory(wanted: str, results: Path | str) -> Path:
    """Return the directory of a run that is given as a directory, as its id, or as `latest`, whether or not it exists.

    The records of a run that is not below `results` may have been restored from a sink into RESTORED there.
    """
    path = Path(wanted).expanduser()
    if wanted == LATEST:
        return Path(results) / (run_id_of(Path(results)) or LATEST)
    if path.is_dir() or path.is_absolute() or "/" in wanted:
        return path
    here, restored = Path(results) / wanted, Path(results) / RESTORED / wanted
    return restored if restored.is_dir() and not here.is_dir() else here


def read_side(name: str, wanted: Sequence[str], results: Path | str, schema_dir: Path | str) -> Side:
    """Return a side from its runs; a broken run or cell is left out with a sentence. Raises ComparisonError when no valid cell remains."""
    if not wanted:
        raise ComparisonError(f"Side {name}: no run is given. Set comparison_{name} to a run directory, a run id, latest, or a list of them.")
    side = Side(name)
    for text in dict.fromkeys(wanted):
        directory = run_directory(text, results)
        if not is_run_folder(directory):
            raise ComparisonError(_no_run(name, text, directory))
        run, left_out = read_run(directory, schema_dir)
        side.left_out += left_out
        if run is not None:
            side.runs.append(run)
    if not side.cells:
        why = f" {side.left_out[0]}" if side.left_out else ""
        raise ComparisonError(f"Side {name}: no valid cell in {', '.join(map(str, wanted))}.{why} Give a run that has valid cells.")
    return side


def _no_run(name: str, text: str, directory: Path) -> str:
    if is_legacy_folder(directory):
        return f"Side {name}: {text} has results of the legacy suite, which have other units and no fingerprint. Give runs of this collection."
    return f"Side {name}: run {text} is not there ({directory}). Correct comparison_{name} or results_dir, or set publish_sinks to those that have the run."


def read_run(directory: Path, schema_dir: Path | str) -> tuple[Run | None, list[str]]:
    """Return a run, or None where its run.json cannot be read, and a sentence for each part that is left out."""
    inputs = ReportInputs()
    read_run_folder(directory, inputs, schema_dir)
    warnings = [printable(warning) for warning in inputs.warnings]
    if not inputs.runs or "plan" not in inputs.runs[0].document or not inputs.runs[0].document["plan"]:
        return None, warnings or [f"Run {directory}: has no run.json that can be read. It is left out."]
    document = printable_parts(inputs.runs[0].document)
    run_id = document["run_id"]
    records = [printable_parts(cell.record) for cell in inputs.cells]
    usable = [record for record in records if _why_not(record) is None]
    left_out = [f"Cell {record['id']} of run {run_id}: {_why_not(record)}. It is left out." for record in records if _why_not(record)]
    return Run(run_id, directory, document, usable), [*warnings, *left_out]


def _why_not(record: Mapping[str, Any]) -> str | None:
    status = record["verdict"]["status"]
    if status != "valid":
        return "not measured" if status == "missing" else str(status)
    return "disturbed" if (record.get("notes") or {}).get("disturbances") else None


def assert_apart(baseline: Side, candidate: Side) -> None:
    """Raise ComparisonError if a run is on both sides: a comparison with itself."""
    both = sorted({run.run_id for run in baseline.runs} & {run.run_id for run in candidate.runs})
    if both:
        raise ComparisonError(f"Comparison: run {both[0]} is on both sides, so it would be compared with itself. Give another run for one of them.")
