# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a state directory: one ansible-playbook at a time uses a local stack; a lock of an ended one does not count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache

LOCK_NAME = "lock.json"


class StateDirectoryBusyError(Exception):
    """Another running ansible-playbook uses the state directory; the text is a sentence."""


def holder_of(state_dir: Path) -> dict[str, Any]:
    """Return the running holder of the lock ({pid, start_time, run_id}), or an empty dictionary."""
    holder = handles.read(state_dir / LOCK_NAME)
    return holder if holder and handles.process_of(holder) is not None else {}


def check(state_dir: Path, mine: dict[str, Any]) -> bool:
    """Return whether the lock is already ours. Raises StateDirectoryBusyError when another running one holds it."""
    holder = holder_of(state_dir)
    if holder and holder["pid"] != mine["pid"]:
        raise StateDirectoryBusyError(
            f"Local stack {state_dir}: in use by run {holder.get('run_id') or 'unnamed'} (ansible-playbook with pid {holder['pid']}). "
            "Wait for it to end, or choose another local_stack_state_dir."
        )
    return bool(holder)


def acquire(state_dir: Path, run_id: str, dry: bool = False) -> bool:
    """Acquire the lock; return whether it was not ours before. Raises StateDirectoryBusyError, or ToolError when it cannot be written."""
    mine = handles.controller()
    if dry:
        return not check(state_dir, mine)
    with cache.locked(state_dir / "lock"):
        is_mine = check(state_dir, mine)
        if not is_mine:
            write_json(state_dir / LOCK_NAME, {**mine, "run_id": run_id})
    return not is_mine


def release(state_dir: Path, dry: bool = False) -> bool:
    """Release the lock unless another one holds it; return whether there was one. Raises StateDirectoryBusyError."""
    check(state_dir, handles.controller())
    existed = (state_dir / LOCK_NAME).exists()
    if not dry:
        (state_dir / LOCK_NAME).unlink(missing_ok=True)
    return existed
