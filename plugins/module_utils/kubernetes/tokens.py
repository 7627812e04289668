# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fresh tokens of service accounts by the TokenRequest API, kept in private files and nowhere else.

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

# The API server accepts no shorter life.
SHORTEST_S = 600
# An API server may round; what is missing beyond this was taken away.
TOLERANCE_S = 5


@dataclass(frozen=True)
class Token:
    """A bearer token and when it ends, in epoch seconds. Its text never shows in a representation."""

    text: str
    expires: float

    def __repr__(self) -> str:
        return f"Token(expires={self.expires:.0f})"


def request_token(cluster: Cluster, namespace: str, name: str, seconds: int, secret: Mapping[str, str] | None = None) -> Token:
    """Returns a fresh token of a service account that lives for `seconds`, for the API server's own audience.

    `secret` {name, uid} of the same namespace binds its life to that Secret as well.
    Raises ClusterError, also when the API server gives it a shorter life than asked for.
    """
    account = f"{namespace}/{name}"
    if seconds < SHORTEST_S:
        raise ClusterError(f"Token of service account {account}: {seconds} s is too short. Ask for at least {SHORTEST_S} s.")
    bound = {"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", **secret}} if secret else {}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": seconds, **bound}}
    answer = cluster.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", body=body)
    expires = _epoch(answer["status"]["expirationTimestamp"])
    granted = _life(answer["status"]["token"]) or int(answer["spec"].get("expirationSeconds") or seconds)
    if granted < seconds - TOLERANCE_S:
        raise ClusterError(
            f"Token of service account {account}: {seconds} s were asked for and the API server gave {granted} s. "
            "Measure shorter cells, or raise the API server's --service-account-max-token-expiration."
        )
    return Token(answer["status"]["token"], expires)


def _life(token: str) -> int:
    """Returns how many seconds a JSON Web Token lives by its own claims (RFC 7519), 0 when it is none: some servers leave the request's spec as it was."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return int(claims["exp"]) - int(claims["iat"])
    except (IndexError, KeyError, TypeError, ValueError):
        return 0


def iso(epoch: float) -> str:
    """Returns a time as people and Kubernetes write it, in UTC and whole seconds."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def described(tokens: list[Token]) -> dict[str, Any]:
    """Returns {expires, expires_at, count} of tokens written together; the earliest end counts."""
    expires = min(token.expires for token in tokens)
    return {"expires": expires, "expires_at": iso(expires), "count": len(tokens)}
