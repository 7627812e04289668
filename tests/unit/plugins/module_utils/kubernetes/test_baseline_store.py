# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Baselines in a cluster: what the Jobs are given, what is made of their output, and what is rejected. The scripts run in tests/cluster."""

from __future__ import annotations

import json

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import baseline_store
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.baseline_store import ClusterStore, restore_script, save_script
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.baseline import Baselines, DataSet, StartState
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from fakes.fake_jobs import MLFLOW_PODS, NAMESPACE, PLACE, FakeJobCluster, mlflow_pod

DATABASE = {"kind": "postgres", "owned": True, "job": PLACE}
CLAIM = f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims/postgresql"
INITIAL = {
    "schema_version": 1, "name": "initial", "tenants": 0, "data_set_digest": None, "prefix": None, "mlflow_version": "3.17.2",
    "schema_revision": "dc11669786a5", "database_kind": "postgres", "rows": {"runs": 0}, "run_directories": 0,
}  # fmt: skip
LEVEL = {**INITIAL, "name": "t1_5f6a59d7ec68_38ede0", "tenants": 1, "data_set_digest": "5f6a59d7ec68", "prefix": "tenant-", "run_directories": 2}


def output(present=0, removed=0, **state):
    """The logs of one Job."""
    return {"postgresql": json.dumps(state), "artifacts": json.dumps({"removed": removed, "present": present})}


def read(*baselines, present=0, start_state=None, size=2**20):
    """The logs of a Job that reads: a live database of so many bytes and its baselines."""
    copies = {f"baseline_{baseline['name']}": json.dumps(baseline) for baseline in baselines} or None
    return output(present, revision="dc11669786a5", rows={"runs": 2}, bytes=size, all_bytes=3 * size, copies=copies, start_state=start_state)


def store_of(*outputs, pod=None, database=None):
    cluster = FakeJobCluster(*outputs, pods=(pod or mlflow_pod(),))
    cluster.objects[CLAIM] = {"metadata": {"name": "postgresql"}, "status": {"capacity": {"storage": "10Mi"}}}
    return ClusterStore(cluster, database or DATABASE, MLFLOW_PODS, "run-1"), cluster


def baselines_of(*outputs, **changes):
    store, cluster = store_of(*outputs, **changes)
    return Baselines(store, "3.17.2", DataSet("5f6a59d7ec68", "tenant-")), cluster


def script(job):
    """The script of psql that a Job has."""
    spec = job["spec"]["template"]["spec"]
    return (spec.get("initContainers") or spec["containers"])[0]["command"][-1].replace("$$", "$")


def test_the_initial_state_is_saved_once():
    assert baselines_of(read(), {"postgresql": ""})[0].save_initial()
    assert not baselines_of(read(INITIAL))[0].save_initial()


def test_a_copy_carries_its_description():
    baselines, cluster = baselines_of(read(INITIAL, present=2), {"postgresql": ""})
    saved = baselines.save(1)
    assert (saved["rows"], saved["run_directories"], saved["schema_revision"]) == ({"runs": 2}, 2, "dc11669786a5")
    assert f"COMMENT ON DATABASE \"partial_{saved['name']}\" IS '{json.dumps(saved)}';" in script(cluster.created[1])
    assert baselines.largest(5)["name"] == saved["name"]


def test_a_level_is_saved_and_restored_by_three_jobs():
    baselines, cluster = baselines_of(read(INITIAL, present=2), {"postgresql": ""}, output(present=2, removed=1, rows={"runs": 2}))
    found = StartState(baselines).saved("run-1/t1-c2-r1", 1)
    assert (found["status"], found["tenants"], found["removed_runs"], found["rows"], found["reason"]) == ("restored", 1, 1, {"runs": 2}, None)
    assert len(cluster.created) == 3
    assert "run_directories" not in found["baseline"]


def test_the_start_state_is_of_the_database_that_comes():
    baselines, cluster = baselines_of(read(INITIAL, LEVEL), output(present=2, rows={"runs": 0}))
    StartState(baselines).restored("run-1/t1-c2-r1", 1, "cell")
    text = script(cluster.created[1])
    assert text.index('COMMENT ON DATABASE "mlflow_restoring"') < text.index('ALTER DATABASE "mlflow_restoring" RENAME TO "mlflow"')
    assert '"cell": "run-1/t1-c2-r1"' in text


