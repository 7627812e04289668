# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd, API server, controller manager and scheduler as processes of the node."""

from __future__ import annotations

import json
from pathlib import Path

from node import layout
from node.program import Program

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # One line a request, when it is answered.
    "omitStages": ["RequestReceived"],
    "rules": [
        # The node's own traffic would bury what tests look for.
        {"level": "None", "users": ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy", "system:anonymous"]},
        {"level": "None", "users": ["perfscale:coredns", "perfscale:local-path", "perfscale:monitoring"]},
        {"level": "None", "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"]},
        {"level": "Metadata"},
    ],
}
ETCD_URL = "http://127.0.0.1:2379"


def write_configuration(places: layout.Layout) -> None:
    (places.config / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY), encoding="utf-8")


def etcd(places: layout.Layout, binaries: Path) -> Program:
    """Return etcd; it listens on the loopback of the network namespace and does not wait for the disk, since nothing outlives `down`."""
    peer = "http://127.0.0.1:2380"
    return Program(
        "etcd",
        [
            str(binaries / "etcd"),
            f"--data-dir={places.state / 'etcd'}",
            "--name=node0",
            f"--listen-client-urls={ETCD_URL}",
            f"--advertise-client-urls={ETCD_URL}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=node0={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
        f"{ETCD_URL}/health",
    )


def api_server(places: layout.Layout, binaries: Path) -> Program:
    pki = places.pki
    return Program(
        "kube-apiserver",
        [
            str(binaries / "kube-apiserver"),
            f"--advertise-address={layout.ADDRESS}",
            f"--secure-port={layout.API_PORT}",
            f"--etcd-servers={ETCD_URL}",
            "--allow-privileged=true",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={layout.SERVICE_NETWORK}",
            f"--client-ca-file={pki / 'ca.crt'}",
            f"--tls-cert-file={pki / 'apiserver.crt'}",
            f"--tls-private-key-file={pki / 'apiserver.key'}",
            f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
            f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki / 'sa.pub'}",
            f"--service-account-signing-key-file={pki / 'sa.key'}",
            f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki / 'front-proxy-client.crt'}",
            f"--proxy-client-key-file={pki / 'front-proxy-client.key'}",
            f"--audit-policy-file={places.config / 'audit-policy.json'}",
            f"--audit-log-path={places.audit_log}",
            # Megabytes. Tests read the log as one file, whose default of 100 a slow machine exceeds.
            "--audit-log-maxsize=1000",
        ],
        f"https://{layout.ADDRESS}:{layout.API_PORT}/readyz",
    )


def controller_manager(places: layout.Layout, binaries: Path) -> Program:
    pki, kubeconfig = places.pki, places.kubeconfig_of("controller-manager")
    return Program(
        "kube-controller-manager",
        [
            str(binaries / "kube-controller-manager"),
            *_client(kubeconfig),
            "--bind-address=127.0.0.1",
            f"--root-ca-file={pki / 'ca.crt'}",
            f"--service-account-private-key-file={pki / 'sa.key'}",
            f"--cluster-signing-cert-file={pki / 'ca.crt'}",
            f"--cluster-signing-key-file={pki / 'ca.key'}",
            "--use-service-account-credentials=true",
            f"--service-cluster-ip-range={layout.SERVICE_NETWORK}",
        ],
    )


def scheduler(places: layout.Layout, binaries: Path) -> Program:
    return Program("kube-scheduler", [str(binaries / "kube-scheduler"), *_client(places.kubeconfig_of("scheduler")), "--bind-address=127.0.0.1"])


def _client(kubeconfig: Path) -> list[str]:
    """Return the kubeconfig options of a component; with one of each there is no leader to elect."""
    names = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    return [*(f"--{name}={kubeconfig}" for name in names), "--leader-elect=false"]
