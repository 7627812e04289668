# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs: their manifests, and their way from creation to deletion against a fake cluster."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import jobs
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.jobs import job, run
from fakes.fake_jobs import JOBS, NAMESPACE, PODS, FakeJobCluster

SPEC = {"containers": [{"name": "work", "image": "x:1", "securityContext": {"runAsUser": 999}}]}
WAITING = {"state": {"waiting": {"reason": "InvalidImageName", "message": "no"}}}


def test_the_pod_is_restricted_and_ends():
    made = job(NAMESPACE, SPEC)["spec"]
    spec = made["template"]["spec"]
    assert (made["backoffLimit"], made["activeDeadlineSeconds"], made["ttlSecondsAfterFinished"], spec["restartPolicy"]) == (0, 600, 600, "Never")
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert spec["containers"][0]["securityContext"] == {
        "runAsUser": 999, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip


def test_a_job_is_labelled_read_and_deleted():
    cluster = FakeJobCluster({"work": "done\n"})
    assert run(cluster, job(NAMESPACE, SPEC), "run-1") == {"work": "done\n"}
    [made] = cluster.created
    for metadata in (made["metadata"], made["spec"]["template"]["metadata"]):
        assert metadata["labels"] == {
            "app.kubernetes.io/managed-by": "perfscale.mlflow", "perfscale.mlflow/run-id": "run-1", "perfscale.mlflow/role": "database-job",
        }  # fmt: skip
    assert cluster.objects == {}


def test_a_creation_whose_response_was_lost_is_no_failure():
    cluster = FakeJobCluster({"work": "done\n"})
    cluster.loses_response = True
    assert run(cluster, job(NAMESPACE, SPEC), "run-1") == {"work": "done\n"}


def test_what_a_lost_controller_left_is_removed_first():
    cluster = FakeJobCluster({"work": "done\n"})
    left = job(NAMESPACE, SPEC)
    name = left["metadata"]["name"]
    cluster.objects |= {
        f"{JOBS}/{name}": left,
        f"{PODS}/{name}-x": {"metadata": {"name": f"{name}-x", "labels": left["metadata"]["labels"], "ownerReferences": [{"name": name}]}},
    }
    run(cluster, job(NAMESPACE, SPEC), "run-1")
    assert cluster.requests.index(("DELETE", f"{JOBS}/{name}")) < cluster.requests.index(("POST", JOBS))


def test_a_pod_that_stays_is_named(monkeypatch):
    monkeypatch.setattr(jobs, "_GRACE_S", 0.0)
    cluster = FakeJobCluster()
    cluster.objects[f"{PODS}/old"] = {"metadata": {"name": "old", "labels": {"perfscale.mlflow/role": "database-job"}}}
    with pytest.raises(ClusterError, match=r"^Pod odh/old: of an earlier Job, still there"):
        run(cluster, job(NAMESPACE, SPEC), "run-1")


def test_a_failure_has_the_end_of_its_log_and_leaves_nothing():
    cluster = FakeJobCluster({"work": "one\ntwo\nERROR: disk full\n\nhint: more\n", "failed": "work"})
    with pytest.raises(ClusterError, match=r"^Job odh/perfscale-.*: failed \(its pod failed; two ERROR: disk full hint: more\)\. Remove the cause"):
        run(cluster, job(NAMESPACE, SPEC), "run-1")
    assert cluster.objects == {}


@pytest.mark.parametrize(
    ("state", "reasons"),
    [
        pytest.param(jobs.State(None), ["it was deleted"], id="deleted"),
        pytest.param(
            jobs.State({"status": {"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]}}),
            ["Failed=True (DeadlineExceeded)"],
            id="deadline",
        ),
        pytest.param(jobs.State({}), ["it runs"], id="no-pod-yet"),
        pytest.param(
            jobs.State({}, [{"metadata": {"name": "p"}, "status": {"containerStatuses": [WAITING]}}]),
            ["pod p: InvalidImageName (no)", "it runs"],
            id="no-image",
        ),
    ],
)
def test_what_it_waits_for_is_known(state, reasons):
    assert jobs._check(state).reasons == reasons
