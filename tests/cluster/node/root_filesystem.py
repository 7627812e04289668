# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that become the root of a container: Debian packages unpacked side by side, a static busybox, accounts."""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local.commands import run

# What no container here reads; half of an image's files.
UNREAD = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/i18n", "usr/share/info", "usr/share/lintian", "var", "dev")
# Debian's merged directories (https://wiki.debian.org/UsrMerge); the package with the links is not among the unpacked ones.
MERGED = ("bin", "lib", "lib64", "sbin")
# The shell tools that scripts in our images use.
APPLETS = (
    "sh ls cat cp mv rm mkdir rmdir ln chmod touch tar gzip sleep date env id test sha256sum wc head tail grep sed awk find kill ps stat df du "
    "nc nslookup wget mktemp sort tr cut true false"
)


def debian(root: Path, suite: str, *packages: str) -> Path:
    """Unpack packages with all they need, without running their scripts, and return the root. Raises ToolError."""
    command = ["mmdebstrap", "--mode=root", "--variant=extract", "--quiet", f"--include={','.join(packages)}"]
    command += ['--aptopt=APT::Install-Recommends "false"', suite, str(root)]
    run(command, f"Debian {suite} {' '.join(packages)}", "Check the connection to the package mirror")
    for name in UNREAD:
        shutil.rmtree(root / name, ignore_errors=True)
    for name in MERGED:
        if not (root / name).exists() and (root / "usr" / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    return root


def add_busybox(root: Path) -> Path:
    """Add a static busybox, and a link for each applet that is not there as a program; return the root."""
    for name in ("bin", "etc", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy2(str(shutil.which("busybox")), root / "bin" / "busybox")
    for name in APPLETS.split():
        link = root / "bin" / name
        if not link.is_symlink() and not link.exists():
            link.symlink_to("busybox")
    return root


def add_account(root: Path, name: str, uid: int, gid: int) -> None:
    """Add a user; programs that look up their own user need an entry."""
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc" / "passwd").write_text(f"root:x:0:0:root:/root:/bin/sh\n{name}:x:{uid}:{gid}:{name}:/tmp:/bin/sh\n", encoding="ascii")
    (root / "etc" / "group").write_text(f"root:x:0:\n{f'{name}:x:{gid}:' if gid else ''}\n", encoding="ascii")
    (root / "etc" / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n", encoding="ascii")


def add_program(root: Path, path: str, text: str) -> None:
    """Write an executable text file."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)


def prune(root: Path, *patterns: str) -> None:
    """Remove the files and directories that match glob patterns below a root."""
    for pattern in patterns:
        for path in list(root.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
