# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a TestRun, judged by its Jobs and pods: whether every runner started, and how each of them ended.

The stage of the TestRun alone says little: it is `finished` whatever the runners' exit codes, and `created` or `started` for ever when one of them or the
starter failed. Seen of k6-operator 1.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.test_run import RUNNER
from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.exit_codes import meaning
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import pods
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.readiness import Readiness

FAILED_CREATE = "FailedCreate"
_JOB_LABELS = ("batch.kubernetes.io/job-name", "job-name")


@dataclass(frozen=True)
class Observed:
    """One observation: the TestRun (None where it is gone), its Jobs, pods and their events, and per shard whether its k6 is paused (None: no answer)."""

    name: str
    shards: int
    test_run: Mapping[str, Any] | None
    jobs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    events: tuple[Mapping[str, Any], ...] = ()
    paused: Mapping[int, bool | None] = field(default_factory=dict)
    ended: Mapping[int, int] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The stage of the TestRun, empty before the operator has seen it."""
        return str(((self.test_run or {}).get("status") or {}).get("stage") or "")

    def job_name(self, role: str | int) -> str:
        """Return the name of a Job: of a shard, or `initializer` or `starter`."""
        return f"{self.name}-{role}"

    def has_failed(self, role: str | int) -> bool:
        """Return whether the only pod of a Job has failed; its backoffLimit is 0, so no other follows."""
        job = self.jobs.get(self.job_name(role)) or {}
        pod = self.pods.get(self.job_name(role)) or {}
        return bool((job.get("status") or {}).get("failed")) or (pod.get("status") or {}).get("phase") == "Failed"

    def has_succeeded(self, role: str | int) -> bool:
        """Return whether a Job has ended well."""
        return bool(((self.jobs.get(self.job_name(role)) or {}).get("status") or {}).get("succeeded"))

    def is_running(self, shard: int) -> bool:
        """Return whether the container of k6 runs in a shard's pod."""
        pod = self.pods.get(self.job_name(shard))
        return pod is not None and pods.check_running(pod, RUNNER).ready and not pod["metadata"].get("deletionTimestamp")


def by_job(found: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return pods by the names of their Jobs; of several the newest."""
    named: dict[str, Mapping[str, Any]] = {}
    for pod in sorted(found, key=lambda entry: str(entry["metadata"].get("creationTimestamp") or "")):
        labels = pod["metadata"].get("labels") or {}
        job = next((labels[label] for label in _JOB_LABELS if label in labels), "")
        named[job] = pod
    return named


def exit_of(pod: Mapping[str, Any] | None, container: str = RUNNER) -> tuple[int | None, str]:
    """Return (exit code, reason) of a container that has ended, (None, empty) for one that has not."""
    for status in pods.container_statuses(pod or {}):
        ended = (status.get("state") or {}).get("terminated")
        if status["name"] == container and ended:
            return ended.get("exitCode"), str(ended.get("reason") or "")
    return None, ""


def start_readiness(seen: Observed | None) -> Readiness:
    """Return whether every runner has left its pause; what nothing will resolve is a problem, what a retry of a controller might is a doubt."""
    if seen is None or seen.test_run is None:
        return Readiness(problems=["the TestRun was deleted"])
    problems = _failures(seen)
    if problems:
        return Readiness(problems=problems)
    waiting = [text for text in (_missing(seen, shard) for shard in range(1, seen.shards + 1)) if text]
    if not waiting:
        return Readiness()
    # What a starter does not start is started anyway.
    doubts = [text for job, pod in seen.pods.items() if job != seen.job_name("starter") and (text := pods.start_failure(pod))]
    doubts += _rejections(seen)
    unscheduled = [text for text in map(pods.scheduling_failure, seen.pods.values()) if text]
    if not seen.jobs and not seen.stage:
        waiting = ["the k6-operator has not seen it: it does not run, or does not watch this namespace (WATCH_NAMESPACE)"]
    return Readiness(waiting_for=unscheduled or waiting, doubts=doubts)


def _rejections(seen: Observed) -> list[str]:
    """Return why pods of Jobs could not be created, the newest reason of each Job: each try has a name of its own in it."""
    newest: dict[str, str] = {}
    for text in pods.warnings_about(seen.events, [seen.job_name(role) for role in _roles(seen)], most=len(seen.events)):
        job, _colon, rest = text.partition(": ")
        if rest.startswith(f"{FAILED_CREATE} ("):
            newest.setdefault(job, text)
    return list(newest.values())


def _roles(seen: Observed) -> list[str | int]:
    return ["initializer", *range(1, seen.shards + 1), "starter"]


def _failures(seen: Observed) -> list[str]:
    """Return what ended before the load began. A starter that failed is none: what it did not do is done through the API server."""
    found = [_job_failure(seen, role) for role in _roles(seen) if role != "starter" and seen.has_failed(role)]
    found += [f"k6 of shard {shard} ended before the start with exit code {code} ({meaning(code)})" for shard, code in sorted(seen.ended.items())]
    if not found and seen.stage == "error":
        found = ["the operator gave up (stage error); its log has the reason, such as more runners than virtual users"]
    return found


def _job_failure(seen: Observed, role: str | int) -> str:
    code, reason = exit_of(seen.pods.get(seen.job_name(role)))
    what = f"shard {role}" if isinstance(role, int) else f"the {role}"
    return f"{what} failed before the start" + (f" ({reason}, exit code {code})" if code is not None else " (its pod is gone)")


def _missing(seen: Observed, shard: int) -> str:
    """Return what a shard has not reached yet, or an empty text once its k6 goes on."""
    if not seen.is_running(shard):
        return f"shard {shard} does not run yet (stage {seen.stage or 'none'})"
    paused = seen.paused.get(shard)
    if paused is None and not seen.has_succeeded("starter"):
        return f"k6 of shard {shard} does not answer yet"
    return f"k6 of shard {shard} is paused" if paused else ""


def termination_of(pod: Mapping[str, Any] | None, uid: str | None) -> pods.Termination | None:
    """Return how a runner was lost, None while its container runs: deleted, evicted, out of memory, or ended by itself.

    `uid` is that of the pod at the start; an operator creates no second one.
    """
    if pod is None or (uid and pod["metadata"]["uid"] != uid):
        return pods.Termination("deleted", "its pod was deleted", True)
    if pod["metadata"].get("deletionTimestamp"):
        return pods.Termination("deleted", "its pod is being deleted", True)
    status = pod.get("status") or {}
    if status.get("reason") == pods.EVICTED:
        return pods.Termination("evicted", f"its pod was evicted ({status.get('message') or 'no message'})", True)
    code, reason = exit_of(pod)
    if reason == pods.OOM_KILLED:
        return pods.Termination("oom", f"its container ran out of memory ({pods.OOM_KILLED}, exit code {code})", False)
    if code is not None or status.get("phase") in ("Failed", "Succeeded"):
        return pods.Termination("ended", f"its container ended ({reason or 'no reason given'}, exit code {code}) before its files were fetched", True)
    return None
