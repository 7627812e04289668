# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small playbooks, run by ansible-playbook with callbacks of this collection, in a pipe or in a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(Path(sys.executable).with_name("ansible-playbook"))


def run_playbook(
    directory: Path,
    text: str,
    *options: str,
    terminal: bool = False,
    react: tuple[str, Callable[[subprocess.Popen[bytes]], object]] | None = None,
    **environment: str,
) -> tuple[int, str]:
    """Run a playbook with the callbacks of ansible.cfg; return its exit code and its output.

    `react` is a text and what is done as soon as the text has been printed.
    """
    (directory / "play.yml").write_text(text, encoding="utf-8")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PERFSCALE_"))}
    settings = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_NOCOLOR": "1",
        "COLUMNS": "100",
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
    }
    interpreter = f"ansible_python_interpreter={sys.executable}"
    command = [PROGRAM, "-i", "localhost,", "-c", "local", "-e", interpreter, str(directory / "play.yml"), *options]
    ours, theirs = pty.openpty() if terminal else os.pipe()
    with subprocess.Popen(
        command, cwd=directory, env={**inherited, **settings, **environment}, stdin=theirs if terminal else None, stdout=theirs, stderr=theirs
    ) as playing:
        os.close(theirs)
        output = b""
        while part := _read(ours):
            output += part
            if react and react[0].encode() in output:
                react[1](playing)
                react = None
        os.close(ours)
    printed = output.decode("utf-8", "replace")
    print(printed)  # pytest shows it when a test fails
    return playing.returncode, printed


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # a terminal without a writer
        return b""
