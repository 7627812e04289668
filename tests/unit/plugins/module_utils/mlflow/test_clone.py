# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clones of a tenant in a small SQLite database; those of a real MLflow are tested in tests/local_stack."""

from __future__ import annotations

import os

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import clone as clones
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.clone import Levels, NotCloneableError, clone, plan
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.tracking_schema import open_database
from fakes.tracking_databases import SHAPE, FakeTenantDatabase

LEVELS = Levels("t-", [1, 2, 3])
FILES = "workspaces/{tenant}/{experiment}/{run}/artifacts/artifact_1.json"


@pytest.fixture
def fake(tmp_path):
    return FakeTenantDatabase(tmp_path)


@pytest.fixture
def multiply(fake):
    """Clone tenant t-1 into t-2 and t-3 and return {rows, files}."""

    def run():
        with open_database(fake.target) as database:
            return clone(database, str(fake.artifacts), "t-1", ["t-2", "t-3"])

    return run


def planned(fake, levels=LEVELS):
    with open_database(fake.target) as database:
        return plan(database, levels, SHAPE)


def run_of(fake, tenant):
    return fake.execute("SELECT run_uuid, r.experiment_id, artifact_uri FROM runs r JOIN experiments e USING (experiment_id) WHERE workspace = ?", tenant)[0]


def test_a_filled_tenant_is_the_source_of_the_empty_ones(fake):
    assert planned(fake) == (1, [2, 3])


def test_without_a_filled_tenant_there_is_no_source(fake):
    assert planned(fake, Levels("other-", [1, 2])) == (None, [1, 2])


def test_a_first_tenant_that_is_filled_in_part_is_filled_on(fake):
    fake.execute("DELETE FROM params")
    assert planned(fake) == (None, [2, 3])


def test_another_tenant_that_is_filled_in_part_is_not_cloned_over(fake, multiply):
    multiply()
    fake.execute("DELETE FROM params WHERE run_uuid = ?", run_of(fake, "t-2")[0])
    with pytest.raises(NotCloneableError, match="Tenant t-2: holds something else than exactly the data set, as 1 of 3 tenants do"):
        planned(fake)


def test_after_a_clone_nothing_is_left_to_do(fake, multiply):
    multiply()
    assert planned(fake) == (1, [])


def test_every_table_is_multiplied(fake, multiply):
    assert multiply() == {"rows": 16, "files": 2}
    for table in ("experiments", "runs", "metrics", "params", "tags", "registered_models", "model_versions", "model_version_tags"):
        assert fake.execute(f"SELECT count(*) FROM {table}") == [(3,)], table  # noqa: S608 - a constant


def test_ids_are_new_wherever_they_hide(fake, multiply):
    multiply()
    run, experiment, uri = run_of(fake, "t-3")
    assert (run == fake.RUN, experiment, uri) == (False, 9, f"mlflow-artifacts:/workspaces/t-3/9/{run}/artifacts")
    assert fake.execute("SELECT artifact_location FROM experiments WHERE workspace = 't-3'") == [("mlflow-artifacts:/workspaces/t-3/9",)]
    assert fake.execute("SELECT value FROM model_version_tags WHERE workspace = 't-3'") == [('["9"]',)]
    assert fake.execute("SELECT count(*) FROM tags WHERE run_uuid = ?", run) == [(1,)]


def test_what_is_no_id_stays(fake, multiply):
    multiply()
    assert fake.execute("SELECT name, creation_time FROM experiments WHERE workspace = 't-2'") == [("e", 5)]


def test_the_same_clone_has_the_same_ids(fake, multiply, tmp_path):
    multiply()
    (tmp_path / "other").mkdir()
    other = FakeTenantDatabase(tmp_path / "other")
    with open_database(other.target) as database:
        clone(database, str(other.artifacts), "t-1", ["t-2", "t-3"])
    assert run_of(fake, "t-2") == run_of(other, "t-2")


