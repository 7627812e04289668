# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clones by a Job: its manifest, its program in another Python, and what is not cloned. The program on a real MLflow: tests/local_stack/test_state.py."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import clones
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.clone import NOTHING
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.shape import check_shape
from fakes.fake_jobs import MLFLOW_PODS, PLACE, FakeJobCluster, mlflow_pod

DATABASE = {"kind": "postgres", "owned": True, "job": PLACE}
TENANTS = {"prefix": "tenant-", "count": 9, "shape": check_shape({}), "is_dry": False}
DONE = {**NOTHING, "is_possible": True, "source": 1, "tenants": 8, "rows": 5928, "files": 320, "seconds": 1.2}


def fill(*outputs, pod=None):
    cluster = FakeJobCluster(*outputs, pods=(pod or mlflow_pod(),))
    return cluster, clones.fill(cluster, DATABASE, MLFLOW_PODS, "r1", TENANTS)


def test_the_result_is_what_the_job_printed():
    cluster, found = fill({"artifacts": f"a warning\n{json.dumps(DONE)}\n"})
    assert found == DONE
    assert cluster.objects.keys() == {"/api/v1/namespaces/odh/pods/mlflow-abc"}


def test_the_job_has_the_image_and_volume_of_mlflow_and_the_connection_of_postgresql():
    cluster, _found = fill({"artifacts": json.dumps(DONE)})
    spec = cluster.created[0]["spec"]["template"]["spec"]
    [container] = spec["containers"]
    assert container["image"] == "mlflow:3.17.2"
    assert {volume["name"] for volume in spec["volumes"]} == {"work", "artifacts"}
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/work", "/mlflow"}
    assert {entry["name"]: entry.get("value") for entry in container["env"]}["PGHOST"] == "postgresql.odh.svc"
    assert [entry["valueFrom"] for entry in container["env"] if entry["name"] == "PGPASSWORD"] == [
        {"secretKeyRef": {"name": "postgresql-credentials", "key": "password"}}
    ]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]


def test_the_manifest_fits_into_what_a_kernel_takes():
    cluster, _found = fill({"artifacts": json.dumps(DONE)})
    # Linux: MAX_ARG_STRLEN, 32 pages.
    assert max(map(len, cluster.created[0]["spec"]["template"]["spec"]["containers"][0]["command"])) < 131072


@pytest.mark.parametrize(
    ("output", "error", "text"),
    [
        pytest.param({"error": "Database: could not be read or written (x)."}, MlflowError, "Database: could not be read", id="error"),
        pytest.param(None, ClusterError, "Clones: the Job printed no result.", id="nothing"),
    ],
)
def test_a_clone_that_failed_is_one_sentence(output, error, text):
    with pytest.raises(error, match=text):
        fill({"artifacts": json.dumps(output)})


@pytest.mark.parametrize(
    ("database", "pod", "reason"),
    [
        pytest.param({"kind": "sqlite", "owned": True}, mlflow_pod(), "Database sqlite: not a PostgreSQL of this collection.", id="sqlite"),
        pytest.param({**DATABASE, "owned": False}, mlflow_pod(), "Database postgres: not a PostgreSQL of this collection.", id="not-ours"),
        pytest.param(DATABASE, mlflow_pod("s3://b/a"), "Artifacts: MLflow keeps artifacts in s3://b/a, which no Job can mount.", id="s3"),
    ],
)
def test_where_nothing_can_be_cloned_no_job_runs(database, pod, reason):
    cluster = FakeJobCluster(pods=(pod,))
    assert clones.fill(cluster, database, MLFLOW_PODS, "r1", TENANTS) == {**NOTHING, "reason": reason}
    assert cluster.created == []


def test_the_program_needs_no_package_and_says_what_is_missing(tmp_path):
    # -I and -S: neither this checkout nor any installed package.
    program, *arguments = clones.program("/mlflow", TENANTS)
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program, *arguments, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        **NOTHING,
        "reason": "Python: has neither psycopg nor psycopg2, without which no PostgreSQL can be written.",
    }
