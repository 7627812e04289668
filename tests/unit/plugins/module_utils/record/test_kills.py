# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at each change of the file system between the end of a load and the record of its cell, a measurement is never lost nor made twice."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json, write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.attempt import attempt_directory, next_attempt, usable_attempt, write_state
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.backend import Load
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.result import Attempt, build_result
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.cell import begin_run, write_failed, write_measured
from ansible_collections.perfscale.mlflow.plugins.module_utils.record.run import outcome_of
from fakes.record_damage import SCHEMAS, two_cells

# The same code many times over: counting its lines would take as long again.
pytestmark = pytest.mark.no_cover

OUTPUT = Path(__file__).resolve().parents[3] / "fixtures" / "k6" / "1.8.1"
CHANGES = ("link", "replace", "rename", "unlink", "rmdir", "mkdir", "fsync")
PLAN = two_cells()
CELL = PLAN["cells"][0]


class Killed(BaseException):
    """What SIGKILL is to a process: nothing catches it, and nothing is done after it."""


class Life:
    """Lets `allowed` more changes of the file system happen, then kills."""

    def __init__(self, monkeypatch, allowed):
        self.left = allowed
        for name in CHANGES:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, change):
        def call(*arguments, **options):
            if self.left <= 0:
                raise Killed
            self.left -= 1
            return change(*arguments, **options)

        return call


def load_of(run):
    directory = run.cell_directory(CELL["id"])
    return Load(directory=directory, generator={}, config={}, scripts_dir="", schema_dir=str(SCHEMAS), plan_digest=PLAN["digest"])


def end_load(run, n=1):
    """Leave what a load leaves that ended well: state.json, exit record, raw output, log and summary."""
    load = load_of(run)
    directory = attempt_directory(load.directory, n)
    directory.mkdir(parents=True)
    for name in ("raw.csv", "k6.log"):
        shutil.copy(OUTPUT / name, directory)
    shutil.copy(next(OUTPUT.glob("summary*.json")), directory)
    write_json(directory / "k6.exit.json", {"pid": 4711, "exit_code": 0, "cpu_seconds": 1.0, "max_rss_bytes": 7e7, "started": 990.0, "ended": 1022.0})
    write_state(load, n, {"pid": 4711, "start_time": 1.0})


def finish_cell(run, parts, rules, n=1):
    """Do what follows a load: k6_result, then cell_record with its numbers."""
    directory = attempt_directory(run.cell_directory(CELL["id"]), n)
    build_result(Attempt(directory=directory, dest=directory, exit_code=0, remove_raw=True))
    (directory / "series.csv").write_text("timestamp,metric\n", encoding="utf-8")
    write_measured(run, CELL, {"db_backend": "sqlite"}, parts, {"n": n, "started": 990.0}, rules)


def survive(run, parts, rules, n):
    """Resume as a later execution does; return whether the attempt was used again."""
    begun = begin_run(run, PLAN, {}, {})
    if CELL["id"] in begun["done"]:
        return False
    state = usable_attempt(load_of(run), lambda _state: False)
    assert state is not None, "a complete measurement is thrown away"
    assert state["attempt"] == n
    finish_cell(run, parts, rules, n)
    return True


@pytest.mark.parametrize("earlier", [None, "failed", "invalid"])
def test_a_measurement_survives_a_kill_at_every_step(run, parts, rules, monkeypatch, earlier, tmp_path):
    begin_run(run, PLAN, {}, {})
    n = 1
    if earlier == "failed":
        write_failed(run, CELL, {}, "MLflow did not answer.", {"n": 1}, {})
    elif earlier == "invalid":
        end_load(run)
        finish_cell(run, {**parts, "exit": {**parts["exit"], "exit_code": 107}}, rules)
    if earlier:
        n = next_attempt(run.cell_directory(CELL["id"]))
    end_load(run, n)
    used, start = [], tmp_path / "start"
    shutil.copytree(run.directory, start, symlinks=True)
    for allowed in range(200):
        shutil.rmtree(run.directory)
        shutil.copytree(start, run.directory, symlinks=True)
        with monkeypatch.context() as patch:
            Life(patch, allowed)
            try:
                finish_cell(run, parts, rules, n)
                finished = True
            except Killed:
                finished = False
        used.append(survive(run, parts, rules, n))
        directory = run.cell_directory(CELL["id"])
        evidence = run.examine()
        assert outcome_of(evidence)["intact"]
        record = evidence.records[CELL["id"]]
        assert [entry["n"] for entry in record["attempts"]] == list(range(1, n + 1))
        assert {"samples.csv.gz", "tenants.csv", "k6.log", "k6.exit.json", "k6_result.json", "series.csv"} <= set(record["files"])
        assert not attempt_directory(directory, n).exists()
        if earlier == "invalid":
            assert read_json(attempt_directory(directory, 1) / "k6.exit.json")["exit_code"] == 0
        run.release_lock()
        if finished:
            break
    assert finished
    # Killed before cell.json the attempt is used again, killed after it nothing is to do.
    assert used == sorted(used, reverse=True)
    assert used.count(True) > 20
    assert used.count(False) > 5


def test_a_changed_result_is_not_used(run, parts, rules):
    """Then the load is measured again, which is better than a wrong number."""
    begin_run(run, PLAN, {}, {})
    end_load(run)
    directory = attempt_directory(run.cell_directory(CELL["id"]), 1)
    build_result(Attempt(directory=directory, dest=directory, exit_code=0, remove_raw=True))
    assert usable_attempt(load_of(run), lambda _state: False) is not None
    path = directory / "k6_result.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"n": ', '"n": 1', 1), encoding="utf-8")
    assert usable_attempt(load_of(run), lambda _state: False) is None