def test_files_are_links_of_those_of_the_source(fake, multiply):
    multiply()
    run, experiment, _uri = run_of(fake, "t-2")
    file = fake.artifacts / FILES.format(tenant="t-2", experiment=experiment, run=run)
    assert file.samefile(fake.artifacts / FILES.format(tenant="t-1", experiment=7, run=fake.RUN))


def test_files_are_copied_where_there_are_no_links(fake, multiply, monkeypatch):
    def reject(*_arguments):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", reject)
    multiply()
    run, experiment, _uri = run_of(fake, "t-2")
    file = fake.artifacts / FILES.format(tenant="t-2", experiment=experiment, run=run)
    assert (file.read_text(), file.stat().st_nlink) == ("content", 1)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        pytest.param("UPDATE alembic_version SET version_num = 'f00'", "Schema revision f00: not known to be cloned correctly", id="revision"),
        pytest.param("INSERT INTO metrics VALUES ('more', 'v', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')", "Tenant t-1: holds something else", id="of-a-load"),
        pytest.param("DROP TABLE runs", "Tables: not those of an MLflow with workspaces", id="tables"),
    ],
)
def test_what_is_not_multiplied_at_all(fake, statement, sentence):
    fake.execute(statement)
    with pytest.raises(NotCloneableError, match=sentence):
        planned(fake)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        pytest.param("INSERT INTO webhooks VALUES ('w', 't-1')", "Tenant t-1: has 1 rows in webhooks, which are not cloned", id="table-of-tenants"),
        pytest.param("UPDATE tags SET value = 'see ' || run_uuid", "Column tags.value: holds ids of t-1", id="run-in-text"),
        pytest.param("UPDATE params SET value = 'x:/workspaces/t-1/7'", "Column params.value: holds ids of t-1", id="path-in-text"),
        pytest.param("UPDATE experiments SET artifact_location = 's3://bucket/7'", "Artifact path s3://bucket/7: not one of", id="other-store"),
        pytest.param("INSERT INTO traces VALUES ('tr-1', 7)", "Table traces: ids of a form that cannot be cloned", id="form-of-an-id"),
    ],
)
def test_what_a_clone_would_get_wrong_is_rejected_before_a_row_is_written(fake, multiply, statement, sentence):
    fake.execute(statement)
    with pytest.raises(NotCloneableError, match=sentence):
        multiply()
    assert fake.execute("SELECT count(*) FROM experiments") == [(1,)]


def test_rows_below_a_new_kind_of_id_follow_it(fake, multiply):
    fake.execute("INSERT INTO traces VALUES (?, 7)", "b" * 32)
    fake.execute("INSERT INTO spans VALUES (?, 's')", "b" * 32)
    multiply()
    assert fake.execute("SELECT count(*), count(DISTINCT request_id) FROM spans JOIN traces USING (request_id)") == [(3, 3)]


def test_nothing_is_committed_when_the_rows_of_a_tenant_differ(fake, multiply, monkeypatch):
    monkeypatch.setattr(clones.Copy, "rows", lambda self, _name: iter(()))
    with pytest.raises(MlflowError, match="Clone of t-1: 2 tenants have other rows"):
        multiply()
    assert fake.execute("SELECT count(*) FROM experiments") == [(1,)]


def test_a_file_that_an_interrupted_clone_left_is_no_obstacle(fake, multiply):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(MlflowError):
        patch.setattr(clones.Copy, "rows", lambda self, _name: iter(()))
        multiply()
    assert multiply()["files"] == 2


def test_a_disk_that_is_full_is_named(fake, multiply, monkeypatch):
    def fail(*_arguments, **_options):
        raise OSError(28, "No space left on device", "/full")

    monkeypatch.setattr(os, "makedirs", fail)
    with pytest.raises(MlflowError, match=r"Artifacts .*: No space left on device \(/full\)\. Free space"):
        multiply()
