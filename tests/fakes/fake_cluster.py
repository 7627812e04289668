# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of the cluster client: objects in a dictionary, with the responses of the API that the code under test reads."""

from __future__ import annotations

import copy
import itertools
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.manifests import merge

RESOURCES = {
    "/api/v1": [
        {"name": "namespaces", "kind": "Namespace", "namespaced": False},
        {"name": "pods", "kind": "Pod", "namespaced": True},
        {"name": "pods/log", "kind": "Pod", "namespaced": True},
        {"name": "secrets", "kind": "Secret", "namespaced": True},
        {"name": "configmaps", "kind": "ConfigMap", "namespaced": True},
    ],
    "/apis/apps/v1": [{"name": "deployments", "kind": "Deployment", "namespaced": True}],
    "/apis/apiextensions.k8s.io/v1": [{"name": "customresourcedefinitions", "kind": "CustomResourceDefinition", "namespaced": False}],
}


class FakeCluster:
    """Has the methods of Cluster; `served` grows with every CRD, `requests` are all that were sent."""

    def __init__(self, *objects: tuple[str, dict[str, Any]]) -> None:
        self.objects: dict[str, dict[str, Any]] = dict(objects)
        self.served: dict[str, list[dict[str, Any]]] = copy.deepcopy(RESOURCES)
        self.requests: list[tuple[str, str]] = []
        self.logs: dict[str, str] = {}
        self.log_queries: list[dict[str, Any]] = []
        self.held: set[str] = set()
        # Deletions of these end with the next change only.
        self.forgotten: set[str] = set()
        self.establishes = True
        self._numbers = itertools.count(1)

    def get(self, path: str) -> dict[str, Any] | None:
        self.requests.append(("GET", path))
        if path in self.served:
            return {"resources": self.served[path]}
        return copy.deepcopy(self.objects.get(path))

    def text(self, path: str, query: dict[str, Any] | None = None) -> str:
        if path not in self.logs:
            raise ClusterError(f"GET {path}: the API server answered 404 (no such log). Check the name.", 404, "NotFound")
        self.log_queries.append(query or {})
        return self.logs[path]

    def items(self, path: str, selector: str = "", accept: str = "") -> list[dict[str, Any]]:
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        found = [entry for where, entry in self.objects.items() if where.rsplit("/", 1)[0] == path or (path.count("/") == 4 and self._is_in(where, path))]
        return [copy.deepcopy(entry) for entry in found if wanted.items() <= (entry["metadata"].get("labels") or {}).items()]

    @staticmethod
    def _is_in(where: str, collection: str) -> bool:
        """Return whether a path belongs to a collection of all namespaces, as in /apis/group/version/plural."""
        root, plural = collection.rsplit("/", 1)
        return where.startswith(f"{root}/namespaces/") and where.split("/")[-2] == plural

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, query: dict[str, Any] | None = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        self.requests.append((method, path))
        if method == "GET":
            return self._discovery(path)
        if method == "DELETE":
            if path not in self.objects:
                raise ClusterError("gone", 404, "NotFound")
            if path in self.held | self.forgotten:
                self.objects[path]["metadata"] |= {"deletionTimestamp": "2026-11-24T12:00:00Z", "finalizers": ["example.com/holds"]}
            else:
                del self.objects[path]
            return {}
        if content_type == "application/merge-patch+json":
            if self.objects.get(path, {}).get("metadata", {}).get("uid") != body["metadata"]["uid"]:
                raise ClusterError("another one", 409, "Conflict")
            if path in self.forgotten:
                del self.objects[path]
            return {}
        assert (method, content_type) == ("PATCH", "application/apply-patch+yaml")
        before = self.objects.get(path)
        after = merge(before or {"metadata": {"uid": f"uid-{next(self._numbers)}"}}, body)
        if before is None or merge(before, {"metadata": {"resourceVersion": None}}) != merge(after, {"metadata": {"resourceVersion": None}}):
            after["metadata"]["resourceVersion"] = str(next(self._numbers))
        if "dryRun" in (query or {}):
            return after
        self.objects[path] = after
        if after["kind"] == "CustomResourceDefinition" and self.establishes:
            self._establish(after)
        return copy.deepcopy(after)

    def _discovery(self, path: str) -> dict[str, Any]:
        if path == "/apis":
            groups = [root.split("/")[2:] for root in self.served if root.startswith("/apis/")]
            return {"groups": [{"name": group, "preferredVersion": {"version": version}} for group, version in groups]}
        return {"resources": [{**entry, "verbs": ["list", "delete"]} for entry in self.served[path]]}

    def _establish(self, definition: dict[str, Any]) -> None:
        definition["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
        spec = definition["spec"]
        entry = {"name": spec["names"]["plural"], "kind": spec["names"]["kind"], "namespaced": spec["scope"] == "Namespaced"}
        self.served[f"/apis/{spec['group']}/v1"] = [entry]
