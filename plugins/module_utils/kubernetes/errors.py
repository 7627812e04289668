# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a cluster, as one sentence with cause and remedy."""

from __future__ import annotations

import json


class ClusterError(Exception):
    """A cluster refused or could not be asked; the text is one sentence with cause and remedy.

    `status` is the HTTP status (0 when there was no answer), `reason` the API's own (NotFound, AlreadyExists, Forbidden, …).
    """

    def __init__(self, text: str, status: int = 0, reason: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason


_REMEDIES = {
    401: "Log in again, or correct the token, certificate or kubeconfig.",
    403: "Give the user or service account this right (docs/kubernetes.md lists what is needed).",
    404: "Check the name and namespace, and that the API (CRD) is installed.",
    409: "Somebody changed or made it meanwhile; look at it and run the same again.",
    422: "Correct the setting that the API server names.",
    429: "The API server is overloaded; run the same again later.",
}


def from_answer(what: str, status: int, body: bytes) -> ClusterError:
    """Returns the error for an answer of the API server, whose body is a Status object or foreign text."""
    try:
        document = json.loads(body)
        message, reason = str(document.get("message") or ""), str(document.get("reason") or "")
    except (ValueError, AttributeError):
        message, reason = body[:200].decode("utf-8", "replace"), ""
    remedy = _REMEDIES.get(status, "Look at the API server, and run the same again.")
    return ClusterError(f"{what}: the API server answered {status} ({message.strip() or reason or 'no message'}). {remedy}", status, reason)


def unreachable(what: str, host: str, error: Exception) -> ClusterError:
    """Returns the error for an API server that did not answer."""
    cause = str(error).rsplit("Caused by ", maxsplit=1)[-1][:300]
    return ClusterError(f"{what}: the API server {host} does not answer ({cause}). Check the address, the network and the kubeconfig.")
