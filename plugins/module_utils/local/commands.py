# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short commands that run to their end (their output, or an error in one sentence), and the unprivileged accounts that run them."""

from __future__ import annotations

import os
import pwd
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

COMMAND_LIMIT_S = 900.0


class ToolError(Exception):
    """A tool is missing or failed; the text is a sentence with the remedy."""


def run(
    argv: list[str],
    what: str,
    remedy: str,
    chdir: Path | str | None = None,
    identity: dict[str, Any] | None = None,
    text: str | None = None,
    env: dict[str, str] | None = None,
    limit_s: float | None = None,
) -> str:
    """Run a command and return its output (standard output and errors together).

    `identity` is {user, group, extra_groups} to run as, `text` its input, `limit_s` the seconds it may take (COMMAND_LIMIT_S).
    Raises ToolError "<what>: <last line>. <remedy>".
    """
    limit = limit_s or COMMAND_LIMIT_S
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            argv,
            cwd=chdir,
            env={**os.environ, **(env or {})},
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit,
            check=False,
            **(identity or {}),
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{what}: {argv[0]} did not end within {limit:g} s. {remedy}.") from error
    except OSError as error:
        raise ToolError(f"{what}: {argv[0]} not executable ({error.strerror}). {remedy}.") from error
    if done.returncode:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith(("e:", "error", "initdb: error", "fatal"))]
        last = (errors or lines or ["no output"])[-1].rstrip(".")
        raise ToolError(f"{what}: {Path(argv[0]).name} ended with exit code {done.returncode} ({last}). {remedy}.")
    return done.stdout


def version_of(binary: Path | str, what: str, program: str) -> str:
    """Return the first dotted number that `binary --version` prints, provided that it names the program. Raises ToolError."""
    output = run([str(binary), "--version"], what, "Replace it by a working one")
    found = re.search(r"\d+(?:\.\d+)+", output)
    if found and program in output:
        return found.group(0)
    raise ToolError(f"{what}: {binary} --version is not of {program}. Replace it by a working one.")


def at_least(version: str, minimum: str) -> bool:
    """Return whether a version reaches the minimum (PEP 440)."""
    from packaging.version import Version

    return Version(version) >= Version(minimum)


def unprivileged(names: tuple[str, ...] = ("postgres", "nobody")) -> pwd.struct_passwd | None:
    """Return the first of these accounts that exists, or None when we are not root and need no other account.

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
    """Return the arguments that make subprocess run as an account; none for the current one."""
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
