# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls to files/k6/pod/load.sh in the generator's pod: one short exec each, whose response is known to be complete."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_manifests import SCRIPTS
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.pod_exec import END, SHELL, Container, run

SCRIPT = f"{SCRIPTS}/pod/load.sh"
ATTEMPTS = 5
PAUSE_S = 1.0


class RejectedError(Exception):
    """The script rejected a call; `reason` is its first word, `about` the rest."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.reason, _blank, self.about = text.partition(" ")


class PodRpc:
    """Calls the script in one container. Every command may be repeated, so a lost response does no harm."""

    def __init__(self, cluster: Cluster, container: Container, attempts: int = ATTEMPTS) -> None:
        """Prepare calls that are tried `attempts` times when no complete response comes."""
        self.cluster = cluster
        self.container = container
        self.attempts = attempts

    def call(self, *words: str, stdin: bytes = b"", timeout_s: float = 30.0) -> dict[str, str]:
        """Return the values of the response by key. Raises ClusterError without a complete response, and RejectedError."""
        for attempt in range(1, self.attempts + 1):
            try:
                return self._call_once(words, stdin, timeout_s)
            except ClusterError as error:
                if attempt == self.attempts or error.status in (401, 403, 404) or error.reason == "NotStarted":
                    raise
                time.sleep(PAUSE_S)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def read(self, directory: str, file: str, chunk: int, count: int, timeout_s: float = 120.0) -> bytes:
        """Return `count` mebibytes of a file from mebibyte `chunk` on; fewer at its end, or when the connection was cut. Raises ClusterError."""
        return run(self.cluster, self.container, [*SHELL, SCRIPT, "read", directory, file, str(chunk), str(count)], timeout_s=timeout_s).stdout

    def _call_once(self, words: Sequence[str], stdin: bytes, timeout_s: float) -> dict[str, str]:
        response = run(self.cluster, self.container, [*SHELL, SCRIPT, *words], stdin, timeout_s)
        lines = response.stdout.decode("utf-8", "replace").splitlines()
        if not lines or lines[-1] != END:
            cause = response.stderr.strip() or (f"exit code {response.code}" if response.code is not None else "the connection was cut")
            where = f"{self.container.namespace}/{self.container.pod}"
            raise ClusterError(f"Pod {where}: incomplete response to {words[0]} ({cause}). Retry.", reason="Cut")
        values = dict(line.split("=", 1) for line in lines[:-1] if "=" in line)
        if "rejected" in values:
            raise RejectedError(values["rejected"])
        return values
