# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load generator: k6 with a shell and the system CA bundle, as an unprivileged user."""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import version_of
from node import root_filesystem
from node.image_archive import Image
from node.images import archive

USER = 12345
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def k6(directory: Path, program: Path) -> Path:
    """Return the image of one k6 (a static program), tagged with its version. Raises ToolError."""
    version = version_of(program, f"k6 {program}", "k6")

    def build(work: Path) -> Image:
        root = root_filesystem.add_busybox(work / "root")
        root_filesystem.add_account(root, "k6", USER, USER)
        (root / "usr/bin").mkdir(parents=True)
        shutil.copy2(program, root / "usr/bin/k6")
        if CA_BUNDLE.exists():
            (root / "etc/ssl/certs").mkdir(parents=True)
            shutil.copy2(CA_BUNDLE, root / "etc/ssl/certs")
        return Image(f"localhost/k6:{version}", [root], entrypoint=["k6"], user=f"{USER}:{USER}", env={"PATH": "/usr/bin:/bin", "HOME": "/tmp"})

    return archive.ensure(directory, f"k6-{version}", cache.key_of(version, root_filesystem.APPLETS), build)
