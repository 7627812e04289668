# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of the MLflow operator: serves the fields of the MLflow resource that this collection sets, and starts the real MLflow image.

It does for the tests what the real operator was seen to do (objects, order of status), no more: no leader election, no gateway, no retries of a
migration. It runs in a pod (manifests/deployment.yml) or as a process with a kubeconfig. Environment: POD_NAMESPACE, MLFLOW_IMAGE,
SUPPORTED_MLFLOW_VERSION, and optionally EXPOSE_METRICS and MIGRATION_BACKOFF_LIMIT.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import children
import status
import urllib3
from server import Server

RESOURCE = "/apis/mlflow.opendatahub.io/v1/mlflows/mlflow"
POLL_S = 0.2


class Operator:
    """Reconciles what exists with the resource, one step at a time."""

    def __init__(self, server: Server, environment: dict[str, str]) -> None:
        self.server = server
        self.namespace = environment["POD_NAMESPACE"]
        self.image = environment["MLFLOW_IMAGE"]
        self.version = environment["SUPPORTED_MLFLOW_VERSION"]
        self.exposes_metrics = environment.get("EXPOSE_METRICS") == "true"
        self.backoff_limit = int(environment.get("MIGRATION_BACKOFF_LIMIT", "3"))
        self.applied: tuple[Any, ...] = ()

    def step(self) -> None:
        """Read the resource once and do what is missing."""
        resource = self.server.request("GET", RESOURCE)
        if resource is None or resource["metadata"].get("deletionTimestamp"):
            self.applied = ()
            return
        before = resource.get("status") or {}
        migrated = before.get("version") == self.version
        found = self.inspect(resource)
        image = (resource["spec"].get("image") or {}).get("image") or self.image
        may_run = migrated or found.migration == "succeeded"
        wanted = (resource["metadata"]["uid"], resource["metadata"]["generation"], may_run)
        replicas = resource["spec"].get("replicas", 1) if may_run else 0
        if self.applied != wanted or found.replicas != replicas:
            for manifest in children.surroundings(resource, self.namespace):
                self.server.apply(manifest)
            self.server.apply(children.deployment(resource, self.namespace, image, self.exposes_metrics, replicas))
            if not migrated and found.migration == "absent":
                self.server.apply(children.migration(resource, self.namespace, image, self.version, self.backoff_limit))
            self.applied = wanted
            found = self.inspect(resource)
        self.tell(resource, before, status.steps(found, resource["metadata"]["generation"], migrated))

    def inspect(self, resource: dict[str, Any]) -> status.Seen:
        """Return how migration and Deployment are."""
        name = children.migration_name(self.version, resource["metadata"]["generation"])
        job = self.server.request("GET", f"/apis/batch/v1/namespaces/{self.namespace}/jobs/{name}")
        ended = {entry["type"] for entry in ((job or {}).get("status") or {}).get("conditions") or [] if entry["status"] == "True"}
        migration = "absent" if job is None else "succeeded" if "Complete" in ended else "failed" if "Failed" in ended else "running"
        deployment = self.server.request("GET", f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{children.NAME}") or {}
        counts, replicas = deployment.get("status") or {}, (deployment.get("spec") or {}).get("replicas", 0)
        now = counts.get("observedGeneration", 0) >= (deployment.get("metadata") or {}).get("generation", 0)
        whole = all(counts.get(name, 0) == replicas for name in ("readyReplicas", "updatedReplicas", "replicas"))
        exit_code = self.exit_code(name) if migration == "failed" else None
        return status.Seen(migration, exit_code, counts.get("readyReplicas", 0), replicas, bool(replicas) and now and whole)

    def exit_code(self, job: str) -> int | None:
        """Return how the last pod of a Job ended."""
        pods = self.server.request("GET", f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=f"job-name={job}") or {"items": []}
        states = [entry.get("state") or {} for pod in pods["items"] for entry in (pod.get("status") or {}).get("containerStatuses") or []]
        return next((state["terminated"]["exitCode"] for state in reversed(states) if "terminated" in state), None)

    def tell(self, resource: dict[str, Any], before: dict[str, Any], steps: list[list[dict[str, Any]]]) -> None:
        """Write each step into the status, if it changes it."""
        address = {"url": f"https://{children.NAME}.{self.namespace}.svc:{children.PORT}{children.PREFIX}"}
        known = {entry["type"]: entry for entry in before.get("conditions") or []}
        for conditions in steps:
            news = {entry["type"]: entry for entry in conditions if not same(known.get(entry["type"]), entry)}
            version = self.version if any(entry["reason"] == "MigrationSucceeded" for entry in conditions) else before.get("version")
            if news or address != before.get("address"):
                known |= news
                body = {"status": {"conditions": list(known.values()), "address": address, **({"version": version} if version else {})}}
                self.server.request("PATCH", f"{RESOURCE}/status", body, "application/merge-patch+json")
                before = {**before, "address": address, "version": version}


def same(one: dict[str, Any] | None, other: dict[str, Any]) -> bool:
    """Return whether two conditions are the same, apart from their times."""
    return {**(one or {}), "lastTransitionTime": ""} == {**other, "lastTransitionTime": ""}


def main() -> None:
    """Work until it is killed; an error is printed and the step retried."""
    operator = Operator(Server("mlflow-operator"), dict(os.environ))
    while True:
        try:
            operator.step()
            Path("/tmp/ready").touch()
        except (RuntimeError, urllib3.exceptions.HTTPError, KeyError) as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
