# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Baselines: which is restored, what is removed with it, and what is rejected."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.baseline import INITIAL, Baselines, DataSet, LocalStore, StartState
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from fakes.tracking_databases import FakeTrackingDatabase

DATA_SET = DataSet("5f6a59d7ec68", "tenant-")


@pytest.fixture
def database(tmp_path):
    return FakeTrackingDatabase(tmp_path)


@pytest.fixture
def baselines(database):
    made = Baselines(LocalStore(database.target), "3.17.2", DATA_SET)
    made.save_initial()
    return made


@pytest.fixture
def start_state(baselines):
    return StartState(baselines)


def test_the_initial_state_is_kept_once(baselines, database):
    database.add_run(1)
    assert baselines.save_initial() is False
    baselines.restore(baselines.largest(5))
    assert database.runs() == 0


def test_a_level_is_restored_with_its_rows_and_artifacts(baselines, database):
    kept_run = database.add_run(1)
    kept = baselines.save(1)
    left = database.add_run(2)
    assert baselines.restore(kept)["removed_runs"] == 1
    assert (database.runs(), kept_run.exists(), left.exists()) == (1, True, False)


def test_artifacts_of_other_levels_stay(baselines, database):
    first = baselines.save(1)
    run = database.add_run(1)
    second = baselines.save(2)
    assert baselines.restore(first)["removed_runs"] == 0
    baselines.restore(second)
    assert (database.runs(), run.exists()) == (1, True)


def test_what_is_no_run_stays(baselines, database):
    kept = baselines.save(1)
    other = database.artifacts / "workspaces" / "tenant-1" / "1" / "models"
    other.mkdir(parents=True)
    baselines.restore(kept)
    assert other.exists()


@pytest.mark.parametrize(("tenants", "found"), [(1, 0), (2, 2), (4, 2), (5, 5), (9, 5)])
def test_the_largest_smaller_level_is_filled_on(baselines, tenants, found):
    for level in (5, 2):
        baselines.save(level)
    assert baselines.largest(tenants)["tenants"] == found


@pytest.mark.parametrize("other", [DataSet("000000000000", "tenant-"), DataSet("5f6a59d7ec68", "other-")], ids=["data-set", "prefix"])
def test_levels_of_another_data_set_are_not_used(baselines, database, other):
    Baselines(LocalStore(database.target), "3.17.2", other).save(3)
    assert baselines.largest(3)["name"] == INITIAL


def test_missing_artifacts_of_a_level_are_named(baselines, database):
    run = database.add_run(1)
    kept = baselines.save(1)
    shutil.rmtree(run)
    with pytest.raises(MlflowError, match=r"artifacts of 1 runs are missing in .*artifacts\. Start empty with local_stack_reset=true"):
        baselines.restore(kept)


@pytest.mark.parametrize(
    ("statement", "version", "difference"),
    [
        pytest.param("SELECT 1", "3.16.0", "mlflow_version 3.17.2 instead of 3.16.0", id="version"),
        pytest.param("UPDATE alembic_version SET version_num = 'new'", "3.17.2", "schema_revision dc11669786a5 instead of new", id="schema"),
    ],
)
def test_baselines_of_another_server_are_rejected(baselines, database, statement, version, difference):
    database.execute(statement)
    with pytest.raises(MlflowError, match=rf"Baseline initial in .*: of another server \({difference}\)\. Start empty with local_stack_reset=true"):
        Baselines(LocalStore(database.target), version, DATA_SET).check()


def test_baselines_of_the_same_server_are_accepted(baselines):
    assert baselines.check() is None


@pytest.mark.parametrize("content", ["{half", "{}", "[]"])
def test_a_damaged_description_is_named(baselines, tmp_path, content):
    (tmp_path / "baselines" / "initial.json").write_text(content)
    with pytest.raises(MlflowError, match=r"Baseline .*initial.json: damaged\. Start empty"):
        baselines.largest(1)


def test_a_copy_without_a_description_is_no_baseline(baselines, tmp_path):
    (tmp_path / "baselines" / "t1_5f6a59d7ec68_38ede0.db").write_bytes(b"")
    assert baselines.largest(1)["name"] == INITIAL


