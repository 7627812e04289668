# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparison and history through their playbooks, with generated runs: exit codes, files, sinks, inputs as text. Nothing is deployed."""

from __future__ import annotations

import json

import pytest
from junitparser import JUnitXml

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import file_digest
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish import sinks
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.publication import publish
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import Scanner
from fakes.publish_servers import SCHEMAS
from fakes.run_factory import edit_record, write_run
from programs.k6 import executable

from .suite import Suite

RUN = {"tenants": (1,), "concurrency": (5,), "repeats": 5}


@pytest.fixture(name="suite")
def fixture_suite(tmp_path):
    """A suite with the runs `before` and `same`, and `slow`, whose requests take 1.4 times as long."""
    suite = Suite(tmp_path)
    for seed, (name, slower) in enumerate((("before", 1.0), ("same", 1.0), ("slow", 1.4))):
        write_run(suite.results / name, seed=seed, slower=slower, started=86400.0 * (seed + 1), **RUN)
    return suite


def output(finished):
    return " ".join(finished.stdout.split())


def test_equal_runs_pass_and_all_files_are_written(suite):
    compared = suite.play("compare", {"comparison_baseline": "before", "comparison_candidate": "same", "comparison_tolerance": 0.2})
    directory = suite.results / "comparison_before_same"
    assert compared.returncode == 0
    assert "before to same: no regression of severity error" in output(compared)
    assert sorted(path.name for path in directory.iterdir()) == ["comparison.csv", "comparison.json", "comparison.md", "index.html", "junit.xml"]
    assert json.loads((directory / "comparison.json").read_text(encoding="utf-8"))["status"] == "passed"


def test_a_slower_run_ends_with_a_failure_that_names_it(suite, tmp_path):
    variables = {"comparison_baseline": "before,same", "comparison_candidate": "slow", "comparison_output_dir": "out"}
    compared = suite.play("compare", variables, env={"GITHUB_STEP_SUMMARY": str(tmp_path / "step.md")})
    assert compared.returncode == 2
    assert "before and 1 more to slow: slower in " in output(compared)
    assert f"See {tmp_path}/out/index.html." in output(compared)
    assert (tmp_path / "step.md").read_text(encoding="utf-8").startswith("# Failed: before and 1 more to slow: slower in ")
    assert any(case.result for suite_of in JUnitXml.fromfile(str(tmp_path / "out" / "junit.xml")) for case in suite_of)


def test_check_mode_judges_and_writes_nothing(suite):
    compared = suite.play("compare", {"comparison_baseline": "before", "comparison_candidate": "slow"}, "--check")
    assert compared.returncode == 2
    assert not (suite.results / "comparison_before_slow").exists()


def test_a_side_that_is_missing_is_a_sentence(suite):
    compared = suite.play("compare", {"comparison_candidate": "same"})
    assert compared.returncode == 2
    assert "Side baseline: no run is given. Set comparison_baseline to a run directory, a run id, latest, or a list of them." in output(compared)


def test_runs_of_a_sink_are_restored(suite, tmp_path):
    sink = {"kind": "directory", "path": str(tmp_path / "sink")}
    (tmp_path / "sink").mkdir()
    for name in ("before", "same"):
        for record in (suite.results / name).glob("cells/*/cell.json"):
            samples = record.with_name("samples.csv.gz")
            samples.write_bytes(b"no samples")
            edit_record(record, files={samples.name: file_digest(samples)})
        sent = publish(suite.results / name, sinks.create_sinks([sink], {}), Scanner(), SCHEMAS)
        assert sent["problems"] == []
        (suite.results / name).rename(tmp_path / f"was-{name}")
    variables = {"comparison_baseline": ["before"], "comparison_tolerance": 0.2, "publish_sinks": [sink]}
    compared = suite.play("compare", variables)
    assert compared.returncode == 0
    # `latest` of the sink is what was published last.
    assert "before to same: no regression" in output(compared)
    assert {path.name for path in suite.results.rglob("restored/*/**/*") if path.is_file()} == {"run.json", "cell.json"}


def test_a_short_history_is_compared_with_the_last_good_run(suite):
    finished = suite.play("history", {})
    assert finished.returncode == 2
    assert "Not enough history (3 runs); compared with the last good run: same to slow: slower in " in output(finished)
    assert (suite.results / "history" / "index.html").exists()


def test_a_step_in_a_history_is_found_until_it_is_acknowledged(tmp_path):
    suite = Suite(tmp_path)
    for day in range(1, 15):
        write_run(suite.results / f"day-{day:02}", seed=day, slower=1.0 if day < 9 else 1.5, started=86400.0 * day, **RUN)
    variables = {"comparison_otava_python": executable("python with apache-otava", "PERFSCALE_OTAVA_PYTHON")}
    finished = suite.play("history", variables)
    assert finished.returncode == 2
    assert "numbers are worse since an earlier run and not acknowledged, first seen in day-09." in output(finished)
    known = tmp_path / "known.yml"
    known.write_text("schema_version: 1\nchanges:\n  - {run_id: day-09, reason: twice the data}\n", encoding="utf-8")
    acknowledged = suite.play("history", {**variables, "comparison_known_changes_file": str(known)})
    assert acknowledged.returncode == 0
    assert "No change for the worse in 14 runs that is not acknowledged or recovered." in output(acknowledged)


def test_deployments_in_turn_are_printed_in_the_order_of_their_rounds(tmp_path):
    suite = Suite(tmp_path)
    checked = suite.play("compare_deployments", {"comparison_deployments": {"workers": [1, 2]}, "comparison_rounds": 2}, "--check")
    assert checked.returncode == 0
    assert "4 deployments, one matrix smoke each: workers-1-round-1, workers-2-round-1, workers-2-round-2, workers-1-round-2." in output(checked)


def test_one_deployment_cannot_be_compared(tmp_path):
    checked = Suite(tmp_path).play("compare_deployments", {"comparison_deployments": {"workers": [1]}}, "--check")
    assert checked.returncode == 2
    assert "Input comparison_deployments: 1 deployments (workers-1). Give one axis with two values" in output(checked)
