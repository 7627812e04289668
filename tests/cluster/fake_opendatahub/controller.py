# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two fakes share: a thread that polls the cluster, and helpers for reading and writing."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import MERGE_PATCH, Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects
from ansible_collections.perfscale.mlflow.plugins.module_utils.platform.opendatahub_state import MLFLOW_CRD

HERE = Path(__file__).resolve().parent
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
EVERY_S = 0.1
FAKED = {"perfscale.test/made-by": "fake-opendatahub"}
# Of the definition of MLflow's operator, only its existence is simulated.
MLFLOW = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": MLFLOW_CRD, "labels": FAKED},
    "spec": {
        "group": "mlflow.opendatahub.io",
        "scope": "Cluster",
        "names": {"kind": "MLflow", "plural": "mlflows", "singular": "mlflow"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def definitions(name: str) -> list[dict[str, Any]]:
    """Return the definitions of a file beside this one."""
    return list(yaml.safe_load_all((HERE / name).read_text(encoding="utf-8")))


class FakeController:
    """Plays a controller: `step` is called until the fake is stopped; what it raises fails the test at the end."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.objects = Objects(cluster, timeout_s=120)
        self.error = ""
        self._since: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def __enter__(self) -> FakeController:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join(timeout=30)
        assert not self.error, self.error

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            try:
                self.step()
            except ClusterError as error:
                # What was read may be gone or newer by the time it is written, or the API server away; the next step sees that.
                if error.status not in (0, 404, 409):
                    self.error = traceback.format_exc()
                    return
            except Exception:
                self.error = traceback.format_exc()
                return

    def step(self) -> None:
        raise NotImplementedError

    @staticmethod
    def eventually(seen: Callable[[], object], timeout_s: float = 30.0) -> bool:
        """Return whether a condition holds in time."""
        deadline = time.monotonic() + timeout_s
        while not seen():
            if time.monotonic() > deadline:
                return False
            time.sleep(EVERY_S)
        return True

    def age(self, what: str) -> float:
        """Return the seconds since the first call."""
        now = time.monotonic()
        return now - self._since.setdefault(what, now)

    def forget(self, what: str) -> None:
        """Restart the time of something."""
        self._since.pop(what, None)

    def listed(self, path: str) -> list[dict[str, Any]]:
        """Return all objects of a kind, none where the kind is not served."""
        try:
            return self.cluster.items(path)
        except ClusterError as error:
            if error.status == 404:
                return []
            raise

    def create(self, path: str, manifest: dict[str, Any]) -> None:
        """Create an object unless it is there."""
        try:
            self.cluster.request("POST", path, body=manifest)
        except ClusterError as error:
            if error.reason != "AlreadyExists":
                raise

    def define(self, manifests: list[dict[str, Any]]) -> None:
        """Create definitions and wait until they are served."""
        for manifest in manifests:
            self.create(CRDS, manifest)
        self.objects.wait_established([manifest["metadata"]["name"] for manifest in manifests])

    def patch(self, path: str, body: Mapping[str, Any]) -> None:
        """Merge into an object."""
        self.cluster.request("PATCH", path, body=body, content_type=MERGE_PATCH)

    def write_status(self, path: str, found: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        """Replace a status, if it differs."""
        if found.get("status") != status:
            body = {**found, "status": status}
            self.cluster.request("PUT", f"{path}/status", body=body)

    def remove(self, path: str) -> None:
        """Delete an object, if it is there."""
        try:
            self.cluster.request("DELETE", path)
        except ClusterError as error:
            if error.status != 404:
                raise


def deployment(name: str, owner: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a Deployment of no pods, which the real controller reports as Available immediately: only its existence is simulated."""
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "manager", "image": "localhost/none"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "ownerReferences": [owner] if owner else []},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod},
    }


def owner_of(found: Mapping[str, Any], api_version: str, kind: str) -> dict[str, Any]:
    """Return the reference by which the garbage collector removes what an object owns."""
    return {"apiVersion": api_version, "kind": kind, "name": found["metadata"]["name"], "uid": found["metadata"]["uid"], "controller": True}


def namespace(name: str) -> dict[str, Any]:
    """Return a Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
