# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A finished run, damage to its files at random, and what each reader of a run says about it."""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import CHECKSUM, read_json, write_json, write_sealed
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.publication import publish
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Scanner
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import write_measured
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import write_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import PlanMismatchError, Run, summarize
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.answer import answer_text, answers, point_states
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportError, ReportInputs
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.markdown import summary_markdown
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.page import page_html
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.sources import read_sources
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.tables import all_tables, csv_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.verdict import overall_verdict
from fakes.record_parts import record_parts

FILES = Path(__file__).resolve().parents[2] / "files"
SCHEMAS = FILES / "schemas"
OBJECTIVES = [{"name": "requests succeed", "select": "total", "metric": "error_ratio", "max": 0.01, "severity": "error"}]
# What the modules turn into a failure with one sentence.
SENTENCES = (ValueError, PlanMismatchError, ReportError)
READERS = ("resume", "verdict", "publish", "report")


def two_cells() -> dict[str, Any]:
    """Return the plan of the smoke matrix with one tenant, two cells."""
    return expand(yaml.safe_load((FILES / "matrices" / "smoke.yml").read_text(encoding="utf-8")), {"tenants": [1]})


def write_attempt(run: Run, cell_id: str, n: int = 1) -> dict[str, Any]:
    """Write the files that a load and the stages after it leave of one attempt, and return the attempt."""
    directory = run.cell_directory(cell_id) / "attempts" / str(n)
    directory.mkdir(parents=True)
    rows = "".join(f"{1000 + number},get_run,browsing,tenant-1,200,,{number}.00,1.00,window,0\n" for number in range(200))
    (directory / "samples.csv.gz").write_bytes(gzip.compress(f"start_ms,operation\n{rows}".encode(), mtime=0))
    (directory / "tenants.csv").write_text(f"tenant,n,ok\ntenant-1,200,200\n{cell_id}\n", encoding="utf-8")
    (directory / "series.csv").write_text("timestamp,metric,component,instance,value\n1000,cpu,mlflow,,0.5\n", encoding="utf-8")
    (directory / "k6.log").write_text("all is well\n", encoding="utf-8")
    write_json(directory / "load_config.json", {"cell_id": cell_id})
    return {"n": n, "started": 990.0}


def write_finished_run(directory: Path) -> Run:
    """Record and close a run of two valid cells with invented numbers."""
    run, plan = Run(directory, SCHEMAS), two_cells()
    run.begin(plan, {"preset": "smoke"}, {"kernel": "6.1"})
    write_record(directory / "target.json", {"generator": {"kind": "process"}, "factors": {"db_backend": "sqlite"}}, "target", SCHEMAS)
    rules = yaml.safe_load((FILES / "validity" / "default.yml").read_text(encoding="utf-8"))["rules"]
    for cell in plan["cells"]:
        write_measured(run, cell, {"db_backend": "sqlite"}, record_parts(), write_attempt(run, cell["id"]), rules)
    if not run.finish(OBJECTIVES)["ok"]:
        raise AssertionError("the run to be damaged is not valid")
    return run


def named_files(run: Run) -> list[Path]:
    """Return the records of a run and every file that they name."""
    cells = [run.cell_directory(cell["id"]) for cell in run.load()["cells"]]
    named = [directory / name for directory in cells for name in read_json(directory / "cell.json")["files"]]
    return [run.path, run.directory / "target.json", *(directory / "cell.json" for directory in cells), *named]


def damaged(chance: random.Random, content: bytes) -> bytes:
    """Return the content cut at a random place, or with one random byte changed."""
    at = chance.randrange(len(content))
    if chance.random() < 0.3:
        return content[:at]
    return content[:at] + bytes([content[at] ^ chance.randrange(1, 256)]) + content[at + 1 :]


def findings(run: Run, readers: tuple[str, ...] = READERS) -> dict[str, list[str]]:
    """Return by reader what it says of a run as it is now; run.json is as before afterwards."""
    calls = {"resume": _resume, "verdict": _verdict, "publish": _publish, "report": _report}
    found = {}
    for reader in readers:
        before = run.path.read_bytes()
        try:
            found[reader] = calls[reader](run)
        except SENTENCES as error:
            found[reader] = [str(error)]
        run.path.write_bytes(before)
    return found


def _resume(run: Run) -> list[str]:
    try:
        begun = run.begin(two_cells(), {}, {})
    finally:
        run.release_lock()
    if bool(begun["todo"]) != bool(begun["warnings"]):
        raise AssertionError(f"cells to run and no word about it, or the other way round: {begun}")
    return list(begun["warnings"])


def _verdict(run: Run) -> list[str]:
    summary = summarize(run.directory, SCHEMAS)
    outcome = run.finish(OBJECTIVES)
    if outcome["ok"] != (summary["verdict"] == "valid"):
        raise AssertionError(f"outcome and summary differ: {outcome} {summary}")
    return list(outcome["reasons"])


def _publish(run: Run) -> list[str]:
    return list(publish(run.directory, [], Scanner(), SCHEMAS)["problems"])


def _report(run: Run) -> list[str]:
    inputs = read_sources([run.directory], SCHEMAS)
    found = [warning for warning in inputs.warnings if "wrote no checksums" not in warning]
    # What is named is left out of the rest; what is believed has to go through all of it.
    if not found:
        write_texts(inputs)
    return found


def write_texts(inputs: ReportInputs, with_page: bool = False) -> None:
    """Write the tables, the summary and the verdict of a report, and its page without pictures, to nowhere."""
    model = build_model(inputs)
    verdict, answer = overall_verdict(model), answer_text(model, answers(model, point_states(model)))
    texts = [json.dumps(verdict.document(), allow_nan=False), *map(csv_text, all_tables(model).values()), summary_markdown(model, verdict, answer, [])]
    if with_page:
        texts.append(page_html(model, verdict, [], FILES / "report", FILES))
    for text in texts:
        text.encode()


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a document."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        yield (*path, key)
        yield from _places(value, (*path, key))


VALUES: tuple[Callable[[random.Random], Any], ...] = (
    lambda chance: None,
    lambda chance: "text",
    lambda chance: "",
    lambda chance: "\x1b[31m\n<b>|" * chance.randrange(1, 4),
    lambda chance: [],
    lambda chance: [1, "two", None],
    lambda chance: [[], {}],
    lambda chance: {},
    lambda chance: {"a": {"b": []}},
    lambda chance: True,
    lambda chance: -1,
    lambda chance: -1.5e9,
    lambda chance: 0,
    lambda chance: 2.5,
    lambda chance: 1e308,
    lambda chance: 10**30,
    lambda chance: 10**400,
)


def mutated(chance: random.Random, document: dict[str, Any]) -> tuple[str, Any]:
    """Return the document with one value deleted or replaced, and its place."""
    found = copy.deepcopy({key: value for key, value in document.items() if key != CHECKSUM})
    *parents, last = chance.choice(list(_places(found)))
    node: Any = found
    for key in parents:
        node = node[key]
    if chance.random() < 0.2:
        del node[last]
    elif isinstance(node, dict) and chance.random() < 0.05:
        node[f"{last}x"] = node.pop(last)
    else:
        node[last] = chance.choice(VALUES)(chance)
    return "/".join(map(str, [*parents, last])), found


def write_mutated(path: Path, document: Any, is_sealed: bool) -> None:
    """Write a mutated record: with the checksum of what it is now, or as a record of the version that wrote none."""
    if is_sealed:
        write_sealed(path, document)
    else:
        path.write_text(json.dumps({**document, "schema_version": 1} if document.get("schema_version") == 2 else document), encoding="utf-8")