def test_a_load_that_goes_on_has_the_start_state_of_its_beginning():
    kept = {"cell": "run-1/t1-c2-r1", "status": "restored", "baseline": LEVEL, "rows": {"runs": 0}}
    found = StartState(baselines_of(read(LEVEL, start_state=json.dumps(kept)))[0]).attached("run-1/t1-c2-r1", 1)
    assert (found["status"], found["rows"]) == ("attached", {"runs": 0})


@pytest.mark.parametrize("comment", [None, "a comment of someone", "[]", '{"owner": "someone"}'])
def test_another_comment_is_no_start_state(comment):
    assert store_of(read(start_state=comment))[0].last() == {}


def test_artifacts_that_no_job_reaches_stay_with_a_sentence():
    baselines, cluster = baselines_of(read(LEVEL), {"postgresql": '{"rows": {"runs": 0}}'}, pod=mlflow_pod("s3://bucket"))
    done = baselines.restore(LEVEL)
    assert done["removed_runs"] is None
    assert done["reason"].startswith("Only the database was restored; files that earlier cells wrote are still there, because MLflow keeps artifacts in s3://")
    assert [container["name"] for container in cluster.created[1]["spec"]["template"]["spec"]["containers"]] == ["postgresql"]


def test_the_database_comes_before_the_artifacts():
    baselines, cluster = baselines_of(read(LEVEL), output(present=2, rows={}))
    baselines.restore(LEVEL)
    spec = cluster.created[1]["spec"]["template"]["spec"]
    assert ([entry["name"] for entry in spec["initContainers"]], [entry["name"] for entry in spec["containers"]]) == (["postgresql"], ["artifacts"])


def test_missing_artifacts_are_named():
    with pytest.raises(ClusterError, match=r"^Baseline t1_.*: artifacts of 1 runs are missing in MLflow's volume\. Start with an empty database"):
        baselines_of(read(LEVEL), output(present=1, rows={}))[0].restore(LEVEL)


def test_a_server_that_is_not_ready_is_named(monkeypatch):
    monkeypatch.setattr(baseline_store, "_HEALTH_S", 0.0)
    pod = mlflow_pod()
    pod["status"]["conditions"][0]["status"] = "False"
    with pytest.raises(ClusterError, match=r"^MLflow in odh: not ready after its database was restored \(its pod is not ready\)\."):
        baselines_of(read(LEVEL), output(present=2, rows={}), pod=pod)[0].restore(LEVEL)


def test_a_volume_without_room_is_named_before_anything_is_copied():
    baselines, cluster = baselines_of(read(size=3 * 2**20))
    with pytest.raises(MlflowError, match=r"^Baseline initial: needs 6 MiB in PersistentVolumeClaim postgresql, 1 MiB are free\."):
        baselines.save_initial()
    assert len(cluster.created) == 1


def test_a_damaged_description_is_named():
    logs = {**read(), "postgresql": '{"copies": {"baseline_x": null}}'}
    with pytest.raises(ClusterError, match=r"^Baselines in odh/postgresql: the description of one is damaged\."):
        store_of(logs)[0].descriptions()


@pytest.mark.parametrize("database", [{"kind": "postgres", "owned": False}, {"kind": "sqlite", "owned": True}], ids=["external", "sqlite"])
def test_a_database_of_others_is_rejected(database):
    with pytest.raises(ClusterError, match=r"^Database (postgres|sqlite): not a PostgreSQL of this collection, .* Set state_reset to never\."):
        store_of(database=database)


def test_a_copy_is_complete_before_it_has_its_name():
    lines = save_script("mlflow", "initial", "{}").splitlines()
    order = [next(number for number, line in enumerate(lines) if line.startswith(start)) for start in ("VACUUM", "CREATE", "COMMENT", "ALTER")]
    assert order == sorted(order)
    assert lines[-1] == 'ALTER DATABASE "partial_initial" RENAME TO "baseline_initial";'


def test_the_live_database_is_replaced_in_one_transaction_while_its_sessions_are_ended():
    text = restore_script("my-db", "initial", "{}", ["initial", "t1"])
    block = text.partition("BEGIN;\n")[2].partition("\nCOMMIT;")[0]
    assert block == 'ALTER DATABASE "my-db" RENAME TO "my-db_replaced";\nALTER DATABASE "my-db_restoring" RENAME TO "my-db";'
    places = [text.index(part) for part in ('CREATE DATABASE "my-db_restoring"', "pg_terminate_backend", block, "\\! touch")]
    assert places == sorted(places)
    assert text.index('\\connect "baseline_initial"') < text.index('\\connect "baseline_t1"')
