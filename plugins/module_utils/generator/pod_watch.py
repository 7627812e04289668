# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching k6 in the generator's pod by short calls. An API server that does not answer is waited for: the load does not need it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_files import exit_record
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_load import container_of
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_place import get
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_script import PodScript, Refused
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.process import STOP_TIMEOUT_S
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.watch import Look
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pods import OOM_KILLED, Termination, find_termination

# One look is one exec, which costs the API server and the pod some milliseconds.
LOOK_EVERY_S = 5.0
LOOK_AT_LEAST_EVERY_S = 1.0
ASK_LIMIT_S = 20.0
KILLED = 137
GONE = Termination("killed", "k6 is gone and left no exit code, so the shell that watched it was killed too", False)


class PodWatch:
    """A load whose handle has the uid of a pod and a directory in it."""

    def __init__(self, connect: Callable[[], Cluster], handle: dict[str, Any]) -> None:
        """`connect` gives the client; it is called until it succeeds once."""
        self.handle = handle
        self.fate: Termination | None = None
        self.peak_bytes: int | None = None
        self._connect = connect
        self._cluster: Cluster | None = None
        self._exit: dict[str, Any] | None = None
        self._block = 0

    def look(self, with_progress: bool) -> Look:
        words = ["status", self.handle["directory"], *([str(self._block)] if with_progress else [])]
        try:
            seen = self._script().ask(*words, timeout_s=ASK_LIMIT_S)
        except ClusterError as error:
            return self._look_at_pod(str(error))
        except Refused as refusal:
            return Look(True, note=str(refusal))
        return self._read(seen)

    def pause_s(self, left_s: float | None) -> float:
        if left_s is None:
            return LOOK_EVERY_S
        return min(LOOK_EVERY_S, max(LOOK_AT_LEAST_EVERY_S, left_s / 2))

    def stop(self) -> None:
        """Stops the load; one that cannot be reached goes on, and a second start of the run finds it."""
        try:
            self._script().ask("stop", self.handle["directory"], str(STOP_TIMEOUT_S), timeout_s=STOP_TIMEOUT_S + ASK_LIMIT_S)
        except (ClusterError, Refused):
            return

    def ended(self) -> dict[str, Any] | None:
        return None if self.fate else self._exit

    def loss(self) -> tuple[str, bool]:
        lost = self.fate or GONE
        where = f"{self.handle['namespace']}/{self.handle['pod']}"
        advice = "It is made again and the cell tried once more." if lost.is_retryable else "Give it more (k6_runner_pod_resources), or load it less."
        return f"lost its pod {where}: {lost.text}. {advice}", lost.is_retryable

    def _script(self) -> PodScript:
        if self._cluster is None:
            self._cluster = self._connect()
        return PodScript(self._cluster, container_of(self.handle), attempts=1)

    def _read(self, seen: dict[str, str]) -> Look:
        if "peak_kb" in seen:
            self.peak_bytes = int(seen["peak_kb"]) * 1024
        self._block = int(seen.get("block", self._block))
        requests, _blank, failures = seen.get("counts", "0 0").partition(" ")
        age = int(seen["elapsed_cs"]) / 100 if "elapsed_cs" in seen else None
        look = Look(seen["phase"] == "running", age, int(requests), int(failures))
        if seen["phase"] == "ended":
            self._exit = {**exit_record(seen["exit"]), "max_rss_bytes": self.peak_bytes}
            if self._exit["exit_code"] == KILLED and self._exit["oom_kills"]:
                self.fate = Termination("oom", f"k6 ran out of memory ({OOM_KILLED}, exit code {KILLED})", False)
        elif seen["phase"] != "running":
            return self._look_at_pod("k6 is gone")._replace(is_running=False)
        return look

    def _look_at_pod(self, note: str) -> Look:
        """Asks what became of the pod when its container gives no answer."""
        try:
            cluster = self._script().cluster
            pod = get(cluster, self.handle["namespace"], self.handle["pod"], attempts=1, timeout_s=ASK_LIMIT_S)
        except ClusterError as error:
            return Look(True, note=str(error))
        self.fate = find_termination(pod, self.handle["pod_uid"], self.handle["container"], self.handle["restarts"])
        return Look(self.fate is None, note=note)
