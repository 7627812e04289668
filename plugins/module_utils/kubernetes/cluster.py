# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client for what kubernetes.core's modules cannot do well: hundreds of requests side by side, with retries.

It connects as kubernetes.core does (same options, same K8S_AUTH_* variables, same kubeconfig), so there is one way to log in. Paths are those of
the Kubernetes API (https://kubernetes.io/docs/reference/using-api/api-concepts/).
"""

from __future__ import annotations

import json
import random
import time
import traceback
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError, from_answer, unreachable

try:
    import kubernetes
    import urllib3
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import _create_auth_spec, _create_configuration, _create_headers
except ImportError:  # the modules report it with missing_required_lib
    kubernetes = None
    KUBERNETES_ERROR: str | None = traceback.format_exc()
else:
    KUBERNETES_ERROR = None

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
RETRY_STATUS = frozenset({429, 500, 502, 503, 504})
ATTEMPTS = 5
PAUSE_MAX_S = 8.0


def connect(options: Mapping[str, Any], connections: int = 8) -> Cluster:
    """Returns the client for the options of kubernetes.core's k8s_auth_options (absent ones come from K8S_AUTH_* or the kubeconfig).

    Raises ClusterError when there is no usable configuration. Nothing is sent yet.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        # The library keeps what it read last as the default, certificate included, for whoever logs in next in this process.
        kubernetes.client.Configuration.set_default(None)
        # Its public get_api_client also asks the server for all its kinds, which costs time and needs one that answers.
        configuration = _create_configuration(_create_auth_spec(**given))
        return Cluster(configuration, connections, _create_headers(**given))
    except Exception as error:  # the client library raises whatever its parser stumbles over, AttributeError too
        text = " ".join(str(error).split()) or type(error).__name__
        raise ClusterError(f"Kubernetes: no usable configuration ({text}). Set KUBECONFIG, K8S_AUTH_KUBECONFIG, or host and api_key.") from error


class Cluster:
    """Sends requests to one API server. Threads may share it."""

    def __init__(self, configuration: Any, connections: int = 8, headers: Mapping[str, str | list[str]] | None = None) -> None:
        """Prepares `connections` keep-alive connections; `headers` go with every request (impersonation; a list gives a header several times)."""
        self.configuration = configuration
        self._headers = [(name, value) for name, values in (headers or {}).items() for value in ([values] if isinstance(values, str) else values)]
        self.host = configuration.host.rstrip("/")
        configuration.connection_pool_maxsize = connections
        self._pool = kubernetes.client.rest.RESTClientObject(configuration).pool_manager

    def close(self) -> None:
        """Closes the connections."""
        self._pool.clear()

    def headers(self) -> Any:
        """Returns the headers that log in, as a mapping; a token that expires is refreshed by the client library."""
        made = urllib3.HTTPHeaderDict(self._headers)
        made.update({setting["key"]: setting["value"] for setting in self.configuration.auth_settings().values() if setting["in"] == "header"})
        return made

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        timeout_s: float = 30.0,
        attempts: int = ATTEMPTS,
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """Returns the decoded answer of one request.

        429 and 5xx are tried again as the server's Retry-After says, else with growing pauses with jitter; so are pods whose namespace has no service
        account yet, and lost connections. A creation which was sent before the loss then counts as done when the object exists (reason AlreadyExists
        is the caller's to judge). Raises ClusterError.
        """
        answer = self._send(method, path, body, query, content_type, timeout_s, attempts, accept)
        return json.loads(answer.data) if answer.data else {}

    def text(self, path: str, **options: Any) -> str:
        """Returns an answer that is no JSON, such as a pod's log. Raises ClusterError."""
        return self._send("GET", path, **options).data.decode("utf-8", "replace")

    def server_time(self, **options: Any) -> float | None:
        """Returns the API server's clock in epoch seconds, good to a second, or None when something before it took the Date header away.

        Raises ClusterError.
        """
        date = self._send("GET", "/version", **options).headers.get("date")
        # The header has whole seconds, so the middle of the second is the best guess.
        return parsedate_to_datetime(date).timestamp() + 0.5 if date else None

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
        """Returns the successful answer, as `request` describes it."""
        what = f"{method} {path}"
        url = self.host + path + ("?" + urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        timeout = urllib3.Timeout(connect=min(10.0, timeout_s), read=timeout_s)
        for attempt in range(1, attempts + 1):
            headers = self.headers()
            headers.update({"accept": accept, "content-type": content_type})
            try:
                answer = self._pool.request(method, url, body=data, headers=headers, retries=False, redirect=False, timeout=timeout)
            except urllib3.exceptions.HTTPError as error:
                if attempt == attempts:
                    raise unreachable(what, self.host, error) from error
                time.sleep(_pause(attempt, None))
                continue
            if 200 <= answer.status < 300:
                return answer
            if not (answer.status in RETRY_STATUS or _lacks_its_account(answer)) or attempt == attempts:
                raise from_answer(what, answer.status, answer.data)
            time.sleep(_pause(attempt, answer.headers.get("retry-after")))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def get(self, path: str, **options: Any) -> dict[str, Any] | None:
        """Returns an object, or None when it does not exist. Raises ClusterError for everything else."""
        try:
            return self.request("GET", path, **options)
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, selector: str = "", limit: int = 500, accept: str = "application/json", **query: Any) -> list[dict[str, Any]]:
        """Returns every object of a collection that an equality selector chooses, page by page; `accept` may ask for metadata only. Raises ClusterError."""
        found: list[dict[str, Any]] = []
        wanted = {"limit": limit, **query, **({"labelSelector": selector} if selector else {})}
        token = ""
        while True:
            page = self.request("GET", path, query={**wanted, **({"continue": token} if token else {})}, accept=accept)
            found += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return found


def _lacks_its_account(answer: Any) -> bool:
    """Tells a pod that came before the service account of its namespace, which a controller makes a moment after the namespace, from a missing right."""
    return answer.status == 403 and b"error looking up service account" in answer.data


def _pause(attempt: int, retry_after: str | None) -> float:
    """Returns seconds to wait before the next attempt, as the server said or growing; with jitter, so that clients do not return together."""
    if retry_after and retry_after.isdigit():
        return min(float(retry_after), 60.0) + random.uniform(0, 0.2)
    return min(PAUSE_MAX_S, 0.2 * 2**attempt) * random.uniform(0.5, 1.0)
