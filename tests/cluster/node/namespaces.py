# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network and the mount namespace of the node.

Nothing that listens there can be reached from the machine's own network, and nothing in there reaches further than its own addresses. Python 3.11 has
no os.setns (https://docs.python.org/3/library/os.html#os.setns, 3.12), so libc is called; a process changes itself, and so its children too.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError, run
from node import layout

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
# Directories that the kubelet and containerd use whatever their configuration says; in the node's mount namespace they are private.
PRIVATE = ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers")
REMEDY = "Run as root on Linux with network and mount namespaces (a container needs --privileged)"


def _libc(name: str, *arguments: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        raise ToolError(f"Namespace: {name} failed ({os.strerror(ctypes.get_errno())}). {REMEDY}.")


def join(file: Path | str, kind: int) -> None:
    """Move this process (of one thread) into a namespace. Raises ToolError."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ToolError(f"Namespace {file}: cannot be opened ({error.strerror}). Make the cluster with `make cluster-up`.") from error
    try:
        _libc("setns", descriptor, kind)
    finally:
        os.close(descriptor)


def mounted(path: Path) -> bool:
    """Return whether something is mounted on a path in this mount namespace."""
    with open("/proc/self/mounts", encoding="utf-8") as stream:
        return any(line.split(" ")[1] == str(path) for line in stream)


def ensure_network(places: layout.Layout) -> None:
    """Create the network namespace unless it is there, and enter it. Raises ToolError."""
    if not mounted(places.netns):
        places.netns.touch()
        run(["unshare", f"--net={places.netns}", "true"], "Network namespace", REMEDY)
        join(places.netns, CLONE_NEWNET)
        _configure()
    else:
        join(places.netns, CLONE_NEWNET)


def _configure() -> None:
    """Set up loopback, the node's address on a veth pair, a default route, and forwarding in the namespace."""
    for arguments in (
        "link set lo up",
        "link add node type veth peer name node-peer",
        f"address add {layout.ADDRESS}/{layout.NODE_NETWORK.split('/')[1]} dev node",
        "link set node up",
        "link set node-peer up",
        f"route add default via {layout.GATEWAY} dev node",
    ):
        run(["ip", *arguments.split()], "Network of the node", REMEDY)
    # Pods talk to pods through the bridge and to services through the node: both pass the node's packet filter.
    for setting in ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables"):
        file = Path("/proc/sys/net") / setting
        if file.exists():
            file.write_text("1", encoding="ascii")


def ensure_mounts(places: layout.Layout, living: int | None) -> None:
    """Enter the mount namespace of a living process of the node, or create one for the first. Raises ToolError.

    It ends with its last process, and so do the mounts of pods.
    """
    if living:
        join(f"/proc/{living}/ns/mnt", CLONE_NEWNS)
        return
    _libc("unshare", CLONE_NEWNS)
    run(["mount", "--make-rprivate", "/"], "Mount namespace", REMEDY)
    for path in PRIVATE:
        source = places.state / "private" / path.strip("/").replace("/", "-")
        source.mkdir(parents=True, exist_ok=True)
        run(["mount", "--bind", str(source), path], "Mount namespace", REMEDY)
    # The kubelet hands mounts on to pods that ask for it, which needs a shared tree; it is shared among the node's processes only.
    run(["mount", "--make-rshared", "/"], "Mount namespace", REMEDY)


def create_mount_points() -> list[str]:
    """Create the directories of PRIVATE on the machine itself and return those that were not there."""
    created: list[str] = []
    for path in PRIVATE:
        for directory in (*reversed(Path(path).parents), Path(path)):
            if not directory.exists():
                directory.mkdir()
                created.append(str(directory))
    return created


def enter(places: layout.Layout) -> None:
    """Move this process into the node's network; service names resolve there, for this process and its children only. Raises ToolError."""
    join(places.netns, CLONE_NEWNET)
    _libc("unshare", CLONE_NEWNS)
    run(["mount", "--make-rprivate", "/"], "Mount namespace", REMEDY)
    run(["mount", "--bind", str(places.resolv_conf), os.path.realpath("/etc/resolv.conf")], "Name resolution", REMEDY)


def remove_network(places: layout.Layout) -> None:
    """Let the network namespace go; it ends with the last process in it. Raises ToolError."""
    if mounted(places.netns):
        run(["umount", str(places.netns)], "Network namespace", "Look with lsns which process holds it")
