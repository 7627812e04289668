# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A search in the directory of its run: the records of its probes in, the next cell of its plan and capacity.json out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.answer import answer_of, console_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.probe import load_of, probe_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.search import INVALID, Probe, decide, judge
from ansible_collections.perfscale.mlflow.plugins.module_utils.capacity.settings import settings_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import probe_cell, search_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import examine, write_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import Run

CAPACITY_NAME = "capacity.json"


def take_step(directory: Path | str, schema_dir: Path | str, write: bool = True) -> dict[str, Any]:
    """Decide about the next probe of a run and return {ended, cell, remaining_s, message, status}.

    The next cell is appended to the plan unless the latest one has no record yet; capacity.json has what is known, and at the end the answer is in
    run.json too. Without `write` nothing is written. Raises ValueError for a run that is no search or whose records are damaged, and FileWriteError.
    """
    run = Run(directory, schema_dir)
    # Files of samples stay unopened: resume and verdict open them.
    evidence = examine(run.directory, schema_dir, digest=None)
    document, plan = evidence.document, evidence.document["plan"]
    search = search_of(plan)
    if search is None:
        raise ValueError(f"Run {document['run_id']}: its plan has no search. Use playbooks/capacity.yml, or another run_id.")
    if evidence.damages:
        raise ValueError(" ".join(evidence.damages.values()))
    probes = [probe for cell in plan["cells"] if (probe := _probe(cell, evidence.records, search))]
    unfinished = [cell for cell in plan["cells"] if cell["id"] not in evidence.records]
    settings, judged = settings_of(search), judge(probes)
    decision = decide(settings, probes)
    answer = {"run_id": document["run_id"], **answer_of(search, decision, probes, judged, evidence.records)}
    each = plan["settings"]["warmup_s"] + plan["settings"]["duration_s"]
    step = {
        "ended": decision.has_ended and not unfinished,
        "cell": {},
        "remaining_s": max(0, settings.probes_max - len(probes) - 1) * each,
        "message": answer["sentence"],
        "status": answer["status"],
    }
    if not step["ended"]:
        step["cell"] = unfinished[0] if unfinished else probe_cell(plan, decision.load or settings.start)
        step["message"] = console_line(search, decision, judged, len(probes) + 1)
    if write:
        write_record(run.directory / CAPACITY_NAME, answer, "capacity", schema_dir)
        if step["ended"]:
            run.end_search(decision.status == "answered", answer["sentence"])
        elif not unfinished:
            run.append_cell(step["cell"])
    return step


def _probe(cell: dict[str, Any], records: dict[str, dict[str, Any]], search: dict[str, Any]) -> Probe | None:
    record = records.get(cell["id"])
    if record is None:
        return None
    if record["verdict"]["status"] == "failed":
        return Probe(record["id"], load_of(record, search["axis"]), INVALID, " ".join(record["verdict"]["reasons"]))
    return probe_of(record, search["axis"], search["objectives"])
