# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small playbooks, run by ansible-playbook with callbacks of this collection, in a pipe or in a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(Path(sys.executable).with_name("ansible-playbook"))
LIMIT_S = 120


def run_playbook(directory: Path, text: str, *options: str, terminal: bool = False, interrupt_at: str = "", **environment: str) -> tuple[int, str]:
    """Run a playbook with the callbacks of ansible.cfg; return its exit code and its output.

    On a terminal it is interrupted as soon as it has printed `interrupt_at`.
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
    command = [PROGRAM, "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", str(directory / "play.yml"), *options]
    arguments = {"cwd": directory, "env": {**inherited, **settings, **environment}}
    if not terminal:
        finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False, **arguments)
        return _shown(finished.returncode, finished.stdout)
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True, **arguments) as playing:
        os.close(theirs)
        output = b""
        try:
            while part := os.read(ours, 65536):
                output += part
                if interrupt_at and interrupt_at.encode() in output:
                    interrupt_at = ""
                    playing.send_signal(signal.SIGINT)
        except OSError:  # the terminal has no writer any more
            pass
        os.close(ours)
    return _shown(playing.returncode, output)


def _shown(code: int, output: bytes) -> tuple[int, str]:
    """Return code and text; pytest shows the text when a test fails."""
    text = output.decode("utf-8", "replace")
    print(text)
    return code, text
