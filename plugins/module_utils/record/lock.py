# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a run directory: one ansible-playbook at a time works on a run; the lock of a process that has ended does not count."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import read_json, write_json

LOCK_NAME = ".lock.json"


class RunLockedError(Exception):
    """Another living process holds the lock of the run."""


def acquire(directory: Path) -> None:
    """Acquire the lock for this ansible-playbook. Raises RunLockedError when a living other one holds it."""
    path = directory / LOCK_NAME
    mine = handles.controller()
    try:
        holder = read_json(path) if path.exists() else {}
    except ValueError:
        holder = {}  # a truncated lock is left by a process that died while writing it
    if holder and holder != mine and handles.process_of(holder) is not None:
        raise RunLockedError(
            f"Run {directory.name}: ansible-playbook with pid {holder['pid']} is working on it. Wait for it to end, or start a run with another run_id."
        )
    write_json(path, mine)


def release(directory: Path) -> None:
    """Release the lock."""
    (directory / LOCK_NAME).unlink(missing_ok=True)
