# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client with which the fakes of operators reach the API server, in a pod or with a kubeconfig."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import kubernetes
import urllib3

PLURALS = {"NetworkPolicy": "networkpolicies"}


class Server:
    """The API server, as far as a fake of an operator needs it."""

    def __init__(self, manager: str) -> None:
        """`manager` owns the fields that are applied."""
        self._manager = manager
        kubernetes.config.load_config()
        self._configuration = kubernetes.client.Configuration.get_default_copy()
        self._pool = kubernetes.client.rest.RESTClientObject(self._configuration).pool_manager

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json", **query: str) -> dict[str, Any] | None:
        """Return an answer, or None for what does not exist (or exists already). Raises RuntimeError."""
        login = {setting["key"]: setting["value"] for setting in self._configuration.auth_settings().values() if setting["in"] == "header"}
        url = self._configuration.host.rstrip("/") + path + ("?" + urlencode(query) if query else "")
        answer = self._pool.request(
            method, url, body=None if body is None else json.dumps(body).encode(), headers={"content-type": content_type, **login}, timeout=urllib3.Timeout(10)
        )
        if answer.status in (404, 409):
            return None
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.data[:300]!r}")
        return json.loads(answer.data)

    def apply(self, manifest: dict[str, Any]) -> dict[str, Any] | None:
        """Create or update an object according to the manifest."""
        return self.request("PATCH", path_of(manifest), manifest, "application/apply-patch+yaml", fieldManager=self._manager, force="true")


def path_of(manifest: dict[str, Any]) -> str:
    """Return the path of an object of a built-in kind."""
    version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    place = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{place}/{PLURALS.get(kind, kind.lower() + 's')}/{metadata['name']}"
