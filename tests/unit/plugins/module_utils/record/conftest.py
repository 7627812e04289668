# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of a run of the smoke matrix, its cells and their records."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest, write_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.plan import expand
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import history, measured_record, spec_of, write_measured
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import write_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import Run
from fakes.record_parts import record_parts

ROOT = Path(__file__).resolve().parents[5]
SCHEMAS = ROOT / "files" / "schemas"


@pytest.fixture(name="parts")
def fixture_parts():
    return record_parts()


@pytest.fixture(name="rules")
def fixture_rules():
    return yaml.safe_load((ROOT / "files" / "validity" / "default.yml").read_text(encoding="utf-8"))["rules"]


@pytest.fixture(name="plan")
def fixture_plan():
    return expand(yaml.safe_load((ROOT / "files" / "matrices" / "smoke.yml").read_text(encoding="utf-8")))


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    return Run(tmp_path / "run-1", SCHEMAS)


@pytest.fixture(name="attempt")
def fixture_attempt():
    """Create the directory of an attempt with a file of samples in it."""

    def create(run, cell, n=1, text="samples"):
        directory = run.cell_directory(cell["id"]) / "attempts" / str(n)
        directory.mkdir(parents=True)
        (directory / "samples.csv.gz").write_text(text, encoding="utf-8")
        return {"n": n, "started": 990.0}

    return create


@pytest.fixture(name="measure")
def fixture_measure(run, plan, parts, rules, attempt):
    """Record the cell at an index as measured."""

    def measure(index, n=1, objectives=None, **changed):
        cell = plan["cells"][index]
        return write_measured(run, cell, {"db_backend": "sqlite"}, {**parts, **changed}, attempt(run, cell, n, f"samples {n}"), rules, objectives)

    return measure


@pytest.fixture(name="recorded")
def fixture_recorded(tmp_path, parts):
    """Write a run with some cells, each (status, numbers of the total), of which `planned` were planned."""

    def write(*cells, planned=None, status="complete", objectives=()):
        plan = expand(yaml.safe_load((SCHEMAS.parent / "matrices" / "smoke.yml").read_text(encoding="utf-8")))
        entries = [{**plan["cells"][0], "id": f"t1-c{number}-r1"} for number in range(planned if planned is not None else len(cells))]
        run = Run(tmp_path / "recorded" / "run-1", SCHEMAS)
        document = run._new({**plan, "cells": entries}, {}, {})
        document.update({"status": status, "objectives": list(objectives)})
        for planned_cell, (state, numbers) in zip(entries, cells, strict=False):
            verdict = {"status": state, "reasons": [] if state == "valid" else ["why"], "warnings": []}
            document["cells"].append({"id": planned_cell["id"], "verdict": verdict})
            path = run.cell_directory(planned_cell["id"]) / "cell.json"
            record = {"id": planned_cell["id"], "spec": spec_of(planned_cell, {}), "window": None}
            if state != "failed":
                total = {**parts["result"]["total"], **numbers}
                write_text(path.with_name("samples.csv.gz"), "samples")
                record = measured_record(planned_cell, {}, {**parts, "result": {**parts["result"], "total": total}})
                record["files"] = {"samples.csv.gz": file_digest(path.with_name("samples.csv.gz"))}
            write_record(path, {**record, "attempts": history(path.parent, {"n": 1}, verdict), "verdict": verdict}, "cell", SCHEMAS)
        run.save(document)
        return run.directory

    return write
