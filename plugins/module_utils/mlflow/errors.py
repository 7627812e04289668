# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between us and an MLflow server, each said in one sentence with its remedy."""

from __future__ import annotations

import json


class MlflowError(Exception):
    """A call to MLflow did not give what was asked for; the text is one sentence with cause and remedy."""

    def __init__(self, sentence: str, status: int | None = None, code: str = "") -> None:
        """Keeps the HTTP status (None: no answer) and MLflow's error_code beside the sentence."""
        super().__init__(sentence)
        self.status = status
        self.code = code


class MlflowUnreachable(MlflowError):
    """No HTTP answer came: name resolution, connection, TLS or a timeout."""


class MlflowRefused(MlflowError):
    """The server or the gateway before it did not accept the token (401, 403, or a redirect to a login)."""


class MlflowUnexpected(MlflowError):
    """The answer is not MLflow's: HTML, broken JSON, or no such endpoint."""


class WorkspacesDisabled(MlflowError):
    """The server runs without workspaces."""


WORKSPACES_REMEDY = "Start it with `mlflow server --enable-workspaces` (MLflow 3.10 or newer) and a database as backend store"


def unreachable(url: str, error: BaseException) -> MlflowUnreachable:
    """Returns the error for a request that got no answer; `error` is what urllib3 raised last."""
    text = " ".join(str(getattr(error, "reason", None) or error).split())
    lowered = text.lower()
    if "certificate" in lowered or "ssl" in lowered:
        return MlflowUnreachable(f"MLflow {url}: TLS failed ({text}). Give the CA in ca_file, or correct the URL; turning validation off is the last resort.")
    if "refused" in lowered:
        return MlflowUnreachable(f"MLflow {url}: is not reachable (connection refused). Start the server, or correct the URL.")
    if "resolve" in lowered or "name or service" in lowered:
        return MlflowUnreachable(f"MLflow {url}: its host name cannot be resolved. Correct the URL.")
    if "timed out" in lowered:
        return MlflowUnreachable(f"MLflow {url}: did not answer in time. Check that it runs and is not overloaded, or correct the URL.")
    return MlflowUnreachable(f"MLflow {url}: is not reachable ({text}). Start the server, or correct the URL.")


def from_status(url: str, what: str, status: int, content_type: str, data: bytes, with_token: bool) -> MlflowError:
    """Returns the error for an answer that is no success.

    `what` names the request, such as `GET /api/3.0/mlflow/workspaces`; `with_token` tells whether one was sent.
    """
    text = data[:65536].decode("utf-8", "replace")
    if status in (401, 403) or 300 <= status < 400:
        given = "refused the token" if with_token else "wants a token, and none was given"
        return MlflowRefused(f"MLflow {url}: {given} (HTTP {status} for {what}). Put a valid bearer token into the token file.", status)
    if "workspaces" in text and ("without workspaces support" in text or "FEATURE_DISABLED" in text):
        return WorkspacesDisabled(f"MLflow {url}: workspaces are disabled on the server. {WORKSPACES_REMEDY}.", status)
    code, message = _mlflow_message(text)
    if code or message:
        return MlflowError(f"MLflow {url}: {what} failed with HTTP {status} ({code or 'no error code'}: {message}). Read the server's log.", status, code)
    return unexpected(url, what, status, content_type, data)


def unexpected(url: str, what: str, status: int, content_type: str, data: bytes) -> MlflowUnexpected:
    """Returns the error for an answer that does not look like MLflow's."""
    start = " ".join(data[:200].decode("utf-8", "replace").split())[:80]
    kind = "an HTML page" if "html" in content_type.lower() else f"{content_type or 'no content type'} starting with {start!r}"
    return MlflowUnexpected(
        f"MLflow {url}: answered {what} with HTTP {status} and {kind}. Give the base URL of an MLflow server (with its path prefix, such as /mlflow).", status
    )


def _mlflow_message(text: str) -> tuple[str, str]:
    """Returns (error_code, message) of MLflow's error JSON, or two empty texts."""
    try:
        document = json.loads(text)
    except ValueError:
        return "", ""
    if not isinstance(document, dict):
        return "", ""
    return str(document.get("error_code") or ""), " ".join(str(document.get("message") or document.get("detail") or "").split())[:200].rstrip(".")
