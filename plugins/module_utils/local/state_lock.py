# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a state directory: one ansible-playbook at a time uses a local stack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import lock

LOCK_NAME = "lock"


class StateDirectoryBusyError(Exception):
    """Another running ansible-playbook uses the state directory; the text is a sentence."""


def check(state_dir: Path) -> bool:
    """Return whether the lock is ours already, without acquiring it. Raises StateDirectoryBusyError."""
    return _named(state_dir, lock.check)


def acquire(state_dir: Path, run_id: str, dry: bool = False) -> bool:
    """Acquire the lock; return whether it was not ours before. Raises StateDirectoryBusyError, or FileWriteError when it cannot be written."""
    return not check(state_dir) if dry else _named(state_dir, lambda path: lock.acquire(path, run_id))


def release(state_dir: Path, dry: bool = False) -> bool:
    """Release the lock; return whether it was ours. Raises StateDirectoryBusyError when another one holds it."""
    return check(state_dir) if dry else _named(state_dir, lock.release)


def _named(state_dir: Path, action: Callable[[Path], bool]) -> bool:
    try:
        return action(state_dir / LOCK_NAME)
    except lock.LockedError as error:
        run_id = error.owner.get("about") or "unnamed"
        raise StateDirectoryBusyError(
            f"Local stack {state_dir}: in use by run {run_id} ({error}). Wait for it to end, or choose another local_stack_state_dir."
        ) from error
