# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default StorageClass: a directory of the machine for every PersistentVolumeClaim (https://github.com/rancher/local-path-provisioner)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from node import layout
from node.program import Program

NAMESPACE = "kube-system"
NAME = "local-path"
HELPER_IMAGE = "localhost/busybox:1"
# What the provisioner runs in a helper pod to create and to remove a volume.
SETUP = '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n'
TEARDOWN = '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n'
HELPER_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "helper-pod"},
    "spec": {"containers": [{"name": "helper-pod", "image": HELPER_IMAGE, "imagePullPolicy": "IfNotPresent"}]},
}


def configuration(places: layout.Layout) -> dict[str, Any]:
    return {"nodePathMap": [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [str(places.volumes)]}]}


def objects(places: layout.Layout) -> list[dict[str, Any]]:
    """Return the ConfigMap that the provisioner reads; its other objects are in manifests/."""
    data = {"config.json": json.dumps(configuration(places)), "setup": SETUP, "teardown": TEARDOWN, "helperPod.yaml": json.dumps(HELPER_POD)}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "namespace": NAMESPACE}, "data": data}]


def write_configuration(places: layout.Layout) -> None:
    (places.config / "local-path.json").write_text(json.dumps(configuration(places)), encoding="utf-8")


def provisioner(places: layout.Layout, binaries: Path) -> Program:
    return Program(
        "local-path-provisioner",
        [
            str(binaries / "local-path-provisioner"),
            "start",
            f"--kubeconfig={places.kubeconfig_of('local-path')}",
            f"--config={places.config / 'local-path.json'}",
            f"--namespace={NAMESPACE}",
            f"--configmap-name={NAME}",
            "--service-account-name=default",
            f"--helper-image={HELPER_IMAGE}",
        ],
        env={"POD_NAMESPACE": NAMESPACE},
    )
