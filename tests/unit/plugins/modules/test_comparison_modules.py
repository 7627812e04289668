# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules run_comparison and run_history, as Ansible calls them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.comparison import outputs
from fakes.run_factory import write_run

ROOT = Path(__file__).resolve().parents[4]
FAKE_OTAVA = str(ROOT / "tests" / "fakes" / "fake_otava.py")
METRICS = yaml.safe_load((ROOT / "files" / "comparison" / "default.yml").read_text(encoding="utf-8"))


@pytest.fixture(name="call")
def fixture_call(run_module, tmp_path):
    """Call a module on the runs of a results directory."""

    def call(name, check=False, **options):
        usual = {
            "results_directory": str(tmp_path), "schema_directory": str(ROOT / "files" / "schemas"), "template_directory": str(ROOT / "files" / "report"),
            "metrics": METRICS,
        }  # fmt: skip
        return run_module(name, {**usual, **options}, check)

    return call


@pytest.fixture(name="runs")
def fixture_runs(tmp_path):
    """The runs `one` and `two`."""
    return [write_run(tmp_path / name, tenants=(1,), concurrency=(5,), repeats=3, seed=seed).name for seed, name in enumerate(("one", "two"))]


def test_a_comparison_is_called_after_its_runs(call, runs, tmp_path):
    found = call("run_comparison", baseline=runs[:1], candidate=runs[1:])
    assert found["changed"]
    assert found["comparison"]["directory"] == str(tmp_path / "comparison_one_two")
    assert (tmp_path / "comparison_one_two" / "index.html").exists()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("run_comparison", {"baseline": ["one"], "candidate": ["two"]}, id="comparison"),
        pytest.param("run_history", {"runs": ["one", "two"], "requirements_file": "none"}, id="history"),
    ],
)
def test_check_mode_writes_nothing(call, runs, tmp_path, name, options):
    found = call(name, check=True, output_directory=str(tmp_path / "out"), **options)
    assert not found["changed"]
    assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == runs


def test_metrics_that_do_not_follow_their_schema_are_an_error(call, runs):
    found = call("run_comparison", baseline=runs[:1], candidate=runs[1:], metrics={"schema_version": 1, "metrics": []})
    assert found["msg"].startswith("Document comparison_metrics: at metrics:")


def test_a_comparison_with_itself_is_an_error(call, runs):
    assert "is on both sides" in call("run_comparison", baseline=runs[:1], candidate=runs[:1])["msg"]


def test_a_missing_library_is_named(call, runs, monkeypatch):
    monkeypatch.setattr(outputs, "find_spec", lambda name: None if name == "junitparser" else name)
    assert "junitparser" in call("run_comparison", baseline=runs[:1], candidate=runs[1:])["msg"]


def test_a_history_is_written(call, tmp_path):
    for day in range(10):
        write_run(tmp_path / f"day-{day}", tenants=(1,), concurrency=(5,), repeats=1, seed=day, started=86400.0 * day + 1)
    found = call("run_history", runs=[str(tmp_path)], requirements_file="none", otava_python=FAKE_OTAVA)
    assert found["history"]["status"] == "passed"
    assert len(found["history"]["runs"]) == 10
    assert (tmp_path / "history" / "history.json").exists()


def test_requirements_that_cannot_be_read_are_an_error(call, tmp_path):
    for day in range(10):
        write_run(tmp_path / f"day-{day}", tenants=(1,), concurrency=(5,), repeats=1, seed=day, started=86400.0 * day + 1)
    found = call("run_history", runs=[str(tmp_path)], requirements_file=str(tmp_path / "none.txt"))
    assert found["msg"].startswith(f"Requirements {tmp_path}/none.txt: cannot be read (No such file or directory)")
