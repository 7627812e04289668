# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Secret with which the load logs in, brought up to date in a running pod.

The kubelet renews mounted Secrets when it next syncs the pod, a minute later on average; a change of the pod's annotations makes it sync at once
(https://kubernetes.io/docs/concepts/configuration/secret/#mounted-secrets-are-updated-automatically).
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_layout as layout
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_script import PodScript
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import MERGE_PATCH, Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.objects import Objects

RENEWED = "perfscale.mlflow/access-renewed"
POLL_S = 0.5
# Without the annotation's help the kubelet needs up to its sync period and its cache's life: about two minutes.
WITHIN_S = 150.0


def content(token_file: str | None, token_map_file: str | None, ca_file: str | None) -> dict[str, bytes]:
    """Returns what the Secret is to hold, by file name. Raises ValueError for a file that cannot be read."""
    held = {}
    for name, path in ((layout.TOKEN, token_file), (layout.TOKEN_MAP, token_map_file), (layout.AUTHORITIES, ca_file)):
        if path:
            try:
                held[name] = Path(path).read_bytes()
            except OSError as error:
                raise ValueError(f"File {path}: cannot be read ({error.strerror}). Give the file for the load's {name}, or none.") from error
    return held


def secret(namespace: str, pod: str, held: Mapping[str, bytes]) -> dict[str, Any]:
    """Returns the Secret's manifest."""
    data = {name: base64.b64encode(value).decode() for name, value in held.items()}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": layout.secret_name(pod), "namespace": namespace}, "data": data}


def supply(objects: Objects, namespace: str, pod: str, held: Mapping[str, bytes]) -> bool:
    """Puts the files into the Secret; returns whether it changed. Raises ClusterError."""
    return bool(objects.present(secret(namespace, pod, held))["changed"])


def renew(cluster: Cluster, script: PodScript, held: Mapping[str, bytes], within_s: float = WITHIN_S) -> None:
    """Waits until the pod sees the files, and makes the kubelet look when it does not. Raises ClusterError naming the file that is missing."""
    wanted = {layout.access_file(name): hashlib.sha256(value).hexdigest() for name, value in held.items()}
    if not wanted:
        return
    container = script.container
    deadline = time.monotonic() + within_s
    is_told = False
    while True:
        seen = script.ask("sums", *wanted)
        stale = [path for path, digest in wanted.items() if seen.get(f"sum {path}") != digest]
        if not stale:
            return
        if time.monotonic() > deadline:
            raise ClusterError(
                f"Pod {container.namespace}/{container.pod}: does not see the new {', '.join(stale)} after {within_s:g} s. Look at the kubelet of its node."
            )
        if not is_told:
            patch = {"metadata": {"annotations": {RENEWED: f"{time.time():.3f}"}}}
            cluster.request("PATCH", f"/api/v1/namespaces/{container.namespace}/pods/{container.pod}", body=patch, content_type=MERGE_PATCH)
            is_told = True
        time.sleep(POLL_S)
