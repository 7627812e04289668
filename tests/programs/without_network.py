# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command where there is no network but loopback: in a network namespace of its own (Linux, unshare of util-linux).

As a script it is the first program in that namespace: it turns loopback on and becomes the command.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys

# linux/sockios.h and linux/if.h
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
# The user namespace is for users other than root.
UNSHARE = ("unshare", "--map-root-user", "--net")


def without_network(command: list[str]) -> list[str]:
    """Return the command that runs another one without a network."""
    return [*UNSHARE, sys.executable, __file__, *command]


def is_possible() -> bool:
    """Return whether this machine lets its user make namespaces."""
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
