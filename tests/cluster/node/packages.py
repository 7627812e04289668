# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the operating system that the node needs, installed when they are missing, without starting any service."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import ToolError, run

# Required file -> the Debian package that contains it.
NEEDED = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "mount": "mount",
    "mmdebstrap": "mmdebstrap",
    "busybox": "busybox-static",
}
# Called by every maintainer script that would start a service (Debian Policy 9.3.3.1); 101 forbids it.
POLICY = Path("/usr/sbin/policy-rc.d")


def missing() -> dict[str, str]:
    """Return the part of NEEDED that this machine lacks."""
    return {what: package for what, package in NEEDED.items() if not (Path(what).exists() if what.startswith("/") else shutil.which(what))}


def ensure() -> list[str]:
    """Install what is missing and return the packages. Raises ToolError."""
    absent = missing()
    if not absent:
        return []
    wanted = sorted(set(absent.values()))
    if not shutil.which("apt-get"):
        remedy = "Install them, or set KUBECONFIG to a cluster that exists"
        raise ToolError(f"Programs {', '.join(sorted(absent))}: not found, and this system has no apt-get. {remedy}.")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    # A package source of a third party that does not respond must not matter: whether it worked is seen when the packages are installed.
    with suppress(ToolError):
        run(["apt-get", "-q", "update"], "Package lists", "Check the connection to the package mirror", env=quiet)
    with services_stay_stopped():
        command = ["apt-get", "-q", "install", "--yes", "--no-install-recommends", *wanted]
        run(command, f"Packages {', '.join(wanted)}", "Check the connection to the package mirror", env=quiet)
    if missing():
        raise ToolError(f"Programs {', '.join(sorted(missing()))}: still missing after apt-get installed {', '.join(wanted)}. Put them on PATH.")
    return wanted


@contextmanager
def services_stay_stopped() -> Iterator[None]:
    """Prevent installed packages from starting their services: ours run with our own configuration and state."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
