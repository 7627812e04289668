# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MLflow's artifact store in a cluster: where it is, how a Job reaches it, and what the Job's program removes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import artifacts
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.artifacts import artifact_store, beside_mlflow, counts, job_container
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from fakes.fake_jobs import mlflow_pod

RUNS = [f"{number:032x}" for number in range(4)]


@pytest.mark.parametrize(
    ("pod", "claim", "directory"),
    [
        pytest.param(mlflow_pod(), "mlflow-pvc", "/mlflow/artifacts", id="one-word"),
        pytest.param(mlflow_pod(args=["server", "--artifacts-destination", "/mlflow/a"]), "mlflow-pvc", "/mlflow/a", id="two-words"),
        pytest.param(mlflow_pod(args=[], env=[{"name": "MLFLOW_ARTIFACTS_DESTINATION", "value": "/mlflow"}]), "mlflow-pvc", "/mlflow", id="variable"),
    ],
)
def test_the_store_is_what_the_server_says(pod, claim, directory):
    store = artifact_store(pod, "mlflow")
    assert (store.claim, store.mount_path, store.directory, store.reason) == (claim, "/mlflow", directory, None)


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        pytest.param(mlflow_pod("s3://bucket/a"), "MLflow keeps artifacts in s3://bucket/a, which no Job can mount", id="s3"),
        pytest.param(mlflow_pod(args=[]), "MLflow keeps artifacts in an unknown place, which no Job can mount", id="unknown"),
        pytest.param(mlflow_pod("/tmp/a"), "MLflow's /tmp/a is not in a PersistentVolumeClaim that a Job can mount", id="empty-dir"),
        pytest.param(
            mlflow_pod(volumeMounts=[{"name": "data", "mountPath": "/mlflow", "subPath": "x"}]),
            "MLflow's /mlflow/artifacts is not in a PersistentVolumeClaim that a Job can mount",
            id="part-of-a-volume",
        ),
        pytest.param(mlflow_pod("/mlflow-other/a"), "MLflow's /mlflow-other/a is not in a PersistentVolumeClaim that a Job can mount", id="like-a-mount"),
    ],
)
def test_a_store_that_no_job_reaches_has_a_reason(pod, reason):
    assert artifact_store(pod, "mlflow").reason == reason


def test_the_job_is_as_mlflow_is():
    pod = mlflow_pod(securityContext={"runAsUser": 1001, "privileged": False})
    pod["spec"] |= {"tolerations": [{"operator": "Exists"}], "imagePullSecrets": [{"name": "pull"}]}
    store = artifact_store(pod, "mlflow")
    spec, container = beside_mlflow(store, {}), job_container(store, {"name": "work", "mountPath": "/work"})
    assert spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] == [
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}
    ]
    assert (spec["securityContext"], spec["tolerations"], spec["imagePullSecrets"]) == ({"fsGroup": 1001}, [{"operator": "Exists"}], [{"name": "pull"}])
    assert spec["volumes"] == [{"name": "artifacts", "persistentVolumeClaim": {"claimName": "mlflow-pvc"}}]
    assert (container["image"], container["securityContext"], container["resources"]["limits"]["memory"]) == ("mlflow:3.17.2", {"runAsUser": 1001}, "256Mi")
    assert container["volumeMounts"][0] == {"name": "artifacts", "mountPath": "/mlflow"}


@pytest.fixture
def program(tmp_path):
    """Run the program of the container on this machine; each of four runs has a directory, the last one is not of a run."""
    for run in RUNS:
        (tmp_path / "root" / "workspaces" / "tenant-1" / f"experiment-{run[-1]}" / run / "artifacts").mkdir(parents=True)
    (tmp_path / "root" / "workspaces" / "tenant-1" / "1" / "models").mkdir(parents=True)
    (tmp_path / "work").mkdir()

    def run(live, known=None):
        (tmp_path / "work" / artifacts.LIVE).write_text("\n".join(live))
        if known is not None:
            (tmp_path / "work" / artifacts.KNOWN).write_text("\n".join(known))
        command = [sys.executable, "-c", artifacts._PROGRAM, str(tmp_path / "root"), str(tmp_path / "work")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        return counts(done.stdout), sorted(path.name for path in (tmp_path / "root").glob("workspaces/*/*/*"))

    return run


def test_without_known_runs_it_only_counts(program):
    assert program([*RUNS[:2], "f" * 32]) == ({"removed": 0, "present": 2}, sorted([*RUNS, "models"]))


def test_only_unknown_runs_are_removed(program):
    assert program(RUNS[:1], RUNS[:2]) == ({"removed": 2, "present": 1}, sorted([*RUNS[:2], "models"]))


def test_empty_experiments_go_with_their_runs(program, tmp_path):
    program([], RUNS[:1])
    assert sorted(path.name for path in (tmp_path / "root").glob("workspaces/*/*")) == ["1", "experiment-0"]


@pytest.mark.parametrize("log", ["", "Traceback", '{"removed": 1}'])
def test_output_that_is_no_count_is_named(log):
    with pytest.raises(ClusterError, match=r"^Artifacts: the Job's output is no count"):
        counts(log)
