# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Secret with a server's certificate: made when absent, renewed while it is ours, read when it is somebody else's."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import certificates, ownership
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects

# Below this many days of remaining validity our own certificate is made anew.
RENEW_DAYS = 14


def ensure(
    objects: Objects, namespace: str, name: str, dns_names: list[str], days: int, labels: Mapping[str, str] | None = None, dry_run: bool = False
) -> dict[str, Any]:
    """Returns {changed, owned, fingerprint} after the Secret holds a usable certificate; the private key is in the Secret and nowhere else.

    The fingerprint changes with the certificate, so that a server which reads it once can be started anew.

    Raises ClusterError, also for a foreign Secret that cannot serve these names.
    """
    found = objects.cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    data = _decoded(found or {})
    certificate = data.get("tls.crt", b"")
    if found is not None and not ownership.is_ours(found):
        # Whoever made it chose its names; the one that clients use has to be among them.
        if not certificates.serves(certificate, dns_names[:1], days=0):
            raise ClusterError(
                f"Secret {namespace}/{name}: is not ours, and its certificate is expired or not for {dns_names[0]}. "
                "Replace it, or delete it so that one is made."
            )
        return {"changed": False, "owned": False, "fingerprint": _fingerprint(certificate)}
    if certificates.serves(certificate, dns_names, RENEW_DAYS) and certificates.trusted_by(certificate, data.get("ca.crt", b"")):
        return {"changed": False, "owned": True, "fingerprint": _fingerprint(certificate)}
    made = certificates.issue(dns_names, days)
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels or {})},
        "type": "kubernetes.io/tls",
        "data": {key: base64.b64encode(value).decode() for key, value in made.items()},
    }
    if not dry_run:
        objects.present(manifest)
    return {"changed": True, "owned": True, "fingerprint": _fingerprint(made["tls.crt"])}


def _fingerprint(certificate: bytes) -> str:
    return hashlib.sha256(certificate).hexdigest()[:16]


def _decoded(secret: Mapping[str, Any]) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}
