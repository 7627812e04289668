# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each failure that was seen of the real k6-operator means for the start of a load and for a runner."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import test_run_state
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.test_run_state import Observed

UP = {"metadata": {"name": "t-1-x", "uid": "u"}, "status": {"phase": "Running", "containerStatuses": [{"name": "k6", "state": {"running": {}}}]}}
SUCCEEDED, FAILED, ACTIVE = ({"status": {name: 1}} for name in ("succeeded", "failed", "active"))


def pod(state=None, phase="Running", container="k6", **changes):
    """A pod whose container is in a state."""
    status = {"phase": phase, "containerStatuses": [{"name": container, "state": state}] if state else [], **changes.pop("status", {})}
    return {"metadata": {"name": "p", "uid": "u", **changes.pop("metadata", {})}, "status": status}


UNSCHEDULED = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}


def ended(code, reason):
    return pod({"terminated": {"exitCode": code, "reason": reason}}, "Failed")


def seen(stage="started", jobs=None, pods=None, shards=1, paused=None, **more):
    """An observation of a TestRun t."""
    whole = {"t-initializer": SUCCEEDED, "t-1": ACTIVE, "t-starter": SUCCEEDED, **(jobs or {})}
    return Observed("t", shards, {"status": {"stage": stage}}, whole, {"t-1": UP, **(pods or {})}, paused={1: False, **(paused or {})}, **more)


def test_a_load_has_started_when_no_runner_is_paused():
    assert test_run_state.start_readiness(seen()).ready


def test_without_an_answer_of_k6_the_starter_is_believed():
    assert test_run_state.start_readiness(seen(paused={1: None})).ready
    assert not test_run_state.start_readiness(seen(paused={1: None}, jobs={"t-starter": ACTIVE})).ready


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        pytest.param(Observed("t", 1, None), "the TestRun was deleted", id="deleted"),
        pytest.param(
            seen("error", {"t-initializer": FAILED}, {"t-initializer": ended(1, "Error")}),
            "the initializer failed before the start (Error, exit code 1)",
            id="script",
        ),
        pytest.param(seen("error"), "the operator gave up (stage error)", id="more-runners-than-users"),
        pytest.param(seen("created", {"t-2": FAILED}, shards=2), "shard 2 failed before the start (its pod is gone)", id="job-without-pod"),
        pytest.param(
            seen("created", {}, {"t-2": ended(137, "OOMKilled")}, shards=2), "shard 2 failed before the start (OOMKilled, exit code 137)", id="out-of-memory"
        ),
        pytest.param(seen("created", ended={1: 107}), "k6 of shard 1 ended before the start with exit code 107", id="init-code"),
    ],
)
def test_what_no_time_resolves_is_a_problem(found, problem):
    assert test_run_state.start_readiness(found).problems[0].startswith(problem)


@pytest.mark.parametrize(
    ("found", "waits_for"),
    [
        pytest.param(Observed("t", 2, {}), "the k6-operator has not seen it", id="no-operator"),
        pytest.param(seen("created", shards=2), "shard 2 does not run yet (stage created)", id="created-for-ever"),
        pytest.param(seen(paused={1: True}), "k6 of shard 1 is paused", id="missed-by-the-starter"),
        pytest.param(seen(jobs={"t-starter": FAILED}, paused={1: True}), "k6 of shard 1 is paused", id="starter-failed"),
        pytest.param(seen("created", {}, {"t-2": pod(None, "Pending", status=UNSCHEDULED)}, 2), "pod p: Unschedulable", id="no-node"),
    ],
)
def test_what_time_may_resolve_is_waited_for(found, waits_for):
    readiness = test_run_state.start_readiness(found)
    assert readiness.waiting_for[0].startswith(waits_for)
    assert readiness.problems == []


def test_a_rejected_pod_and_a_missing_image_are_doubts():
    event = {"type": "Warning", "reason": "FailedCreate", "message": "exceeded quota", "involvedObject": {"kind": "Job", "name": "t-2"}}
    again = {**event, "message": "exceeded quota once more", "lastTimestamp": "2026-11-24T12:00:00Z"}
    rejected = seen("created", shards=2, events=(event, again))
    assert test_run_state.start_readiness(rejected).doubts == ["Job t-2: FailedCreate (exceeded quota once more)"]
    waiting = pod({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}, "Pending")
    assert test_run_state.start_readiness(seen("created", {}, {"t-2": waiting}, 2)).doubts == ["pod p: ImagePullBackOff (no such image)"]


def test_a_starter_without_its_image_is_no_doubt():
    waiting = pod({"waiting": {"reason": "ImagePullBackOff"}}, "Pending")
    assert test_run_state.start_readiness(seen(pods={"t-starter": waiting}, paused={1: True}, jobs={"t-starter": ACTIVE})).doubts == []


@pytest.mark.parametrize(
    ("found", "reason", "is_retryable"),
    [
        pytest.param(None, "deleted", True, id="gone"),
        pytest.param(pod({"running": {}}, metadata={"deletionTimestamp": "x"}), "deleted", True, id="being-deleted"),
        pytest.param(pod(None, "Failed", status={"reason": "Evicted", "message": "disk"}), "evicted", True, id="evicted"),
        pytest.param(ended(137, "OOMKilled"), "oom", False, id="out-of-memory"),
        pytest.param(ended(105, "Error"), "ended", True, id="ended-by-itself"),
    ],
)
def test_how_a_runner_is_lost(found, reason, is_retryable):
    lost = test_run_state.termination_of(found, None)
    assert (lost.reason, lost.is_retryable) == (reason, is_retryable)


def test_a_running_runner_is_not_lost():
    assert test_run_state.termination_of(UP, "u") is None


def test_another_pod_of_the_same_job_is_not_the_runner():
    assert test_run_state.termination_of(UP, "another").reason == "deleted"


def test_pods_are_found_by_their_jobs_the_newest_counts():
    def of(name, created, label):
        return {"metadata": {"name": name, "creationTimestamp": created, "labels": {label: "t-1"}}}

    found = test_run_state.by_job([of("new", "2", "job-name"), of("old", "1", "batch.kubernetes.io/job-name")])
    assert found["t-1"]["metadata"]["name"] == "new"
