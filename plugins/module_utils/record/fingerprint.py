# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of the fingerprint: the load scripts and the Python packages that turn their output into numbers."""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

# The packages that shape a figure or a file; the rest of the environment follows from requirements.txt.
PACKAGES = ("ansible-core", "jinja2", "jsonschema", "k6", "kubernetes", "matplotlib", "numpy", "pandas", "psutil", "urllib3")


def script_digest(directory: Path | str) -> str:
    """Return the first 12 hex digits of the SHA-256 over names and contents of all scripts below a directory."""
    root = Path(directory)
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.js")):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def package_versions(names: tuple[str, ...] = PACKAGES) -> dict[str, str | None]:
    """Return the installed versions by package, None where one is not installed."""
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def controller_fingerprint(scripts: Path | str) -> dict[str, Any]:
    """Return {script_digest, controller_python, packages}."""
    return {"script_digest": script_digest(scripts), "controller_python": platform.python_version(), "packages": package_versions()}
