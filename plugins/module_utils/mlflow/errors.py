# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of requests to MLflow, each one sentence with its remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line

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
    """The server or the gateway before it did not serve this login (401, 403, or a redirect)."""


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
        return MlflowUnreachable(f"MLflow {url}: request {error.reason}. Check that the server runs and is not overloaded, or correct the URL.")
    if error.kind == "too large":
        return MlflowUnreachable(f"MLflow {url}: {error.reason}. Give the base URL of an MLflow server.")
    return MlflowUnreachable(f"MLflow {url}: not reachable ({error.reason}). Start the server, or correct the URL.")


def from_response(url: str, what: str, response: Response, login: str) -> MlflowError:
    """Return the error for a response that is no success.

    `what` names the request, such as `GET /api/3.0/mlflow/workspaces`; `login` says what was sent: token, password, or nothing ("").
    """
    status = response.status
    code, message = _mlflow_message(response.data)
    if response.is_redirect or status in (401, 403):
        return _access_error(url, what, response, login, code)
    text = response.data[:65536].decode("utf-8", "replace")
    if "workspaces" in text and ("without workspaces support" in text or "FEATURE_DISABLED" in text):
        return WorkspacesDisabled(f"MLflow {url}: workspaces are disabled on the server. {WORKSPACES_REMEDY}.", status)
    if code or message:
        return MlflowError(f"MLflow {url}: {what} failed with HTTP {status} ({code or 'no error code'}: {message}). Read the server's log.", status, code)
    return unexpected(url, what, response)


def _access_error(url: str, what: str, response: Response, login: str, code: str) -> MlflowAccessError:
    """Return the error of a request that was turned away, in the server's own words; a cause is named only where they name it."""
    status = response.status
    if response.is_redirect:
        problem = f"redirect to {response.redirect_target()} (HTTP {status} for {what}), which is not followed"
        return MlflowAccessError(f"MLflow {url}: {problem}. Give the final URL, or the login that a login page asks for.", status)
    words = ": ".join(part for part in _mlflow_message(response.data) if part) or response.text().rstrip(".")
    details = f"HTTP {status} for {what}: {words or 'no text'}"
    if "Invalid Host header" in words:
        remedy = "Start the server with this host in `--allowed-hosts`, or use an address that is in it."
        return MlflowAccessError(f"MLflow {url}: host not allowed ({details}). {remedy}", status, code)
    problem = f"{login} rejected" if login and status == 401 else "login required, none given" if not login else "request rejected"
    wanted = response.headers.get("www-authenticate", "").lower()
    if status == 403 and login:
        remedy = "Give this login the permission, or read what the server or the gateway before it wants"
    elif wanted.startswith("basic"):
        remedy = "Put user:password into the token file, or set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    elif wanted.startswith("bearer"):
        remedy = "Put a valid bearer token into the token file"
    else:
        remedy = "Put a valid bearer token or user:password into the token file"
    return MlflowAccessError(f"MLflow {url}: {problem} ({details}). {remedy}.", status, code)


@contextmanager
def reading(url: str, what: str) -> Iterator[None]:
    """Translate what a response of another form leads to: a part that is absent or of another type. Raises MlflowUnexpected."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        cause = f"lacks {error}" if isinstance(error, KeyError) else "has a part of another type"
        raise MlflowUnexpected(f"MLflow {url}: response to {what} is not in MLflow's format ({cause}). Give the base URL of an MLflow server.") from error


def unexpected(url: str, what: str, response: Response) -> MlflowUnexpected:
    """Return the error for a response that does not look like MLflow's."""
    content_type = one_line(response.headers.get("content-type", ""), 80)
    kind = "an HTML page" if "html" in content_type.lower() else content_type or "no content type"
    words = response.text(80)
    return MlflowUnexpected(
        f"MLflow {url}: response to {what} is HTTP {response.status} with {kind}{f' starting with {words!r}' if words else ', empty'}. "
        "Give the base URL of an MLflow server (with its path prefix, such as /mlflow).",
        response.status,
    )


def _mlflow_message(data: bytes) -> tuple[str, str]:
    """Return (error_code, message) of MLflow's error JSON, or two empty texts."""
    try:
        document = json.loads(data[:65536])
    except (ValueError, RecursionError):  # filters import this file where there is no HTTP client
        return "", ""
    if not isinstance(document, dict):
        return "", ""
    message = one_line(str(document.get("message") or document.get("detail") or ""), 200)
    return one_line(str(document.get("error_code") or ""), 80), message.rstrip(".")
