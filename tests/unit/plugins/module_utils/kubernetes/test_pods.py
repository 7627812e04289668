# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of pods that the kubelet and the scheduler report."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import (
    check_running,
    find_termination,
    restart_count,
    start_failure,
    warnings_about,
)
from fakes.workloads import event, pod
from fakes.workloads import waiting as container_waiting

ENDED = {"state": {"terminated": {"exitCode": 1, "reason": "Error"}}, "restartCount": 0}
RUNNING = {"state": {"running": {}}, "restartCount": 0}


def pod_of(phase="Running", container=None, uid="uid-1", conditions=(), **status):
    containers = [{"name": "k6", **container}] if container else []
    return {"metadata": {"uid": uid}, "status": {"phase": phase, "conditions": list(conditions), "containerStatuses": containers, **status}}


def waiting(reason, message=None):
    return {"state": {"waiting": {"reason": reason, "message": message}}, "restartCount": 0}


UNSCHEDULED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu."}
EVENT = {"type": "Warning", "reason": "FailedMount", "message": "secret\n not found"}


@pytest.mark.parametrize(
    ("pod", "events", "kind", "words"),
    [
        pytest.param(None, [], "waiting_for", "the pod does not exist", id="none"),
        pytest.param(pod_of(container=RUNNING), [], "ready", "", id="running"),
        pytest.param(pod_of("Pending", conditions=[UNSCHEDULED]), [], "waiting_for", f"Unschedulable: {UNSCHEDULED['message']}", id="node-too-small"),
        pytest.param(pod_of("Pending", waiting("ContainerCreating")), [EVENT], "waiting_for", "FailedMount: secret not found", id="event"),
        pytest.param(pod_of("Pending", waiting("ContainerCreating")), [], "waiting_for", "ContainerCreating", id="being-made"),
        pytest.param(pod_of("Pending"), [], "waiting_for", "Pending", id="pending"),
        pytest.param(pod_of("Pending", waiting("ImagePullBackOff", "no such image")), [], "doubts", "ImagePullBackOff: no such image", id="image"),
        pytest.param(pod_of("Pending", waiting("InvalidImageName", "x y")), [], "problems", "InvalidImageName: x y", id="image-name"),
        pytest.param(pod_of("Failed", reason="Evicted", message="disk"), [], "problems", "Evicted: disk", id="evicted"),
    ],
)
def test_why_a_pod_does_not_run(pod, events, kind, words):
    seen = check_running(pod, "k6", events)
    assert seen.ready == (kind == "ready")
    assert seen.ready or getattr(seen, kind) == [words]


@pytest.mark.parametrize(
    ("pod", "reason", "words", "is_retryable"),
    [
        pytest.param(pod_of(container=RUNNING), None, "", None, id="lives"),
        pytest.param(None, "deleted", "the pod was deleted", True, id="gone"),
        pytest.param(pod_of(uid="uid-2"), "deleted", "another one has its name", True, id="another"),
        pytest.param(pod_of("Failed", reason="Evicted", message="The node was low on resource"), "evicted", "Evicted: The node was low", True, id="evicted"),
        pytest.param(pod_of("Failed"), "failed", "the pod failed", True, id="failed"),
        pytest.param({**pod_of(container=RUNNING), "metadata": {"uid": "uid-1", "deletionTimestamp": "x"}}, "deleted", "being deleted", True, id="going"),
        pytest.param(
            pod_of(container={"state": {"running": {}}, "restartCount": 1, "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}),
            "oom", "OOMKilled, exit code 137", False, id="out-of-memory",
        ),
        pytest.param(pod_of(container=ENDED), "restarted", "Error, exit code 1", True, id="ended"),
    ],
)
def test_how_a_pod_was_terminated(pod, reason, words, is_retryable):
    found = find_termination(pod, "uid-1", "k6", 0)
    if reason is None:
        assert found is None
    else:
        assert (found.reason, found.is_retryable) == (reason, is_retryable)
        assert words in found.text


def test_restart_counts_are_those_of_the_container():
    assert restart_count(pod_of(container={"state": {}, "restartCount": 3}), "k6") == 3
    assert restart_count(pod_of(), "k6") == 0


@pytest.mark.parametrize(
    ("status", "text"),
    [
        pytest.param({}, "", id="nothing-known"),
        pytest.param({"containerStatuses": [{"name": "a", "state": {"running": {}}}]}, "", id="runs"),
        pytest.param({"containerStatuses": [container_waiting("ContainerCreating")]}, "", id="is-being-created"),
        pytest.param(
            {"containerStatuses": [container_waiting("CrashLoopBackOff", lastState={"terminated": {"exitCode": 3}})]},
            "pod p: CrashLoopBackOff (back-off, last exit code 3)",
            id="crashes",
        ),
        pytest.param({"initContainerStatuses": [container_waiting("ErrImagePull")]}, "pod p: ErrImagePull (back-off)", id="prepares"),
    ],
)
def test_start_failure(status: dict, text: str) -> None:
    assert start_failure(pod("p", **status)) == text


def test_warnings_about_an_object_are_the_newest_once_each() -> None:
    events = [event("p", "old", "1"), event("p", "new\n line", "3"), event("p", "new  line", "2"), event("q", "other", "4"), event("p", "fine", "5", "Normal")]
    assert warnings_about(events, ["p"]) == ["Pod p: Failed (new line)", "Pod p: Failed (old)"]
