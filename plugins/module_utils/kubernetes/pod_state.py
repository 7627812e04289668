# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod's status says in words: why it does not run yet, and what became of one that ran.

Fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.waiting import Verdict

# No try of the kubelet will do better.
HOPELESS = ("InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError", "RunContainerError")
# May heal, and rarely does.
DOUBTFUL = ("ErrImagePull", "ImagePullBackOff", "CrashLoopBackOff")
_SHOWN = 600


class Fate(NamedTuple):
    """What ended a container's work: a word (deleted, evicted, oom, restarted), a sentence, and whether the same work may be tried again."""

    reason: str
    text: str
    is_retryable: bool


def verdict(pod: Mapping[str, Any] | None, container: str, events: Iterable[Mapping[str, Any]] = ()) -> Verdict:
    """Returns whether a container of a pod runs; `events` are those about the pod, oldest first."""
    if pod is None:
        return Verdict(waiting_for=["the pod does not exist"])
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return Verdict(problems=[_said(status.get("reason") or "it failed", status.get("message"))])
    state = _container(pod, container).get("state") or {}
    if "running" in state:
        return Verdict()
    waiting = state.get("waiting") or {}
    reason = waiting.get("reason") or ""
    if reason in HOPELESS:
        return Verdict(problems=[_said(reason, waiting.get("message"))])
    if reason in DOUBTFUL:
        terminated = (_container(pod, container).get("lastState") or {}).get("terminated") or {}
        return Verdict(doubts=[_said(reason, waiting.get("message") or terminated.get("message"))])
    scheduled = next((entry for entry in status.get("conditions") or [] if entry.get("type") == "PodScheduled"), {})
    if scheduled.get("status") == "False":
        return Verdict(waiting_for=[_said(scheduled.get("reason") or "it is not scheduled", scheduled.get("message"))])
    warnings = [_said(event.get("reason") or "event", event.get("message")) for event in events if event.get("type") == "Warning"]
    return Verdict(waiting_for=[warnings[-1] if warnings else _said(reason or status.get("phase") or "nothing is known", waiting.get("message"))])


def restarts(pod: Mapping[str, Any], container: str) -> int:
    """Returns how often a container was started anew."""
    return int(_container(pod, container).get("restartCount") or 0)


def fate(pod: Mapping[str, Any] | None, uid: str, container: str, restarts_before: int) -> Fate | None:
    """Returns what became of the container that had `restarts_before` restarts in the pod with `uid`, or None while it lives."""
    if pod is None or pod["metadata"]["uid"] != uid:
        return Fate("deleted", "the pod was deleted" if pod is None else "the pod was deleted, and another one has its name", True)
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        reason = str(status.get("reason") or "")
        return Fate("evicted" if reason == "Evicted" else "failed", f"the pod {_said(reason or 'failed', status.get('message'))}", True)
    if pod["metadata"].get("deletionTimestamp"):
        return Fate("deleted", "the pod is being deleted", True)
    if restarts(pod, container) == restarts_before and "terminated" not in (_container(pod, container).get("state") or {}):
        return None
    known = _container(pod, container)
    ended = (known.get("state") or {}).get("terminated") or (known.get("lastState") or {}).get("terminated") or {}
    code = ended.get("exitCode")
    if ended.get("reason") == "OOMKilled":
        return Fate("oom", f"its container ran out of memory (OOMKilled, exit code {code})", False)
    return Fate("restarted", f"its container ended ({ended.get('reason') or 'no reason given'}, exit code {code}) and was started anew", True)


def _container(pod: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next((entry for entry in (pod.get("status") or {}).get("containerStatuses") or [] if entry["name"] == name), {})


def _said(reason: str, message: str | None) -> str:
    text = " ".join(str(message).split())[:_SHOWN] if message else ""
    return f"{reason}: {text}" if text else reason
