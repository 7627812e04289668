# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two images that every pod and every volume needs."""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from node import container_runtime, go_programs, root_filesystem, storage
from node.image_archive import Image
from node.images import archive


def pause(directory: Path) -> Path:
    """Return the image of the first process of every pod. Raises ToolError."""
    program = go_programs.ensure(directory, go_programs.PAUSE) / "pause"

    def build(work: Path) -> Image:
        (work / "root").mkdir()
        shutil.copy2(program, work / "root" / "pause")
        return Image(container_runtime.PAUSE_IMAGE, [work / "root"], entrypoint=["/pause"], user="65535:65535")

    return archive.ensure(directory, "pause", cache.key_of(program.parent.name), build)


def busybox(directory: Path) -> Path:
    """Return the image for helper pods of volumes, and for tests that need a shell. Raises ToolError."""
    key = cache.key_of(root_filesystem.APPLETS)

    def build(work: Path) -> Image:
        return Image(storage.HELPER_IMAGE, [root_filesystem.add_busybox(work / "root")], command=["sleep", "infinity"])

    return archive.ensure(directory, "busybox", key, build)
