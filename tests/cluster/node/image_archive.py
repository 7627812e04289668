# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container image as one file, in the format of `docker save`: layers, a configuration and a manifest
(https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md). Nothing is pulled and no builder is needed."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHUNK = 1 << 20


@dataclass
class Image:
    """What a container gets. `layers` are directories whose content becomes the root, later ones over earlier ones."""

    name: str
    layers: list[Path]
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    user: str = ""
    env: dict[str, str] = field(default_factory=dict)
    directory: str = "/"

    def configuration(self, digests: Iterable[str]) -> dict[str, Any]:
        """Return the image configuration for layers with these SHA-256 digests."""
        config = {
            "Entrypoint": self.entrypoint or None,
            "Cmd": self.command or None,
            "User": self.user,
            "Env": [f"{name}={value}" for name, value in self.env.items()],
            "WorkingDir": self.directory,
        }
        rootfs = {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]}
        return {"architecture": "amd64", "os": "linux", "config": config, "rootfs": rootfs}


def write(image: Image, target: Path) -> None:
    """Write the archive of an image."""
    with tarfile.open(target, "w") as archive:
        digests = []
        for number, directory in enumerate(image.layers):
            layer = target.with_suffix(f".layer-{number}")
            digests.append(_pack(directory, layer))
            archive.add(layer, arcname=f"{digests[-1]}.tar")
            layer.unlink()
        config = json.dumps(image.configuration(digests)).encode()
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        manifest = [{"Config": name, "RepoTags": [image.name], "Layers": [f"{digest}.tar" for digest in digests]}]
        for file, content in ((name, config), ("manifest.json", json.dumps(manifest).encode())):
            entry = tarfile.TarInfo(file)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _pack(directory: Path, layer: Path) -> str:
    """Write a directory as a layer and return its digest. Owners are dropped: the files of an image belong to root."""

    def owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(layer, "w") as tar:
        for path in sorted(directory.iterdir()):
            tar.add(path, arcname=path.name, filter=owned_by_root)
    digest = hashlib.sha256()
    with open(layer, "rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
