# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage at random, seeded: every reader of a run notices it and says where. More of it in tests/benchmarks/record_damage.py."""

from __future__ import annotations

import json
import random
import re

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import CHECKSUM
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.directory import DirectorySink
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.publication import publish
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Scanner
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.integrity import examine
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.sources import read_sources
from fakes.record_damage import READERS, SCHEMAS, damaged, findings, mutated, named_files, write_finished_run, write_mutated

# The same code many times over: counting its lines would take as long again.
pytestmark = pytest.mark.no_cover

# Of each of two records, with and without a checksum.
INJECTIONS, MUTATIONS = 100, 20
PLACE = re.compile(r"(cell|run)\.json: (at [^:]+: |is not valid JSON)")


@pytest.fixture(name="finished", scope="module")
def fixture_finished(tmp_path_factory):
    return write_finished_run(tmp_path_factory.mktemp("results") / "run-1")


def test_an_intact_run_passes_every_reader(finished):
    assert findings(finished) == {reader: [] for reader in READERS}


def test_every_damaged_file_is_noticed_and_named(finished):
    """The report opens the records and nothing else, so it is asked about those only."""
    chance = random.Random(11)
    files = named_files(finished)
    assert len(files) == 2 + 2 + 2 * 5
    for _number in range(INJECTIONS):
        path = chance.choice(files)
        content = path.read_bytes()
        path.write_bytes(damaged(chance, content))
        readers = READERS if path.name in ("run.json", "cell.json") else READERS[:-1]
        found = findings(finished, readers)
        path.write_bytes(content)
        for reader in readers:
            assert any(str(path) in sentence for sentence in found[reader]), (reader, path, found[reader])


@pytest.mark.parametrize("name", ["cell.json", "samples.csv.gz", "k6.log"])
def test_a_deleted_file_is_noticed_and_named(finished, name):
    path = finished.cell_directory("t1-c5-r1") / name
    content = path.read_bytes()
    path.unlink()
    found = findings(finished, READERS[:-1])
    path.write_bytes(content)
    for reader, sentences in found.items():
        assert any(f"{path}: cannot be read" in sentence for sentence in sentences), (reader, sentences)


def test_records_from_before_checksums_are_read_with_a_warning(finished):
    paths = [finished.path, *(finished.cell_directory(name) / "cell.json" for name in ("t1-c5-r1", "t1-c10-r1"))]
    contents = {path: path.read_bytes() for path in paths}
    for path, content in contents.items():
        write_mutated(path, {key: value for key, value in json.loads(content).items() if key != CHECKSUM}, False)
    evidence, report = examine(finished.directory, SCHEMAS), read_sources([finished.directory], SCHEMAS)
    for path, content in contents.items():
        path.write_bytes(content)
    assert (len(evidence.records), evidence.damages) == (2, {})
    warning = "Run run-1: 3 records are from a version that wrote no checksums, so a changed number in them is not noticed."
    assert evidence.warnings == [warning]
    assert warning in report.warnings
    assert examine(finished.directory, SCHEMAS).warnings == []


@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "without checksum"])
@pytest.mark.parametrize("name", ["run.json", "cell.json"])
def test_a_record_of_another_structure_is_one_sentence_with_file_and_field(finished, name, is_sealed):
    chance = random.Random(name)
    path = finished.path if name == "run.json" else finished.cell_directory("t1-c10-r1") / name
    content = path.read_bytes()
    named = 0
    for _number in range(MUTATIONS):
        place, document = mutated(chance, json.loads(content))
        write_mutated(path, document, is_sealed)
        found = findings(finished)
        path.write_bytes(content)
        for reader, sentences in found.items():
            named += any(PLACE.search(sentence) for sentence in sentences)
            assert all("\n" not in sentence for sentence in sentences), (reader, place, sentences)
    assert named > MUTATIONS


def test_damage_replaces_no_intact_copy_in_a_sink(finished, tmp_path):
    sink = DirectorySink("shelf", str(tmp_path / "shelf"), create=True)
    assert publish(finished.directory, [sink], Scanner(), SCHEMAS)["problems"] == []
    path = finished.cell_directory("t1-c5-r1") / "samples.csv.gz"
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    found = publish(finished.directory, [sink], Scanner(), SCHEMAS)
    path.write_bytes(content)
    assert [entry["status"] for entry in found["sinks"]] == ["ok"]
    assert found["problems"][0].startswith(f"Cell t1-c5-r1: damaged. File {path}: changed since it was recorded")
    assert (tmp_path / "shelf/run-1/cells/t1-c5-r1/samples.csv.gz").read_bytes() == content
    assert "cells/t1-c5-r1/samples.csv.gz" in json.loads((tmp_path / "shelf/run-1/manifest.json").read_text())["files"]
