# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MLflow with the authorization of the operator's clusters, a PostgreSQL driver and Prometheus metrics."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import run
from node import root_filesystem
from node.image_archive import Image
from node.images import archive

REQUIREMENTS = Path(__file__).parents[4] / "requirements-mlflow.txt"
# The authorization plugin needs Python 3.12 or newer, which Debian 12 does not have.
PLUGINS = "mlflow-kubernetes-plugins>=2.1,<2.2"
SUITE, PYTHON = "trixie", "3.13"
PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "libgomp1", "dash", "ca-certificates", "media-types", "netbase", "tzdata")
# What the server, its authorization and the drivers import: an image that cannot is found out here, not in a pod.
IMPORTED = "mlflow.server.fastapi_app, mlflow_kubernetes_plugins, psycopg2, prometheus_flask_exporter, sklearn, pyarrow"
USER = "1001:0"
PLACE = "opt/mlflow"
# The operator calls `mlflow server …`; its migration job calls python3.12 by that name.
ENTRY = """#!/bin/sh
exec python3 -m mlflow "$@"
"""
UNUSED = ("**/tests", "pyarrow/include", "pyarrow/src", "kubernetes/docs", "bin")


def mlflow(directory: Path) -> Path:
    """Return the image, tagged with the version of MLflow. Raises ToolError."""
    key = cache.key_of(REQUIREMENTS.read_text(encoding="utf-8"), PLUGINS, SUITE, PYTHON, ENTRY, *PACKAGES, *UNUSED)
    return archive.ensure(directory, "mlflow", key, _build)


def _build(work: Path) -> Image:
    root = root_filesystem.debian(work / "root", SUITE, *PACKAGES)
    root_filesystem.add_busybox(root)
    root_filesystem.add_account(root, "mlflow", int(USER.split(":")[0]), 0)
    root_filesystem.add_program(root, "usr/bin/mlflow", ENTRY)
    for name in ("python", "python3.12"):
        (root / "usr/bin" / name).symlink_to("python3")
    # Its own layer: it is the bulk, and it changes at other times than the system.
    packages = work / "packages" / PLACE
    packages.mkdir(parents=True)
    uv = cache.beside_interpreter("uv") or shutil.which("uv") or "uv"
    command = [uv, "pip", "install", "--quiet", "--target", str(packages), "--python-version", PYTHON, "--only-binary", ":all:"]
    run([*command, "-r", str(REQUIREMENTS), PLUGINS], "Image of MLflow", cache.INDEX_REMEDY)
    root_filesystem.prune(packages, *UNUSED)
    _compile(root, packages)
    found = next(path.name for path in packages.glob("mlflow-[0-9]*.dist-info"))
    version = re.fullmatch(r"mlflow-(.+)\.dist-info", found)[1]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"/{PLACE}", "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return Image(f"localhost/mlflow:{version}", [root, work / "packages"], command=["mlflow", "server"], user=USER, env=env)


def _compile(root: Path, packages: Path) -> None:
    """Import the packages with the image's own Python and compile them: a server that cannot write would do so at every start. Raises ToolError."""
    shown = root / PLACE
    shown.mkdir(parents=True)
    run(["mount", "--bind", str(packages), str(shown)], "Image of MLflow", "Run as root")
    # What is imported of the standard library is compiled too, where Python may write it.
    env = {"PYTHONPATH": f"/{PLACE}", "PYTHONDONTWRITEBYTECODE": ""}
    try:
        for arguments in (["-c", f"import {IMPORTED}"], ["-m", "compileall", "-q", f"/{PLACE}"]):
            run(["chroot", str(root), "python3", *arguments], "Image of MLflow", "Read the message of Python", env=env)
    finally:
        run(["umount", str(shown)], "Image of MLflow", "Run as root")
        shown.rmdir()
