# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL as the usual images behave, and its exporter."""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from node import root_filesystem
from node.image_archive import Image
from node.images import archive

ENTRY = Path(__file__).with_name("postgresql_entry.sh")
SUITE, VERSION = "bookworm", "15"
USER = 999
BINARIES = f"/usr/lib/postgresql/{VERSION}/bin"
# Just-in-time compilation, which is two thirds of the size; the server does without it when the library is absent.
UNUSED = ("usr/lib/x86_64-linux-gnu/libLLVM*", "usr/lib/x86_64-linux-gnu/libz3*", "usr/lib/llvm*", f"usr/lib/postgresql/{VERSION}/lib/bitcode")
UNUSED += (f"usr/lib/postgresql/{VERSION}/lib/llvmjit*", "usr/share/perl*", "usr/lib/x86_64-linux-gnu/perl*")
EXPORTER = "prometheus-postgres-exporter"


def postgresql(directory: Path) -> Path:
    """Return the image of the server. Raises ToolError."""

    def build(work: Path) -> Image:
        root = root_filesystem.debian(work / "root", SUITE, f"postgresql-{VERSION}", "libnss-wrapper", "dash")
        root_filesystem.prune(root, *UNUSED)
        root_filesystem.add_busybox(root)
        root_filesystem.add_account(root, "postgres", USER, USER)
        root_filesystem.add_program(root, "usr/bin/docker-entrypoint.sh", ENTRY.read_text(encoding="utf-8"))
        data = root / "var/lib/postgresql/data"
        for place in (data, root / "var/run/postgresql"):
            place.mkdir(parents=True)
            place.chmod(0o1777)
        # PGUSER: clients in a container of another user id ask for the name of that id, in vain.
        env = {"PATH": f"{BINARIES}:/usr/bin:/bin", "PGDATA": "/var/lib/postgresql/data", "LANG": "C.UTF-8", "PGUSER": "postgres"}
        return Image(f"localhost/postgresql:{VERSION}", [root], ["docker-entrypoint.sh"], ["postgres"], f"{USER}:{USER}", env)

    return archive.ensure(directory, "postgresql", cache.key_of(SUITE, VERSION, "PGUSER", ENTRY.read_text(encoding="utf-8"), *UNUSED), build)


def exporter(directory: Path) -> Path:
    """Return the image of the exporter of Debian's version; it reads DATA_SOURCE_URI, DATA_SOURCE_USER and DATA_SOURCE_PASS_FILE. Raises ToolError."""

    def build(work: Path) -> Image:
        root = root_filesystem.debian(work / "root", SUITE, EXPORTER)
        for name in [path for path in (root / "usr/bin").iterdir() if path.name != EXPORTER]:
            name.unlink()
        shutil.rmtree(root / "usr/share", ignore_errors=True)
        (root / "tmp").chmod(0o1777)
        return Image("localhost/postgres-exporter:0.11.1", [root], [f"/usr/bin/{EXPORTER}"], user="65534:65534")

    return archive.ensure(directory, "postgres-exporter", cache.key_of(SUITE, EXPORTER), build)
