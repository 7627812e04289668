# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short commands that run to their end: their output, or an error in one sentence."""

from __future__ import annotations

import os
import re
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
        done = subprocess.run(
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
