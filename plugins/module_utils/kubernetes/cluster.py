# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client for hundreds of concurrent requests with retries, for which kubernetes.core's modules are not suited.

Paths are those of the Kubernetes API (https://kubernetes.io/docs/reference/using-api/api-concepts/).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.bounded_response import bound
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import (
    ATTEMPTS,
    CONNECT_TIMEOUT_S,
    RETRY_STATUSES,
    Response,
    RetryPolicy,
    http_error,
    parse_json,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError, from_response, unexpected, unreachable

try:
    import kubernetes
    import urllib3
except ImportError:  # the modules report it with missing_required_lib
    kubernetes = None  # type: ignore[assignment]

MERGE_PATCH = "application/merge-patch+json"
# Two million objects; an API server that never comes to an end is none.
_PAGES = 4000
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


class Cluster:
    """A client of one API server. Threads may share it."""

    def __init__(self, configuration: Any, connections: int = 8, headers: Mapping[str, str | list[str]] | None = None) -> None:
        """Prepare `connections` keep-alive connections; `headers` go with every request (impersonation; a list gives a header several times)."""
        self.configuration = configuration
        self._headers = [(name, value) for name, values in (headers or {}).items() for value in ([values] if isinstance(values, str) else values)]
        self.host = configuration.host.rstrip("/")
        configuration.connection_pool_maxsize = connections
        # Any method: the API server does not create an object twice, and every other request here may be repeated.
        configuration.retries = RetryPolicy(allowed_methods=None, status_forcelist=RETRY_STATUSES | {403}, is_final=_is_final)
        self._pool = bound(kubernetes.client.rest.RESTClientObject(configuration).pool_manager)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def headers(self) -> Any:
        """Return the authentication headers as a mapping; a token that expires is refreshed by the client library."""
        headers = urllib3.HTTPHeaderDict(self._headers)
        headers.update({setting["key"]: setting["value"] for setting in self.configuration.auth_settings().values() if setting["in"] == "header"})
        return headers

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> dict[str, Any]:
        """Return the decoded response of one request.

        Options are `query`, `content_type` and `accept` (JSON), `timeout_s` of one attempt (30 seconds) and the number of `attempts`.

        429, 5xx and lost connections are retried (common.http_client.RetryPolicy); so are pods whose namespace has no service account yet. A creation
        whose response was lost then fails with reason AlreadyExists, which is for the caller to interpret. Raises ClusterError.
        """
        response = self._send(method, path, body, **options)
        if not response.data:
            return {}
        try:
            document = parse_json(response.data)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise unexpected(f"{method} {path}", self.host, response.data)
        return document

    def text(self, path: str, **options: Any) -> str:
        """Return a response that is no JSON, such as a pod's log. Raises ClusterError."""
        return str(self._send("GET", path, **options).data, "utf-8", "replace")

    def server_time(self, **options: Any) -> float | None:
        """Return the API server's clock in epoch seconds, exact to a second, or None when a proxy removed the Date header.

        Raises ClusterError.
        """
        return Response(200, {"date": self._send("GET", "/version", **options).headers.get("date", "")}).date()

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        timeout_s: float = 30.0,
        attempts: int = ATTEMPTS,
        accept: str = "application/json",
    ) -> Any:
        """Return the successful response, as `request` describes it."""
        request = f"{method} {path}"
        url = self.host + path + ("?" + urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        timeout = urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, timeout_s), read=timeout_s)
        retries = self.configuration.retries.new(total=attempts - 1).start()
        headers = self.headers()
        headers.update({"accept": accept, "content-type": content_type})
        try:
            response = self._pool.request(method, url, body=data, headers=headers, retries=retries, redirect=False, timeout=timeout)
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(request, self.host, http_error(error)) from error
        if not 200 <= response.status < 300:
            raise from_response(request, response.status, response.data)
        return response

    def get(self, path: str, **options: Any) -> dict[str, Any] | None:
        """Return an object, or None when it does not exist. Raises ClusterError for everything else."""
        try:
            return self.request("GET", path, **options)
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def items(
        self, path: str, selector: str = "", limit: int = 500, accept: str = "application/json", options: Mapping[str, Any] | None = None, **query: Any
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Return every object of a collection that an equality selector chooses, page by page.

        `accept` may request metadata only, `options` are timeout_s and attempts of `request`. Raises ClusterError.
        """
        found: list[dict[str, Any]] = []
        parameters = {"limit": limit, **query, **({"labelSelector": selector} if selector else {})}
        token = ""
        for _number in range(_PAGES):
            page = self.request("GET", path, query={**parameters, **({"continue": token} if token else {})}, accept=accept, **(options or {}))
            items, metadata = page.get("items") or [], page.get("metadata") or {}
            if not isinstance(items, list) or not isinstance(metadata, dict) or not all(isinstance(item, dict) for item in items):
                raise unexpected(f"GET {path}", self.host, json.dumps(page).encode())
            found += items
            token = metadata.get("continue") or ""
            if not token:
                return found
        raise ClusterError(f"GET {path}: the API server {self.host} returned more than {_PAGES} pages. Check the API server.")


def _is_final(response: Any) -> bool:
    """Return whether a 403 is final: not for a pod that came before the service account of its namespace, which a controller creates shortly after it."""
    return response.status == 403 and b"error looking up service account" not in response.data
