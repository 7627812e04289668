# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps pods from running, in the words of the scheduler, the kubelet and the volumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import conditions

# Reasons of a waiting container that the kubelet repeats until somebody changes something.
IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
STUCK_REASONS = (*IMAGE_REASONS, "CreateContainerConfigError", "CreateContainerError", "CrashLoopBackOff", "RunContainerError")
EVENTS_MAX = 5


def container_states(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the states of a pod's containers, those that prepare it first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def stuck(pod: Mapping[str, Any]) -> str:
    """Returns why a container of a pod cannot start without help, or an empty text. It may still be passing: ask more than once."""
    for state in container_states(pod):
        waiting = (state.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in STUCK_REASONS:
            last = ((state.get("lastState") or {}).get("terminated")) or {}
            ended = f", last exit code {last['exitCode']}" if "exitCode" in last else ""
            return f"pod {pod['metadata']['name']}: {waiting['reason']} ({waiting.get('message') or state.get('image', '')}{ended})"
    return ""


def pending(pod: Mapping[str, Any]) -> str:
    """Returns why a pod has no node yet, as the scheduler says it, or an empty text."""
    unscheduled = [entry for entry in conditions.all_of(pod) if entry.get("type") == "PodScheduled" and entry.get("status") == "False"]
    return f"pod {pod['metadata']['name']}: {unscheduled[0].get('reason')} ({unscheduled[0].get('message')})" if unscheduled else ""


def last_events(events: Iterable[Mapping[str, Any]], names: Iterable[str], most: int = EVENTS_MAX) -> list[str]:
    """Returns the newest warnings about objects with one of these names, as `Kind name: reason (message)`, each text once."""
    wanted = set(names)
    warnings = [event for event in events if event.get("type") == "Warning" and (event.get("involvedObject") or {}).get("name") in wanted]
    newest = sorted(warnings, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "", reverse=True)
    return list(dict.fromkeys(_told(event) for event in newest))[:most]


def _told(event: Mapping[str, Any]) -> str:
    about, message = event["involvedObject"], " ".join((event.get("message") or "").split())
    return f"{about.get('kind')} {about['name']}: {event.get('reason')} ({message[:300]})"
