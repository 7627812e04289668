# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unprivileged accounts of this machine, and what they can reach."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import Any


def unprivileged(names: tuple[str, ...] = ("postgres", "nobody")) -> pwd.struct_passwd | None:
    """Return the first of these accounts that exists, or None when we are not root and can stay who we are.

    Raises KeyError when we are root and none exists.
    """
    if os.geteuid() != 0:
        return None
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise KeyError(" or ".join(names))


def identity(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return the arguments that make subprocess run as an account; none for the present one."""
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}


def reaches(account: pwd.struct_passwd | None, path: Path) -> bool:
    """Return whether an account may enter every existing directory of a path."""
    if account is None:
        return True
    for directory in (path, *path.parents):
        if directory.is_dir():
            facts = directory.stat()
            bit = stat.S_IXOTH
            if facts.st_uid == account.pw_uid:
                bit = stat.S_IXUSR
            elif facts.st_gid == account.pw_gid:
                bit = stat.S_IXGRP
            if not facts.st_mode & bit:
                return False
    return True
