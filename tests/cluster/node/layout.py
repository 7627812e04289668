# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories of the node, and its addresses inside its network namespace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache

NODE = "node0"
ADDRESS = "10.200.0.1"
NODE_NETWORK = "10.200.0.0/24"
# No host has this address: it is the gateway of a default route, so that service addresses are routed and then translated.
GATEWAY = "10.200.0.2"
POD_NETWORK = "10.201.0.0/16"
SERVICE_NETWORK = "10.202.0.0/16"
API_PORT = 6443
PROMETHEUS_PORT = 9090


@dataclass(frozen=True)
class Layout:
    """Paths of one node. `cache` has what is built once, `state` what `down` removes."""

    cache: Path

    @property
    def state(self) -> Path:
        return self.cache / "cluster"

    @property
    def netns(self) -> Path:
        """The network namespace, held by a mount on this file."""
        return self.state / "netns"

    @property
    def control_group(self) -> str:
        """The group below which everything hangs that runs in a pod; each cluster of a machine has its own."""
        return f"perfscale-node-{cache.key_of(str(self.state))}"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def config(self) -> Path:
        """Configuration and kubeconfigs of the node's programs."""
        return self.state / "config"

    @property
    def processes(self) -> Path:
        """Handle and log."""
        return self.state / "processes"

    @property
    def kubeconfig(self) -> Path:
        """Return the kubeconfig of people and tests, with all permissions."""
        return self.state / "kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        return self.state / "containerd.sock"

    @property
    def volumes(self) -> Path:
        """What the default StorageClass hands out."""
        return self.state / "volumes"

    @property
    def audit_log(self) -> Path:
        """One JSON document a line for every request to the API server."""
        return self.state / "audit.log"

    @property
    def resolv_conf(self) -> Path:
        return self.state / "resolv.conf"

    @property
    def images(self) -> Path:
        """The names of the images that were loaded, by what is in them."""
        return self.state / "images.json"

    @property
    def stages(self) -> Path:
        """How many seconds each stage of `up` took."""
        return self.state / "stages.json"

    def kubeconfig_of(self, name: str) -> Path:
        return self.config / f"{name}.conf"


def default() -> Layout:
    """Return the layout in the user's cache directory; XDG_CACHE_HOME moves it."""
    return Layout(cache.default_directory())