def test_a_disk_without_room_is_named_before_anything_is_copied(baselines, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=0))
    with pytest.raises(MlflowError, match=r"Baseline t1_.*: needs 0 MiB in .*, 0 MiB are free\. Free space, or set state_reset to never\."):
        baselines.save(1)
    assert [path.name for path in (tmp_path / "baselines").glob("*.db")] == ["initial.db"]


def test_a_cell_starts_from_its_level(start_state, database):
    start_state.saved("run/t1-c5-r1", 1)
    database.add_run(1)
    found = start_state.restored("run/t1-c10-r1", 1, "cell")
    assert (found["status"], found["tenants"], found["rows"]) == ("restored", 1, {"alembic_version": 1, "runs": 0})
    assert found["baseline"]["rows"] == found["rows"]


def test_a_level_that_is_not_kept_yet_starts_from_the_one_below(start_state):
    start_state.saved("run/t1-c5-r1", 1)
    assert start_state.restored("run/t5-c5-r1", 5, "cell")["tenants"] == 1


def test_a_prefill_that_was_interrupted_is_not_thrown_away(start_state, database):
    assert start_state.restored("run/t5-c5-r1", 5, "cell")["tenants"] == 0
    database.add_run(1)
    assert start_state.restored("run/t5-c5-r1", 5, "cell")["tenants"] == 0
    assert database.runs() == 1


def test_the_prefill_of_another_cell_begins_from_the_baseline(start_state, database):
    start_state.restored("run/t5-c5-r1", 5, "cell")
    database.add_run(1)
    start_state.restored("run/t9-c5-r1", 9, "cell")
    assert database.runs() == 0


def test_a_level_is_restored_once(start_state, database):
    start_state.saved("run/t1-c5-r1", 1)
    database.add_run(1)
    found = start_state.restored("run/t1-c10-r1", 1, "level")
    assert (found["status"], found["rows"]["runs"]) == ("continued", 1)
    assert "Restored before the first cell of this level (t1-c5-r1)" in found["reason"]


@pytest.mark.parametrize(("cell", "tenants"), [pytest.param("other/t1-c5-r1", 1, id="another-run"), pytest.param("run/t5-c5-r1", 5, id="another-level")])
def test_the_first_cell_of_a_level_is_restored(start_state, database, cell, tenants):
    start_state.saved("run/t5-c1-r1", 5)
    start_state.saved("run/t1-c5-r1", 1)
    database.add_run(1)
    assert start_state.restored(cell, tenants, "level")["status"] == "restored"


def test_a_load_that_is_attached_to_has_the_start_state_of_its_beginning(start_state, database):
    start_state.saved("run/t1-c5-r1", 1)
    database.add_run(1)
    found = start_state.attached("run/t1-c5-r1", 1)
    assert (found["status"], found["rows"]["runs"], database.runs()) == ("attached", 0, 1)


def test_a_load_of_unknown_beginning_has_the_reason(start_state):
    found = start_state.attached("run/t1-c5-r1", 1)
    assert (found["status"], found["tenants"], found["baseline"]) == ("attached", 1, None)
    assert "not known" in found["reason"]


def test_a_failed_restoration_leaves_no_start_state(start_state, tmp_path, database):
    start_state.saved("run/t1-c5-r1", 1)
    (tmp_path / "baselines" / "t1_5f6a59d7ec68_38ede0.db").write_bytes(b"not a database at all" * 99)
    database.add_run(1)
    with pytest.raises(MlflowError, match=r"restoration of .* failed"):
        start_state.restored("run/t1-c10-r1", 1, "cell")
    assert start_state.attached("run/t1-c10-r1", 1)["baseline"] is None
    assert database.runs() == 1


def test_descriptions_are_json_with_the_key_of_the_level(baselines, tmp_path):
    kept = baselines.save(1)
    described = json.loads((tmp_path / "baselines" / f"{kept['name']}.json").read_text())
    assert {key: described[key] for key in ("tenants", "data_set_digest", "prefix", "mlflow_version", "schema_revision", "database_kind")} == {
        "tenants": 1, "data_set_digest": "5f6a59d7ec68", "prefix": "tenant-", "mlflow_version": "3.17.2", "schema_revision": "dc11669786a5",
        "database_kind": "sqlite",
    }  # fmt: skip
