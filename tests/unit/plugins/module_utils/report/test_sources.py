# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.inputs import ReportError
from fakes.legacy_folder import write_legacy_folder
from fakes.report_sources import read_sources
from fakes.run_factory import edit_record, write_run


def statuses(inputs):
    return {cell.record["id"]: cell.record["verdict"]["status"] for cell in inputs.cells}


def test_reads_one_run(tmp_path):
    inputs = read_sources([write_run(tmp_path / "run-1")])
    assert statuses(inputs) == dict.fromkeys(["t1-c5-r1", "t1-c10-r1", "t10-c5-r1", "t10-c10-r1"], "valid")
    assert [run.run_id for run in inputs.runs] == ["run-1"]
    assert inputs.warnings == []


def test_reads_a_directory_of_runs_once_each_and_leaves_earlier_reports_alone(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", concurrency=(5,))
    write_legacy_folder(tmp_path / "old")
    (tmp_path / "latest").symlink_to("b")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "verdict.json").write_text("{}")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "notes").mkdir()
    inputs = read_sources([tmp_path, tmp_path / "a"])
    assert [run.run_id for run in inputs.runs] == ["a", "b", "old"]
    assert len(inputs.cells) == 4 + 2 + 4
    assert [text for text in inputs.warnings if "neither a run" in text] == [
        f"Folder {tmp_path / 'notes'}: neither a run nor results of the legacy suite. It is left out."
    ]


def test_equal_names_are_numbered(tmp_path):
    inputs = read_sources([write_run(tmp_path / "x" / "same"), write_run(tmp_path / "y" / "same")])
    assert [run.run_id for run in inputs.runs] == ["same", "same (2)"]


def test_a_planned_cell_without_record_is_missing(tmp_path):
    inputs = read_sources([write_run(tmp_path / "run", verdicts={"t10-c5-r1": "missing"})])
    assert statuses(inputs)["t10-c5-r1"] == "missing"
    assert inputs.cells[2].record["spec"]["factors"]["db_backend"] == "sqlite"


def edited(**changes):
    return lambda path: edit_record(path, **changes)


BROKEN_CELLS = [
    pytest.param(lambda path: path.write_text(path.read_text()[:99]), "is not valid JSON", id="truncated"),
    pytest.param(lambda path: path.write_text(path.read_text().replace('"n": ', '"n": 1', 1)), "at checksum: does not match", id="a number changed"),
    pytest.param(lambda path: path.write_text(path.read_text().rstrip()), "at checksum: does not match", id="only the last line end lost"),
    pytest.param(lambda path: path.write_text(path.read_text().replace('"checksum"', '"checksun"')), "'checksum' is a required property", id="unsealed"),
    pytest.param(lambda path: path.write_text("[1]"), "[1] is not of type 'object'", id="not-a-record"),
    pytest.param(edited(schema_version=9), "at schema_version: is 9", id="newer"),
    pytest.param(edited(spec={}), "at spec: 'tenants' is a required property", id="no axes"),
    pytest.param(edited(spec=None), "at spec: None is not of type 'object'", id="no spec"),
    pytest.param(edited(operations=[1]), "at operations: [1] is not of type 'object'", id="operations no mapping"),
    pytest.param(edited(verdict={"status": "splendid"}), "at verdict", id="unknown verdict"),
    pytest.param(edited(id="t9-c9-r9"), "is the record of cell t9-c9-r9", id="moved"),
]


@pytest.mark.parametrize(("damage", "sentence"), BROKEN_CELLS)
def test_a_broken_cell_is_named_and_the_rest_is_read(tmp_path, damage, sentence):
    run = write_run(tmp_path / "run")
    path = run / "cells" / "t1-c5-r1" / "cell.json"
    damage(path)
    inputs = read_sources([run])
    assert len(inputs.warnings) == 1
    assert str(path) in inputs.warnings[0]
    assert sentence in inputs.warnings[0]
    assert statuses(inputs) == {"t1-c5-r1": "failed", "t1-c10-r1": "valid", "t10-c5-r1": "valid", "t10-c10-r1": "valid"}


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 1, "run_id": "x", "cells": [], "plan": {"cells": [1]}}'])
def test_a_broken_run_json_leaves_the_cells(tmp_path, text):
    run = write_run(tmp_path / "run")
    (run / "run.json").write_text(text)
    inputs = read_sources([run])
    assert len(inputs.cells) == 4
    assert "run.json" in inputs.warnings[0]
    assert inputs.runs[0].document["status"] == "incomplete"


def test_other_files_and_unfinished_cells_are_named(tmp_path):
    run = write_run(tmp_path / "run")
    (run / "cells" / "notes.txt").write_text("x")
    (run / "cells" / "t5-c5-r1").mkdir()
    warnings = read_sources([run]).warnings
    assert [": not a cell." in text or "no cell.json" in text for text in warnings] == [True, True]


def test_nothing_usable_is_one_sentence(tmp_path):
    (tmp_path / "run" / "cells").mkdir(parents=True)
    with pytest.raises(ReportError, match=r"nothing usable\..*: not a directory.*: no cells") as caught:
        read_sources([tmp_path / "absent", tmp_path / "run"])
    assert "\n" not in str(caught.value)


def test_records_without_checksum_are_read_with_one_warning(tmp_path):
    run = write_run(tmp_path / "run")
    for path in [run / "run.json", *run.glob("cells/*/cell.json")]:
        document = {key: value for key, value in json.loads(path.read_text()).items() if key != "checksum"}
        path.write_text(json.dumps({**document, "schema_version": 1}))
    inputs = read_sources([run])
    assert set(statuses(inputs).values()) == {"valid"}
    assert [text.split(": ")[1][:9] for text in inputs.warnings] == ["5 records"]
