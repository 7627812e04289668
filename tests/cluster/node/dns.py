# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of services, for pods and for controllers inside the network namespace."""

from __future__ import annotations

from pathlib import Path

from node import layout
from node.kubelet import CLUSTER_DOMAIN
from node.program import Program

# Other names do not exist: no server that could resolve them is reachable from here.
COREFILE = """\
{domain}:53 in-addr.arpa:53 {{
    bind {address}
    errors
    ready {address}:8181
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 1
    }}
}}
.:53 {{
    bind {address}
    template ANY ANY . {{
        rcode NXDOMAIN
    }}
}}
"""


def write_configuration(places: layout.Layout) -> None:
    text = COREFILE.format(domain=CLUSTER_DOMAIN, address=layout.ADDRESS, kubeconfig=places.kubeconfig_of("coredns"))
    (places.config / "Corefile").write_text(text, encoding="utf-8")
    search = f"search svc.{CLUSTER_DOMAIN} {CLUSTER_DOMAIN}"
    places.resolv_conf.write_text(f"nameserver {layout.ADDRESS}\n{search}\noptions ndots:5\n", encoding="utf-8")


def coredns(places: layout.Layout, binaries: Path) -> Program:
    return Program("coredns", [str(binaries / "coredns"), "-conf", str(places.config / "Corefile")], f"http://{layout.ADDRESS}:8181/ready")
