# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd and the network of pods."""

from __future__ import annotations

import json

from node import layout
from node.program import Program

PAUSE_IMAGE = "localhost/pause:1"

TEMPLATE = """\
version = 2
root = "{state}/containerd"
state = "{state}/containerd-state"
# It is not used here, and writes to a directory that is not ours.
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Without CAP_SYS_RESOURCE (a container's root) no process may lower an OOM score.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{config}/cni"
"""
POD_NETWORK = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods",
            "isGateway": True,
            "hairpinMode": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": layout.POD_NETWORK}]], "routes": [{"dst": "0.0.0.0/0"}]},
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}


def write_configuration(places: layout.Layout) -> None:
    text = TEMPLATE.format(state=places.state, socket=places.containerd_socket, pause=PAUSE_IMAGE, config=places.config)
    (places.config / "containerd.toml").write_text(text, encoding="utf-8")
    (places.config / "cni").mkdir(exist_ok=True)
    (places.config / "cni" / "pods.conflist").write_text(json.dumps(POD_NETWORK), encoding="utf-8")


def containerd(places: layout.Layout) -> Program:
    return Program("containerd", ["containerd", "--config", str(places.config / "containerd.toml")])
