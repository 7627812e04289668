# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ansible_collections.perfscale.mlflow.plugins.module_utils.report.model import build_model
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.openmetrics import openmetrics_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.report.verdict import overall_verdict
from fakes.legacy_folder import write_legacy_folder
from fakes.report_sources import read_sources
from fakes.run_factory import block_without_requests, edit_record, write_bare_run, write_run


def text_of(*directories):
    model = build_model(read_sources(directories))
    return openmetrics_text(model, overall_verdict(model))


def samples(*directories):
    """Return the values by name and labels, read by the strict parser of prometheus_client."""
    found = [sample for family in text_string_to_metric_families(text_of(*directories)) for sample in family.samples]
    return {(sample.name, *sorted(sample.labels.items())): sample.value for sample in found}


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    return write_run(tmp_path / "run-1", tenants=(1,), concurrency=(5, 10), verdicts={"t1-c10-r1": "failed"})


def test_numbers_are_those_of_the_record_in_base_units(run):
    total = json.loads((run / "cells" / "t1-c5-r1" / "cell.json").read_text())["total"]
    found = samples(run)
    assert found["perfscale_latency_seconds", ("cell", "t1-c5-r1"), ("statistic", "p95")] == pytest.approx(total["latency_ms"]["p95"] / 1000)
    assert found["perfscale_requests", ("cell", "t1-c5-r1"), ("outcome", "ok")] == total["ok"]
    assert found["perfscale_window_seconds", ("cell", "t1-c5-r1")] == 60.0


def test_a_failed_cell_is_not_valid_and_has_no_numbers(run):
    found = samples(run)
    assert {name[0] for name in found if ("cell", "t1-c10-r1") in name} == {"perfscale_cell_info", "perfscale_cell_valid"}
    assert (found["perfscale_cell_valid", ("cell", "t1-c10-r1")], found["perfscale_report_passed",]) == (0.0, 0.0)


def test_every_family_has_its_type_and_unit_and_the_document_ends(run):
    text = text_of(run)
    names = {line.partition("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE ") and line.endswith(" gauge")} == names
    units = dict(line.split(" ")[2:4] for line in text.splitlines() if line.startswith("# UNIT "))
    assert {name for name in names if name.endswith(("_seconds", "_bytes", "_cores", "_ratio", "_per_second"))} == set(units)
    assert text.endswith("\n# EOF\n")


def test_a_series_keeps_its_labels_from_run_to_run(tmp_path):
    runs = [write_run(tmp_path / name, tenants=(1,), concurrency=(5,)) for name in ("run-1", "run-2")]
    first, second = ({name for name in samples(run) if name[0] != "perfscale_run_info"} for run in runs)
    assert first == second


def test_several_runs_have_the_label_run(tmp_path):
    runs = [write_run(tmp_path / name, tenants=(1,), concurrency=(5,)) for name in ("run-1", "run-2")]
    found = samples(*runs)
    assert {dict(name[1:])["run"] for name in found if name[0] == "perfscale_latency_seconds"} == {"run-1", "run-2"}


def test_an_objective_without_a_value_has_no_sample(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,))
    [first, second] = json.loads((directory / "run.json").read_text())["objectives"]
    edit_record(directory / "run.json", objectives=[{**first, "status": "unknown", "value": None}, {**second, "status": "missed"}])
    assert [value for name, value in samples(directory).items() if name[0] == "perfscale_objective_met"] == [0.0]


def test_a_search_has_its_capacity(tmp_path):
    model = build_model(read_sources([write_run(tmp_path / "run", tenants=(1,), concurrency=(), rates=(1, 2))]))
    crossing = {"load": 1.5, "low": 1.4, "high": 1.6}
    model.runs[0].capacity = {"unit": "journeys/s", "crossing": crossing, "probes": [], "sentence": "It carries 1.4 to 1.6 journeys/s."}
    text = openmetrics_text(model, overall_verdict(model))
    assert 'perfscale_capacity{bound="low",load="journeys/s"} 1.4' in text
    assert text.count("\nperfscale_capacity{") == 3


@pytest.mark.parametrize("write", [pytest.param(write_bare_run, id="nothing-measured"), pytest.param(write_legacy_folder, id="legacy-suite")])
def test_a_report_of_little_is_a_document(tmp_path, write):
    assert ("perfscale_cell_valid" in {name[0] for name in samples(write(tmp_path / "source"))}) is True


def test_a_cell_without_requests_has_counts_and_no_latency(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,))
    edit_record(directory / "cells" / "t1-c5-r1" / "cell.json", total=block_without_requests())
    found = samples(directory)
    assert found["perfscale_requests", ("cell", "t1-c5-r1"), ("outcome", "ok")] == 0
    assert not [name for name in found if name[0] in ("perfscale_latency_seconds", "perfscale_failed_requests_ratio")]


def test_hostile_and_equal_names_are_escaped_and_written_once(tmp_path):
    directory = write_run(tmp_path / "run", tenants=(1,), concurrency=(5,))
    name = 'a"} 1\n# EOF\n\\x\x00\u202e'
    row = {"name": name, "cell": "t1-c5-r1", "metric": "m", "value": 1.0, "limit": "<= 1", "status": "met", "severity": "error"}
    edit_record(directory / "run.json", objectives=[row, row])
    [found] = [dict(key[1:]) for key in samples(directory) if key[0] == "perfscale_objective_met"]
    assert found["objective"] == 'a"} 1\n# EOF\n\\x\\x00\\u202e'
