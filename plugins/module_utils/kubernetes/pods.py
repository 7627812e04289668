# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods: their common security context, what prevents one from running, and how one was terminated.

Fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.readiness import Readiness, conditions

# The restricted standard (https://kubernetes.io/docs/concepts/security/pod-security-standards/), without a user id: OpenShift assigns one.
POD_SECURITY_CONTEXT: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER_SECURITY_CONTEXT: dict[str, Any] = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}

# Reasons of a waiting container. No retry of the kubelet resolves these …
FATAL_REASONS = ("InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError", "RunContainerError")
# … and these rarely resolve themselves.
DOUBTFUL_REASONS = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "CrashLoopBackOff")
# Of a terminated container and of a failed pod.
OOM_KILLED = "OOMKilled"
EVICTED = "Evicted"
EVENTS_MAX = 5
_MESSAGE_MAX = 600


class Termination(NamedTuple):
    """How a container was terminated: a word (deleted, evicted, failed, oom, restarted), a sentence, and whether its work may be retried."""

    reason: str
    text: str
    is_retryable: bool


def check_running(pod: Mapping[str, Any] | None, container: str, events: Iterable[Mapping[str, Any]] = ()) -> Readiness:
    """Return whether a container of a pod runs; `events` are those about the pod, oldest first."""
    if pod is None:
        return Readiness(waiting_for=["the pod does not exist"])
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return Readiness(problems=[_reason_text(status.get("reason") or "it failed", status.get("message"))])
    state = _container(pod, container).get("state") or {}
    if "running" in state:
        return Readiness()
    waiting = state.get("waiting") or {}
    reason = waiting.get("reason") or ""
    if reason in FATAL_REASONS:
        return Readiness(problems=[_reason_text(reason, waiting.get("message"))])
    if reason in DOUBTFUL_REASONS:
        terminated = (_container(pod, container).get("lastState") or {}).get("terminated") or {}
        return Readiness(doubts=[_reason_text(reason, waiting.get("message") or terminated.get("message"))])
    scheduled = next((entry for entry in conditions(pod) if entry.get("type") == "PodScheduled"), {})
    if scheduled.get("status") == "False":
        return Readiness(waiting_for=[_reason_text(scheduled.get("reason") or "it is not scheduled", scheduled.get("message"))])
    warnings = [_reason_text(event.get("reason") or "event", event.get("message")) for event in events if event.get("type") == "Warning"]
    return Readiness(waiting_for=[warnings[-1] if warnings else _reason_text(reason or status.get("phase") or "unknown state", waiting.get("message"))])


def restart_count(pod: Mapping[str, Any], container: str) -> int:
    """Return how often a container was restarted."""
    return int(_container(pod, container).get("restartCount") or 0)


def find_termination(pod: Mapping[str, Any] | None, uid: str, container: str, restarts_before: int) -> Termination | None:
    """Return how the container that had `restarts_before` restarts in the pod with `uid` was terminated, or None while it runs."""
    if pod is None or pod["metadata"]["uid"] != uid:
        return Termination("deleted", "the pod was deleted" if pod is None else "the pod was deleted, and another one has its name", True)
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        reason = str(status.get("reason") or "")
        return Termination("evicted" if reason == EVICTED else "failed", f"the pod {_reason_text(reason or 'failed', status.get('message'))}", True)
    if pod["metadata"].get("deletionTimestamp"):
        return Termination("deleted", "the pod is being deleted", True)
    if restart_count(pod, container) == restarts_before and "terminated" not in (_container(pod, container).get("state") or {}):
        return None
    known = _container(pod, container)
    ended = (known.get("state") or {}).get("terminated") or (known.get("lastState") or {}).get("terminated") or {}
    code = ended.get("exitCode")
    if ended.get("reason") == OOM_KILLED:
        return Termination("oom", f"its container ran out of memory ({OOM_KILLED}, exit code {code})", False)
    return Termination("restarted", f"its container ended ({ended.get('reason') or 'no reason given'}, exit code {code}) and was restarted", True)


def container_statuses(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the statuses of a pod's containers, init containers first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def start_failure(pod: Mapping[str, Any]) -> str:
    """Return why a container of a pod cannot start, or an empty text. It may be temporary: check more than once."""
    for status in container_statuses(pod):
        waiting = (status.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in FATAL_REASONS + DOUBTFUL_REASONS:
            last = ((status.get("lastState") or {}).get("terminated")) or {}
            ended = f", last exit code {last['exitCode']}" if "exitCode" in last else ""
            return f"pod {pod['metadata']['name']}: {waiting['reason']} ({waiting.get('message') or status.get('image', '')}{ended})"
    return ""


def scheduling_failure(pod: Mapping[str, Any]) -> str:
    """Return why a pod has no node yet, in the scheduler's words, or an empty text."""
    unscheduled = [entry for entry in conditions(pod) if entry.get("type") == "PodScheduled" and entry.get("status") == "False"]
    return f"pod {pod['metadata']['name']}: {unscheduled[0].get('reason')} ({unscheduled[0].get('message')})" if unscheduled else ""


def warnings_about(events: Iterable[Mapping[str, Any]], names: Iterable[str], most: int = EVENTS_MAX) -> list[str]:
    """Return the newest warnings about objects with one of these names, as `Kind name: reason (message)`, each text once."""
    wanted = set(names)
    warnings = [event for event in events if event.get("type") == "Warning" and (event.get("involvedObject") or {}).get("name") in wanted]
    newest = sorted(warnings, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "", reverse=True)
    return list(dict.fromkeys(_event_text(event) for event in newest))[:most]


def _event_text(event: Mapping[str, Any]) -> str:
    about, message = event["involvedObject"], " ".join((event.get("message") or "").split())
    return f"{about.get('kind')} {about['name']}: {event.get('reason')} ({message[:300]})"


def _container(pod: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next((entry for entry in (pod.get("status") or {}).get("containerStatuses") or [] if entry["name"] == name), {})


def _reason_text(reason: str, message: str | None) -> str:
    text = " ".join(str(message).split())[:_MESSAGE_MAX] if message else ""
    return f"{reason}: {text}" if text else reason
