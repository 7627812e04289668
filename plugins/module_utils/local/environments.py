# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python virtual environments in the cache, each known by a digest of its requirements."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import run

REMEDY = "Check the connection to the package index (or its mirror), then start again"


def ensure(directory: Path, name: str, requirements: str) -> tuple[Path, bool]:
    """Returns a virtual environment that holds the requirements (the text of a requirements file) and whether it was built now.

    Raises ToolError.
    """
    wanted = "\n".join(line.strip() for line in requirements.splitlines() if line.strip() and not line.startswith("#"))
    key = cache.key_of(wanted, platform.python_version(), platform.machine())

    def build(target: Path) -> None:
        listed = target / "requirements.txt"
        listed.write_text(wanted + "\n", encoding="utf-8")
        what = f"Environment {name}"
        uv = beside_interpreter("uv") or shutil.which("uv")
        if uv:
            run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(target)], what, REMEDY)
        else:
            # uv installs in seconds what takes pip minutes, so it is worth fetching first.
            run([sys.executable, "-m", "venv", str(target)], what, "Install the venv module of this Python")
            run([str(target / "bin/python"), "-m", "pip", "install", "--quiet", "uv"], what, REMEDY)
            uv = str(target / "bin/uv")
        run([uv, "pip", "install", "--quiet", "--python", str(target / "bin/python"), "-r", str(listed)], what, REMEDY)

    return cache.entry(directory, f"{name}-{key}", build)


def beside_interpreter(name: str) -> str | None:
    """Returns the program of that name in the directory of the running interpreter, or None."""
    return shutil.which(name, path=str(Path(sys.executable).parent))
