# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet and the proxy of services."""

from __future__ import annotations

import json
from pathlib import Path

from node import layout
from node.program import Program

CLUSTER_DOMAIN = "cluster.local"


def write_configuration(places: layout.Layout) -> None:
    kubelet = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{places.control_group}",
        "failSwapOn": False,
        "failCgroupV1": False,
        "containerRuntimeEndpoint": f"unix://{places.containerd_socket}",
        "clusterDNS": [layout.ADDRESS],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": str(places.resolv_conf),
        "podLogsDir": str(places.state / "pods"),
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": str(places.pki / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        # A test machine's disk may be nearly full without harm to tests that write little.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
    }
    proxy = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": layout.NODE,
        "clusterCIDR": layout.POD_NETWORK,
        "clientConnection": {"kubeconfig": str(places.kubeconfig_of("kube-proxy"))},
        "conntrack": {"maxPerCore": 0},
    }
    (places.config / "kubelet.json").write_text(json.dumps(kubelet), encoding="utf-8")
    (places.config / "kube-proxy.json").write_text(json.dumps(proxy), encoding="utf-8")


def kubelet(places: layout.Layout, binaries: Path) -> Program:
    return Program(
        "kubelet",
        [
            str(binaries / "kubelet"),
            f"--config={places.config / 'kubelet.json'}",
            f"--kubeconfig={places.kubeconfig_of('kubelet')}",
            f"--hostname-override={layout.NODE}",
            f"--node-ip={layout.ADDRESS}",
            f"--root-dir={places.state / 'kubelet'}",
            # cAdvisor would read a container only every 10 to 20 seconds, too seldom for the short windows of tests.
            "--housekeeping-interval=2s",
            # cAdvisor names containers only when it finds this socket.
            f"--containerd={places.containerd_socket}",
        ],
        "http://127.0.0.1:10248/healthz",
    )


def kube_proxy(places: layout.Layout, binaries: Path) -> Program:
    return Program("kube-proxy", [str(binaries / "kube-proxy"), f"--config={places.config / 'kube-proxy.json'}"], "http://127.0.0.1:10256/healthz")
