# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Secret with the files with which the load logs in: token, tokens per tenant, CA bundle; updated in a running pod.

The path of a token: a file of mode 0600 of the controller -> this Secret -> a mounted file, which k6 reads. Its configuration names that file.

The kubelet updates mounted Secrets when it next syncs the pod, a minute later on average; a change of the pod's annotations makes it sync at once
(https://kubernetes.io/docs/concepts/configuration/secret/#mounted-secrets-are-updated-automatically).
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.generator import pod_manifests as manifests
from ansible_collections.perfscale.mlflow.plugins.module_utils.generator.pod_rpc import PodRpc
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.cluster import MERGE_PATCH, Cluster
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.errors import ClusterError

UPDATED = "perfscale.mlflow/secret-updated"
POLL_S = 0.5
# Without the annotation the kubelet needs up to its sync period plus the lifetime of its cache: about two minutes.
TIMEOUT_S = 150.0


class NotMountedError(ClusterError):
    """The pod does not get the files of its Secret; another pod gets them when it starts."""


def read_files(token_file: str | None, token_map_file: str | None, ca_file: str | None) -> dict[str, bytes]:
    """Return the content of the Secret by file name. Raises ValueError for a file that cannot be read."""
    files = {}
    for name, path in ((manifests.TOKEN, token_file), (manifests.TOKEN_MAP, token_map_file), (manifests.CA_BUNDLE, ca_file)):
        if path:
            try:
                files[name] = Path(path).read_bytes()
            except OSError as error:
                raise ValueError(f"File {path}: not readable ({error.strerror}). Give the file for the load's {name}, or none.") from error
    return files


def secret(namespace: str, pod: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the manifest of the Secret."""
    data = {name: base64.b64encode(value).decode() for name, value in files.items()}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": manifests.secret_name(pod), "namespace": namespace}, "data": data}


def wait_until_mounted(cluster: Cluster, rpc: PodRpc, files: Mapping[str, bytes], timeout_s: float = TIMEOUT_S) -> None:
    """Wait until the pod has the files of the Secret; make the kubelet sync when it has not. Raises NotMountedError naming the missing file."""
    wanted = {manifests.secret_file(name): hashlib.sha256(value).hexdigest() for name, value in files.items()}
    if not wanted:
        return
    container = rpc.container
    deadline = time.monotonic() + timeout_s
    is_annotated = False
    while True:
        found = rpc.call("sums", *wanted)
        stale = [path for path, digest in wanted.items() if found.get(f"sum {path}") != digest]
        if not stale:
            return
        if time.monotonic() > deadline:
            raise NotMountedError(
                f"Pod {container.namespace}/{container.pod}: outdated {', '.join(stale)}, not updated within {timeout_s:g} s. Check the kubelet of its node."
            )
        if not is_annotated:
            patch = {"metadata": {"annotations": {UPDATED: f"{time.time():.3f}"}}}
            cluster.request("PATCH", f"/api/v1/namespaces/{container.namespace}/pods/{container.pod}", body=patch, content_type=MERGE_PATCH)
            is_annotated = True
        time.sleep(POLL_S)
