# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and kubeconfigs of the node, created by kubeadm's own phases
(https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init-phase/)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import run
from node import layout

# File name -> (user, groups) of a client that kubeadm has no phase for; what they may do is in manifests/.
CLIENTS = {
    "kube-proxy": ("system:kube-proxy", ()),
    "coredns": ("perfscale:coredns", ()),
    "local-path": ("perfscale:local-path", ()),
    "monitoring": ("perfscale:monitoring", ()),
}
PHASES = ("admin", "super-admin", "controller-manager", "scheduler", "kubelet")
REMEDY = "Read the message of kubeadm"


def configuration(places: layout.Layout, version: str) -> list[dict[str, Any]]:
    """Return kubeadm's configuration (kubeadm.k8s.io/v1beta4)."""
    api = "kubeadm.k8s.io/v1beta4"
    return [
        {
            "apiVersion": api,
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": layout.ADDRESS, "bindPort": layout.API_PORT},
            "nodeRegistration": {"name": layout.NODE, "criSocket": f"unix://{places.containerd_socket}"},
        },
        {
            "apiVersion": api,
            "kind": "ClusterConfiguration",
            "kubernetesVersion": version,
            "clusterName": "perfscale",
            "certificatesDir": str(places.pki),
            "controlPlaneEndpoint": f"{layout.ADDRESS}:{layout.API_PORT}",
            "networking": {"serviceSubnet": layout.SERVICE_NETWORK, "podSubnet": layout.POD_NETWORK},
            "apiServer": {"certSANs": ["127.0.0.1", "localhost"]},
        },
    ]


def ensure(places: layout.Layout, kubeadm: Path, version: str) -> None:
    """Create what is missing. Raises ToolError."""
    config = places.config / "kubeadm.yaml"
    config.write_text("\n---\n".join(json.dumps(document) for document in configuration(places, version)) + "\n", encoding="utf-8")
    if not (places.pki / "sa.key").exists():
        run([str(kubeadm), "init", "phase", "certs", "all", "--config", str(config)], "Certificates", REMEDY)
    for phase in PHASES:
        if not places.kubeconfig_of(phase).exists():
            command = [str(kubeadm), "init", "phase", "kubeconfig", phase, "--config", str(config), "--kubeconfig-dir", str(places.config)]
            run(command, f"Kubeconfig {phase}", REMEDY)
    for name, (user, groups) in CLIENTS.items():
        file = places.kubeconfig_of(name)
        if not file.exists():
            command = [str(kubeadm), "kubeconfig", "user", "--config", str(config), "--client-name", user, *(f"--org={group}" for group in groups)]
            output = run(command, f"Kubeconfig {name}", REMEDY)
            file.touch(mode=0o600)
            # kubeadm may warn before it prints the document.
            file.write_text(output[output.index("apiVersion:") :], encoding="utf-8")
    if not places.kubeconfig.exists():
        places.kubeconfig.touch(mode=0o600)
        places.kubeconfig.write_text(places.kubeconfig_of("super-admin").read_text(encoding="utf-8"), encoding="utf-8")
