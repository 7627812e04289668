# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod's status says, by tables of the states that the kubelet and the scheduler report."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_state import fate, restarts, verdict

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
    seen = verdict(pod, "k6", events)
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
def test_what_became_of_a_pod(pod, reason, words, is_retryable):
    found = fate(pod, "uid-1", "k6", 0)
    if reason is None:
        assert found is None
    else:
        assert (found.reason, found.is_retryable) == (reason, is_retryable)
        assert words in found.text


def test_restarts_are_those_of_the_container():
    assert restarts(pod_of(container={"state": {}, "restartCount": 3}), "k6") == 3
    assert restarts(pod_of(), "k6") == 0
