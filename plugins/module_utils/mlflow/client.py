# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small MLflow client: keep-alive connections, bounded retries, the workspace header, one-sentence errors."""

from __future__ import annotations

import json
import random
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import (
    MlflowError,
    MlflowUnexpected,
    from_status,
    unexpected,
    unreachable,
)

try:
    import urllib3
except ImportError:  # the modules report it with missing_required_lib
    urllib3 = None
    URLLIB3_ERROR: str | None = traceback.format_exc()
else:
    URLLIB3_ERROR = None

WORKSPACE_HEADER = "X-MLFLOW-WORKSPACE"
RETRY_STATUS = frozenset({429, 500, 502, 503, 504})
ATTEMPTS = 5
PAUSE_MAX_S = 8.0


def check_url(url: str) -> str:
    """Returns the base URL without trailing slash. Raises MlflowError unless it is http(s)://host[:port][/prefix]."""
    text = str(url or "").strip()
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or parts.username:
        raise MlflowError(f"MLflow URL {text!r}: is not a base URL. Write it as http://host:port or https://host/mlflow.")
    return text.rstrip("/")


def read_token(token_file: str | None) -> str | None:
    """Returns the bearer token in a file, or None without a file. Raises MlflowError if it is unreadable, empty or more than one line."""
    if not token_file:
        return None
    try:
        token = Path(token_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MlflowError(f"Token file {token_file}: {_why(error)}") from error
    if not token or len(token.split()) != 1 or not token.isascii():
        raise MlflowError(f"Token file {token_file}: holds no single bearer token. Write the token alone into it, with mode 0600.")
    return token


def check_ca(ca_file: str | None) -> str | None:
    """Returns the CA bundle's path, or None without one. Raises MlflowError if it cannot be read as certificates."""
    if not ca_file:
        return None
    try:
        text = Path(ca_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MlflowError(f"CA file {ca_file}: {_why(error)}") from error
    if "BEGIN CERTIFICATE" not in text:
        raise MlflowError(f"CA file {ca_file}: holds no PEM certificate. Give the CA bundle in PEM format.")
    return ca_file


def _why(error: OSError | UnicodeDecodeError) -> str:
    reason = error.strerror if isinstance(error, OSError) else "not text"
    return f"cannot be read ({reason}). Correct the path or its permissions."


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
        """Prepares `connections` keep-alive connections; `timeout_s` limits connecting and each wait for an answer.

        Raises MlflowError for a URL, token file or CA file that cannot be used. Nothing is sent yet.
        """
        self.url = check_url(url)
        token = read_token(token_file)
        self.with_token = token is not None
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        tls: dict[str, Any] = {"ca_certs": check_ca(ca_file)} if validate_certs else {"cert_reqs": "CERT_NONE", "assert_hostname": False}
        if not validate_certs:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=connections,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=min(10.0, timeout_s), read=timeout_s),
            **tls,
        )

    def close(self) -> None:
        """Closes the connections."""
        self._pool.clear()

    def request(
        self,
        method: str,
        path: str,
        workspace: str | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        attempts: int = ATTEMPTS,
    ) -> tuple[int, str, bytes]:
        """Returns (status, content type, body) of the last attempt, whatever the status.

        `path` is relative to the base URL, so a static prefix is kept; `body` is sent as JSON.
        Statuses 429 and 5xx and lost connections are tried again up to `attempts` times in all, with exponential
        pauses (or what Retry-After asks for, at most 8 s): give 1 for a call that must not be repeated.
        Raises MlflowUnreachable when no attempt got an answer.
        """
        target = self.url + path + ("?" + urlencode(query, doseq=True) if query else "")
        headers = dict(self._headers)
        if workspace:
            headers[WORKSPACE_HEADER] = workspace
        payload = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            payload = json.dumps(body).encode("utf-8")
        for attempt in range(1, attempts + 1):
            last = attempt == attempts
            retry_after = None
            try:
                answer = self._pool.request(method, target, headers=headers, body=payload, redirect=False)
                # A server without workspaces says so with 503: asking again cannot help.
                if last or answer.status not in RETRY_STATUS or b"without workspaces support" in answer.data[:1000]:
                    return answer.status, answer.headers.get("Content-Type", ""), answer.data
                retry_after = answer.headers.get("Retry-After")
            except urllib3.exceptions.HTTPError as error:
                if last or isinstance(error, (urllib3.exceptions.SSLError, urllib3.exceptions.NameResolutionError)):
                    raise unreachable(self.url, error) from error
            time.sleep(pause(attempt, retry_after))
        raise ValueError("attempts must be at least 1")

    def json(self, method: str, path: str, **arguments: Any) -> Any:
        """Returns the parsed JSON of a successful answer; arguments as for `request`.

        Raises MlflowError (its subclass tells the kind) for any other status and for content that is not JSON.
        """
        status, content_type, data = self.request(method, path, **arguments)
        what = f"{method} {path}"
        if not 200 <= status < 300:
            raise from_status(self.url, what, status, content_type, data, self.with_token)
        try:
            return json.loads(data)
        except ValueError as error:
            raise unexpected(self.url, what, status, content_type, data) from error

    def document(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Returns what `json` does when it is an object. Raises MlflowUnexpected otherwise."""
        found = self.json(method, path, **arguments)
        if not isinstance(found, dict):
            raise MlflowUnexpected(f"MLflow {self.url}: answered {method} {path} with JSON that is no object. Give the base URL of an MLflow server.")
        return found


def pause(attempt: int, retry_after: str | None) -> float:
    """Returns the seconds to wait after failed attempt number `attempt` (from 1): 0.2 s doubling with jitter, at most 8 s."""
    if retry_after and retry_after.strip().isdigit():
        return min(float(retry_after), PAUSE_MAX_S)
    return min(0.2 * 2 ** (attempt - 1), PAUSE_MAX_S) * random.uniform(0.75, 1.25)
