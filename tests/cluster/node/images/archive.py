# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of images in the cache, and their import into containerd."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import run
from node import layout
from node.image_archive import Image, write

ARCHIVE = "image.tar"
NAME = "name"


def ensure(directory: Path, name: str, key: str, build_image: Callable[[Path], Image]) -> Path:
    """Return the cache entry of an image, which `build_image` lays out below the directory that it gets, once for each key. Raises ToolError."""

    def build(target: Path) -> None:
        work = target / "work"
        work.mkdir()
        image = build_image(work)
        write(image, target / ARCHIVE)
        (target / NAME).write_text(image.name, encoding="utf-8")
        shutil.rmtree(work)

    return cache.entry(directory, f"image-{name}-{key}", build)[0]


def load(places: layout.Layout, entry: Path) -> str:
    """Import an image into containerd, unless it has the same already, and return its name. Raises ToolError."""
    known = places.state / "loaded" / entry.name
    if not known.exists():
        command = ["ctr", "--address", str(places.containerd_socket), "--namespace", "k8s.io", "images", "import", str(entry / ARCHIVE)]
        run(command, f"Image {entry.name}", "Read the log of containerd in the state directory")
        known.parent.mkdir(exist_ok=True)
        known.touch()
    return (entry / NAME).read_text(encoding="utf-8")
