# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorities that clients of a cluster's servers trust, collected from Secrets, ConfigMaps and files."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

KINDS = ("Secret", "ConfigMap", "File")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def collect(cluster: Cluster, sources: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Returns the distinct PEM certificates of all sources, and the names of those sources that have none.

    Nothing but certificates is taken from a source, whatever else it holds. Raises ClusterError.
    """
    certificates: dict[str, None] = {}
    missing = []
    for source in sources:
        found = _CERTIFICATE.findall(_text(cluster, source))
        certificates |= dict.fromkeys(found)
        if not found:
            missing.append(_name(source))
    return list(certificates), missing


def _name(source: Mapping[str, Any]) -> str:
    if source["kind"] == "File":
        return f"File {source['name']}"
    return f"{source['kind']} {source['namespace']}/{source['name']}, key {source['key']}"


def _text(cluster: Cluster, source: Mapping[str, Any]) -> str:
    kind = source["kind"]
    if kind == "File":
        try:
            return Path(source["name"]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not text"
            raise ClusterError(f"CA file {source['name']}: cannot be read ({why}). Correct the path or its permissions.") from error
    if not source.get("namespace") or not source.get("key"):
        raise ClusterError(f"{kind} {source['name']}: needs a namespace and a key. Name both.")
    found = cluster.get(f"/api/v1/namespaces/{source['namespace']}/{kind.lower()}s/{source['name']}") or {}
    value = (found.get("data") or {}).get(source["key"], "")
    return base64.b64decode(value).decode("utf-8", "replace") if kind == "Secret" else value
