# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small MLflow client: the workspace header, JSON, one-sentence errors; and the options by which modules reach a server."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import (
    ATTEMPTS,
    HttpClient,
    HttpError,
    HttpOptionError,
    Response,
    RetryPolicy,
    authorization,
    login_kind,
    parse_json,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import (
    MlflowError,
    MlflowUnexpected,
    from_response,
    unexpected,
    unreachable,
)

WORKSPACE_HEADER = "X-MLFLOW-WORKSPACE"
PARALLELISM_MAX = 64


def check_url(url: str) -> str:
    """Return the base URL without trailing slash. Raises MlflowError, without user information, unless it is http(s)://host[:port][/prefix]."""
    text = str(url or "").strip()
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if "@" in text:
        host = parts.hostname if valid else "(hidden)"
        raise MlflowError(f"MLflow URL of {host}: user information in it. Remove it, and put user:password into the token file.")
    if not valid or parts.query or parts.fragment:
        shown = one_line(re.split("[?#]", text, maxsplit=1)[0], 200)
        raise MlflowError(f"MLflow URL {shown!r}: not a base URL. Write it as http://host:port or https://host/mlflow.")
    return text.rstrip("/")


class MlflowClient:
    """Sends requests to one MLflow server. Threads may share it."""

    def __init__(
        self,
        url: str,
        token_file: str | None = None,
        ca_file: str | None = None,
        validate_certs: bool = True,
        timeout_s: float = 30.0,
        connections: int = 1,
    ) -> None:
        """Prepare `connections` keep-alive connections; `timeout_s` limits connecting and each response.

        `token_file` holds a bearer token or user:password. Raises MlflowError for a URL, token file or CA file that cannot be used. Nothing is sent yet.
        """
        self.url = check_url(url)
        try:
            headers = authorization(token_file)
            self._http = HttpClient(headers, ca_file, validate_certs, timeout_s, connections)
        except HttpOptionError as error:
            raise MlflowError(str(error)) from error
        self.login = login_kind(headers)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        workspace: str | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        attempts: int = ATTEMPTS,
    ) -> Response:
        """Return the response of the last attempt, whatever its status.

        `path` is relative to the base URL, so a static prefix is kept; `body` is sent as JSON. Failures are retried as RetryPolicy says, those
        of creations and searches (POST) too, up to `attempts` times in all; use 1 for a call that must not be repeated.
        Raises MlflowUnreachable without a response.
        """
        url = self.url + path + ("?" + urlencode(query, doseq=True) if query else "")
        headers = {WORKSPACE_HEADER: workspace} if workspace else {}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode("utf-8")
        # A repeated creation is recognized by its error code, and a search changes nothing.
        retry = RetryPolicy(attempts - 1, allowed_methods=None, is_final=_is_without_workspaces)
        try:
            return self._http.request(method, url, data, headers, retry)
        except HttpError as error:
            raise unreachable(self.url, error) from error

    def json(self, method: str, path: str, **arguments: Any) -> Any:
        """Return the parsed JSON of a successful response; arguments as for `request`.

        Raises MlflowError (the subclass is the kind of error) for any other status and for content that is not JSON.
        """
        response = self.request(method, path, **arguments)
        what = f"{method} {path}"
        if not response.is_success:
            raise from_response(self.url, what, response, self.login)
        try:
            return parse_json(response.data)
        except ValueError as error:
            raise unexpected(self.url, what, response) from error

    def document(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Return what `json` does when it is an object. Raises MlflowUnexpected otherwise."""
        document = self.json(method, path, **arguments)
        if not isinstance(document, dict):
            raise MlflowUnexpected(f"MLflow {self.url}: response to {method} {path} is not a JSON object. Give the base URL of an MLflow server.")
        return document


def _is_without_workspaces(response: Any) -> bool:
    """Return whether a server reports with status 503 that it has no workspaces, which no retry changes."""
    return b"without workspaces support" in response.data[:1000]


def connection_spec() -> dict[str, Any]:
    """Return the argument spec documented in the fragment mlflow_connection."""
    return {
        "url": {"type": "str", "required": True},
        "token_file": {"type": "path", "no_log": False},  # a path; the token itself is never an argument
        "ca_file": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
        "request_timeout": {"type": "float", "default": 30.0},
        "parallelism": {"type": "int", "default": 8},
    }


def client_from(options: Mapping[str, Any]) -> MlflowClient:
    """Return a client for the options of `connection_spec`. Raises MlflowError for unusable ones."""
    if not 1 <= options["parallelism"] <= PARALLELISM_MAX:
        raise MlflowError(f"Option parallelism {options['parallelism']}: out of range. Allowed: 1 to {PARALLELISM_MAX}.")
    if options["request_timeout"] <= 0:
        raise MlflowError(f"Option request_timeout {options['request_timeout']:g}: not a duration. Give seconds greater than 0.")
    return MlflowClient(
        options["url"],
        token_file=options["token_file"],
        ca_file=options["ca_file"],
        validate_certs=options["validate_certs"],
        timeout_s=options["request_timeout"],
        connections=options["parallelism"],
    )
