# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of a cluster as sentences, with the API server's status and reason."""

from __future__ import annotations

import json

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import one_line


class ClusterError(Exception):
    """A request to a cluster failed; the text is one sentence with cause and remedy.

    `status` is the HTTP status (0 without a response), `reason` the API's own (NotFound, AlreadyExists, Forbidden, …).
    """

    def __init__(self, text: str, status: int = 0, reason: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason


_REMEDIES = {
    401: "Log in again, or correct the token, certificate or kubeconfig.",
    403: "Grant this permission to the user or service account (docs/kubernetes_permissions.md lists what is needed).",
    404: "Check that this API (CRD) is installed, and its version.",
    409: "The object was created or changed concurrently. Check it and retry.",
    422: "Correct the setting that the API server names.",
    429: "The API server is overloaded. Retry later.",
}


MISSING_OBJECT = "Check the name and namespace of the object, and what deleted it."
NAMESPACE_TERMINATING = "NamespaceTerminating"


def _remedy(status: int, body: bytes) -> str:
    """Return what to do; the details of a Status tell apart causes that share an HTTP status."""
    try:
        details = json.loads(body).get("details") or {}
        names_object, causes = bool(details.get("name")), [cause.get("reason") for cause in details.get("causes") or []]
    except (ValueError, AttributeError, TypeError, RecursionError):
        names_object, causes = False, []
    # Its API is served, and only the object is missing.
    if status == 404 and names_object:
        return MISSING_OBJECT
    # The API server has no other status for it than that of a missing permission.
    if status == 403 and NAMESPACE_TERMINATING in causes:
        return "Wait until the namespace is deleted, and retry."
    return _REMEDIES.get(status, "Check the API server, and retry.")


def from_response(request: str, status: int, body: bytes) -> ClusterError:
    """Return the error for a response of the API server, whose body is a Status object or any other text."""
    try:
        document = json.loads(body)
        message, reason = one_line(str(document.get("message") or "")), one_line(str(document.get("reason") or ""))
    except (ValueError, AttributeError, RecursionError):
        message, reason = _start(body), ""
    return ClusterError(f"{request}: the API server returned {status} ({message or reason or 'no message'}). {_remedy(status, body)}", status, reason)


def unexpected(request: str, host: str, body: bytes) -> ClusterError:
    """Return the error for a successful response that is not the API's, such as the page of a login."""
    return ClusterError(
        f"{request}: the response of {host} is not the Kubernetes API's ({_start(body) or 'empty'}). Check the address of the API server and its proxies."
    )


def _start(body: bytes) -> str:
    return one_line(body[:1000].decode("utf-8", "replace"), 200)


def unreachable(request: str, host: str, error: Exception) -> ClusterError:
    """Return the error for an API server that did not respond."""
    cause = one_line(str(error).rsplit("Caused by ", maxsplit=1)[-1], 300)
    return ClusterError(f"{request}: the API server {host} does not respond ({cause}). Check the address, the network and the kubeconfig.")
