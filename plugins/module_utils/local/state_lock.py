# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a state directory: one ansible-playbook at a time uses a local stack; a lock of a dead one does not count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import write_json
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import cache
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import handle as handles

LOCK_NAME = "lock.json"


class Busy(Exception):
    """Another living ansible-playbook uses the state directory; the text is a sentence."""


def holder_of(state_dir: Path) -> dict[str, Any]:
    """Returns who holds the lock and lives ({pid, start_time, run_id}), or an empty dictionary."""
    holder = handles.read(state_dir / LOCK_NAME)
    return holder if holder and handles.process_of(holder) is not None else {}


def check(state_dir: Path, mine: dict[str, Any]) -> bool:
    """Returns whether the lock is already ours. Raises Busy when another one lives and holds it."""
    holder = holder_of(state_dir)
    if holder and holder["pid"] != mine["pid"]:
        raise Busy(
            f"Local stack {state_dir}: in use by run {holder.get('run_id') or 'without a name'} (ansible-playbook with pid {holder['pid']}). "
            "Wait for it to end, or choose another local_stack_state_dir."
        )
    return bool(holder)


def acquire(state_dir: Path, run_id: str, dry: bool = False) -> bool:
    """Takes the lock for this ansible-playbook; returns whether it was not ours before. Raises Busy, or ToolError when it cannot be written."""
    mine = handles.controller()
    if dry:
        return not check(state_dir, mine)
    with cache.locked(state_dir / "lock"):
        is_mine = check(state_dir, mine)
        if not is_mine:
            write_json(state_dir / LOCK_NAME, {**mine, "run_id": run_id})
    return not is_mine


def release(state_dir: Path, dry: bool = False) -> bool:
    """Gives the lock back if nobody else holds it; returns whether there was one. Raises Busy."""
    check(state_dir, handles.controller())
    existed = (state_dir / LOCK_NAME).exists()
    if not dry:
        (state_dir / LOCK_NAME).unlink(missing_ok=True)
    return existed
