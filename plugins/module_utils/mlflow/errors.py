# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of requests to MLflow, each one sentence with its remedy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # filters raise these errors too, and need no HTTP client
    from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import HttpError, Response


class MlflowError(Exception):
    """A failed call to MLflow; the text is one sentence with cause and remedy."""

    def __init__(self, sentence: str, status: int | None = None, code: str = "") -> None:
        """Store the HTTP status (None: no response) and MLflow's error_code with the sentence."""
        super().__init__(sentence)
        self.status = status
        self.code = code


class MlflowUnreachable(MlflowError):
    """No HTTP response: name resolution, connection, TLS or a timeout."""


class MlflowAccessError(MlflowError):
    """The server or the gateway before it did not accept the token (401, 403, or a redirect to a login)."""


class MlflowUnexpected(MlflowError):
    """The response is not MLflow's: HTML, broken JSON, or no such endpoint."""


class WorkspacesDisabled(MlflowError):
    """The server runs without workspaces."""


WORKSPACES_REMEDY = "Start it with `mlflow server --enable-workspaces` (MLflow 3.10 or newer) and a database as backend store"


def unreachable(url: str, error: HttpError) -> MlflowUnreachable:
    """Return the error for a request without a response."""
    if error.kind in ("certificate", "tls"):
        return MlflowUnreachable(
            f"MLflow {url}: TLS failed ({error.reason}). Give the CA bundle in ca_file, or correct the URL; turning validation off is the last resort."
        )
    if error.kind == "name":
        return MlflowUnreachable(f"MLflow {url}: {error.reason}. Correct the URL.")
    if error.kind == "timeout":
        return MlflowUnreachable(f"MLflow {url}: request timed out. Check that the server runs and is not overloaded, or correct the URL.")
    return MlflowUnreachable(f"MLflow {url}: not reachable ({error.reason}). Start the server, or correct the URL.")


def from_response(url: str, what: str, response: Response, has_token: bool) -> MlflowError:
    """Return the error for a response that is no success.

    `what` names the request, such as `GET /api/3.0/mlflow/workspaces`; `has_token` says whether a token was sent.
    """
    status = response.status
    text = response.data[:65536].decode("utf-8", "replace")
    if status in (401, 403) or response.is_redirect:
        problem = "token rejected" if has_token else "token required, none given"
        return MlflowAccessError(f"MLflow {url}: {problem} (HTTP {status} for {what}). Put a valid bearer token into the token file.", status)
    if "workspaces" in text and ("without workspaces support" in text or "FEATURE_DISABLED" in text):
        return WorkspacesDisabled(f"MLflow {url}: workspaces are disabled on the server. {WORKSPACES_REMEDY}.", status)
    code, message = _mlflow_message(text)
    if code or message:
        return MlflowError(f"MLflow {url}: {what} failed with HTTP {status} ({code or 'no error code'}: {message}). Read the server's log.", status, code)
    return unexpected(url, what, response)


def unexpected(url: str, what: str, response: Response) -> MlflowUnexpected:
    """Return the error for a response that does not look like MLflow's."""
    start = " ".join(response.data[:200].decode("utf-8", "replace").split())[:80]
    content_type = response.headers.get("content-type", "")
    kind = "an HTML page" if "html" in content_type.lower() else f"{content_type or 'no content type'} starting with {start!r}"
    return MlflowUnexpected(
        f"MLflow {url}: response to {what} is HTTP {response.status} with {kind}. "
        "Give the base URL of an MLflow server (with its path prefix, such as /mlflow).",
        response.status,
    )


def _mlflow_message(text: str) -> tuple[str, str]:
    """Return (error_code, message) of MLflow's error JSON, or two empty texts."""
    try:
        document = json.loads(text)
    except ValueError:
        return "", ""
    if not isinstance(document, dict):
        return "", ""
    return str(document.get("error_code") or ""), " ".join(str(document.get("message") or document.get("detail") or "").split())[:200].rstrip(".")
