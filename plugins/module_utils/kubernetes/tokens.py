# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short-lived tokens of service accounts by the TokenRequest API.

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

# The API server accepts no shorter lifetime.
SHORTEST_S = 600
# An API server may round; a larger difference is a limit of the server.
TOLERANCE_S = 5


@dataclass(frozen=True)
class Token:
    """A bearer token and when it expires, in epoch seconds. Its text never shows in a representation."""

    text: str
    expires: float

    def __repr__(self) -> str:
        return f"Token(expires={self.expires:.0f})"


def request_token(cluster: Cluster, namespace: str, name: str, seconds: int, secret: Mapping[str, str] | None = None) -> Token:
    """Return a new token of a service account that is valid for `seconds`, for the API server's own audience.

    `secret` {name, uid} of the same namespace binds its lifetime to that Secret as well.
    Raises ClusterError, also when the API server grants a shorter lifetime than requested.
    """
    account = f"{namespace}/{name}"
    if seconds < SHORTEST_S:
        raise ClusterError(f"Token of service account {account}: lifetime of {seconds} s too short. Request at least {SHORTEST_S} s.")
    bound = {"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", **secret}} if secret else {}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": seconds, **bound}}
    answer = cluster.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", body=body)
    expires = _epoch(answer["status"]["expirationTimestamp"])
    granted = _lifetime(answer["status"]["token"]) or int(answer["spec"].get("expirationSeconds") or seconds)
    if granted < seconds - TOLERANCE_S:
        raise ClusterError(
            f"Token of service account {account}: lifetime of {granted} s granted by the API server instead of {seconds} s. "
            "Measure shorter cells, or raise the API server's --service-account-max-token-expiration."
        )
    return Token(answer["status"]["token"], expires)


def account_uid(cluster: Cluster, namespace: str, name: str, run_id: str = "") -> str:
    """Return the uid of a service account, which is created for a run if it is missing and `run_id` is given. Raises ClusterError."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    found = cluster.get(f"{path}/{name}")
    if found is None and run_id:
        found = cluster.request("POST", path, body={"metadata": {"name": name, "labels": ownership.labels(run_id)}})
    if found is None:
        raise ClusterError(f"Service account {namespace}/{name}: does not exist. Create it, or run playbooks/deploy.yml again.")
    return str(found["metadata"]["uid"])


def account_uids(cluster: Cluster, name: str) -> dict[str, str]:
    """Return the uids of all service accounts of a name, by namespace. Raises ClusterError."""
    found = cluster.items("/api/v1/serviceaccounts", fieldSelector=f"metadata.name={name}")
    return {item["metadata"]["namespace"]: item["metadata"]["uid"] for item in found if item["metadata"]["name"] == name}


def kept_token(text: str, uid: str, shortest_s: float, longest_s: float, now: float) -> Token | None:
    """Return a token as it is if it belongs to the service account with that uid and lives for `shortest_s` to `longest_s` from `now` on, else None.

    A server keeps its decisions about a token for some minutes, so a new one makes the first requests slower. A token of a service account that was
    deleted is invalid, whatever its expiry.
    """
    claims = _claims(text)
    account = claims.get("kubernetes.io", {}).get("serviceaccount", {})
    try:
        expires = float(claims["exp"])
    except (KeyError, TypeError, ValueError):
        return None
    return Token(text, expires) if account.get("uid") == uid and shortest_s <= expires - now <= longest_s + TOLERANCE_S else None


def _claims(token: str) -> dict[str, Any]:
    """Return the claims of a JSON Web Token (RFC 7519), which are not verified; nothing if it is none."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _lifetime(token: str) -> int:
    """Return the lifetime in seconds of a token by its own claims, 0 if it has none: some servers return the request's spec unchanged."""
    claims = _claims(token)
    try:
        return int(claims["exp"]) - int(claims["iat"])
    except (KeyError, TypeError, ValueError):
        return 0


def iso(epoch: float) -> str:
    """Return a time in ISO 8601 format, in UTC and whole seconds."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def token_facts(tokens: list[Token]) -> dict[str, Any]:
    """Return {expires, expires_at, count} of tokens written together, with the earliest expiry."""
    expires = min(token.expires for token in tokens)
    return {"expires": expires, "expires_at": iso(expires), "count": len(tokens)}
