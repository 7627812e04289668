# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of the k6-operator: the stages, Jobs and Services of a TestRun as they were seen of version 1.6, with the failures that never end.

A runner that fails before the start leaves the stage `created` for ever; so does a pod that is refused. A starter that fails leaves it `started`, with
all runners paused. `finished` means that every Job has ended, however. It is no more than that: no cloud, no clean-up, no webhooks.
It runs in a pod (manifests/deployment.yml) or as a process with a kubeconfig. Environment: WATCH_NAMESPACE, all namespaces when empty.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import jobs
import urllib3
from server import Server

GROUP = "/apis/k6.io/v1alpha1"
POLL_S = 0.3


class Operator:
    """Moves every TestRun on by one stage at a time."""

    def __init__(self, server: Server, namespace: str = "") -> None:
        self.server = server
        self.path = f"{GROUP}/namespaces/{namespace}/testruns" if namespace else f"{GROUP}/testruns"
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(2), retries=False)

    def step(self) -> None:
        """Look at every TestRun once."""
        for item in (self.server.request("GET", self.path) or {}).get("items", []):
            test_run = {**item, "apiVersion": "k6.io/v1alpha1", "kind": "TestRun"}
            if not test_run["metadata"].get("deletionTimestamp"):
                self._advance(test_run)

    def _advance(self, test_run: dict[str, Any]) -> None:
        stage = (test_run.get("status") or {}).get("stage", "")
        shards = range(1, test_run["spec"]["parallelism"] + 1)
        if stage == "":
            self.server.apply(jobs.initializer(test_run))
            self._tell(test_run, "initialization")
        elif stage == "initialization" and self._job(test_run, "initializer").get("failed"):
            self._tell(test_run, "error")
        elif stage == "initialization" and self._job(test_run, "initializer").get("succeeded"):
            for shard in shards:
                self.server.apply(jobs.runner(test_run, shard))
                self.server.apply(jobs.service(test_run, shard))
            self._tell(test_run, "created")
        elif stage == "created" and len(self._running(test_run)) == len(shards):
            addresses = [self._address(test_run, shard) for shard in shards]
            if all(addresses):
                self.server.apply(jobs.starter(test_run, [address for address in addresses if address]))
                self._tell(test_run, "started")
        elif stage == "started" and all(self._has_ended(test_run, shard) for shard in shards):
            self._tell(test_run, "finished")

    def _namespaced(self, test_run: dict[str, Any], root: str, plural: str) -> str:
        return f"{root}/namespaces/{test_run['metadata']['namespace']}/{plural}"

    def _job(self, test_run: dict[str, Any], role: str | int) -> dict[str, Any]:
        name = f"{test_run['metadata']['name']}-{role}"
        return (self.server.request("GET", f"{self._namespaced(test_run, '/apis/batch/v1', 'jobs')}/{name}") or {}).get("status") or {}

    def _has_ended(self, test_run: dict[str, Any], shard: int) -> bool:
        status = self._job(test_run, shard)
        return bool(status.get("failed") or status.get("succeeded"))

    def _running(self, test_run: dict[str, Any]) -> list[dict[str, Any]]:
        selector = f"app=k6,k6_cr={test_run['metadata']['name']},runner=true"
        found = self.server.request("GET", self._namespaced(test_run, "/api/v1", "pods"), labelSelector=selector) or {}
        return [pod for pod in found.get("items", []) if pod["status"].get("phase") == "Running"]

    def _address(self, test_run: dict[str, Any], shard: int) -> str | None:
        """Return the address of a shard's Service, once its k6 answers there."""
        name = f"{test_run['metadata']['name']}-service-{shard}"
        service = self.server.request("GET", f"{self._namespaced(test_run, '/api/v1', 'services')}/{name}")
        address = service["spec"]["clusterIP"] if service else ""
        try:
            answers = bool(address) and self._http.request("GET", f"http://{address}:{jobs.PORT}/v1/status").status < 400
        except urllib3.exceptions.HTTPError:
            return None
        return address if answers else None

    def _tell(self, test_run: dict[str, Any], stage: str) -> None:
        path = f"{self._namespaced(test_run, GROUP, 'testruns')}/{test_run['metadata']['name']}/status"
        self.server.request("PATCH", path, {"status": {"stage": stage}}, "application/merge-patch+json")


def main() -> None:
    """Work until it is killed; an error is printed and the step retried."""
    operator = Operator(Server("k6-operator"), os.environ.get("WATCH_NAMESPACE", ""))
    while True:
        try:
            operator.step()
            Path(os.environ.get("READY_FILE", "/tmp/ready")).touch()
        except (RuntimeError, urllib3.exceptions.HTTPError, KeyError) as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
