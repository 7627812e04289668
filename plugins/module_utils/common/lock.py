# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a directory that one ansible-playbook at a time works in.

It is a lock of the operating system (flock(2)), which the kernel grants to one holder, whatever container or process namespace it runs in, and takes
back when the holder ends. Modules are short-lived, so a small process keeps it for the ansible-playbook that they run under, and ends with that.
A file beside the lock names the owner, for people. The keeper touches it, so that controllers on other machines, whose kernels may not share the
lock of a network file system, see that it is in use.
"""

from __future__ import annotations

import errno
import fcntl
import inspect
import os
import platform
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.files import FileWriteError, explain, write_json

HEARTBEAT_S = 15.0
# An owner on another machine that was silent for this long is dead.
EXPIRY_S = 4 * HEARTBEAT_S
_STOP_LIMIT_S = 5.0
_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
# The locks that this very process holds, by path.
_held: dict[str, int] = {}


class LockedError(Exception):
    """Another ansible-playbook holds the lock: `owner` as in its file, {} while it is not written yet, and a text that names it."""

    def __init__(self, owner: dict[str, Any]) -> None:
        self.owner = owner
        super().__init__(f"ansible-playbook with pid {owner['pid']} on {owner.get('host', 'this machine')}" if owner else "another ansible-playbook")


def owner_file(path: Path) -> Path:
    """Return the file that names the owner of a lock."""
    return path.with_name(f"{path.name}.json")


def acquire(path: Path, about: str = "") -> bool:
    """Acquire the lock for this ansible-playbook and return whether it was not ours before; `about` is named to others.

    Raises LockedError when another one holds it, and FileWriteError when the file system cannot lock.
    """
    mine = _identity()
    descriptor = _open(path)
    try:
        owner = _owner(path)
        if not _try_lock(path, descriptor):
            if _is_ours(path, owner, mine):
                return False
            if not _is_dead(owner, mine) or not _wait_for_keeper(path, descriptor):
                raise LockedError(owner)
        if _lives_elsewhere(path, owner, mine):
            raise LockedError(owner)
        write_json(owner_file(path), {**mine, "about": about})
        if mine["pid"] == os.getpid():
            _held[os.path.abspath(path)] = descriptor
            descriptor = -1
        else:
            keeper = _start_keeper(path, descriptor, mine["pid"])
            write_json(owner_file(path), {**mine, "about": about, "keeper": keeper})
        return True
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def check(path: Path) -> bool:
    """Return whether the lock is ours already, without acquiring it. Raises LockedError when another ansible-playbook holds it."""
    if not path.exists():
        return False
    mine, descriptor = _identity(), _open(path)
    try:
        owner = _owner(path)
        is_free = _try_lock(path, descriptor)
        if is_free and not _lives_elsewhere(path, owner, mine):
            return False
        if not is_free and _is_ours(path, owner, mine):
            return True
        raise LockedError(owner)
    finally:
        os.close(descriptor)


def release(path: Path) -> bool:
    """Release the lock and return whether it was ours. Raises LockedError when another ansible-playbook holds it."""
    if not check(path):
        return False
    owner = _owner(path)
    owner_file(path).unlink(missing_ok=True)
    descriptor = _held.pop(os.path.abspath(path), -1)
    if descriptor >= 0:
        os.close(descriptor)
    else:
        _stop_keeper(owner)
    return True


def hold(descriptor: int, pid: int, owner: str, interval_s: float) -> None:
    """Keep the lock of an inherited descriptor until the process `pid` ends or the owner's file is gone.

    Runs in a bare interpreter, with os and select and nothing else of this file.
    """
    os.fstat(descriptor)
    watched = -1
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):
        pass  # not Linux, or an old one
    while os.path.exists(owner):
        try:
            os.utime(owner)
            if watched < 0:
                os.kill(pid, 0)
        except ProcessLookupError:
            return
        except OSError:
            pass
        # Without a descriptor of the process it is looked for once a second.
        if select.select([watched] if watched >= 0 else [], [], [], interval_s if watched >= 0 else 1)[0]:
            return


def _identity() -> dict[str, Any]:
    """Return who we are: the controller's pid and start time, which mean something in one process namespace of one boot of one machine."""
    boot, namespace = platform.node(), ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    return {**handles.controller(), "host": platform.node(), "boot": boot, "namespace": namespace}


def _owner(path: Path) -> dict[str, Any]:
    return handles.read(owner_file(path)) or {}


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise FileWriteError(explain(path, error)) from error


def _try_lock(path: Path, descriptor: int) -> bool:
    """Lock the open file and return whether it worked, and the path still is that file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            raise FileWriteError(f"File {path}: the file system has no locks ({error.strerror}). Choose a directory on another file system.") from error
        return False


def _is_ours(path: Path, owner: dict[str, Any], mine: dict[str, Any]) -> bool:
    """Return whether the lock, which somebody holds, is held for us: by this process, or by a living keeper that we started."""
    if os.path.abspath(path) in _held:
        return bool(mine["pid"] == os.getpid())
    is_same = all(owner.get(key) == mine[key] for key in ("pid", "boot", "namespace"))
    keeper = owner.get("keeper")
    return is_same and handles.is_same_start(owner["start_time"], mine["start_time"]) and bool(keeper) and handles.process_of(keeper) is not None


def _is_dead(owner: dict[str, Any], mine: dict[str, Any]) -> bool:
    """Return whether the owner was a process that we could see, and do not."""
    return all(owner.get(key) == mine[key] for key in ("boot", "namespace")) and handles.process_of(owner) is None


def _wait_for_keeper(path: Path, descriptor: int) -> bool:
    """Return whether the keeper of a dead owner ended, as it does at once, and the lock is ours."""
    deadline = time.monotonic() + _STOP_LIMIT_S
    while not _try_lock(path, descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _lives_elsewhere(path: Path, owner: dict[str, Any], mine: dict[str, Any]) -> bool:
    """Return whether the owner is on another machine and gave a sign of life lately, by the clock of the file system."""
    if not owner.get("boot") or owner["boot"] == mine["boot"]:
        return False
    with suppress(OSError):
        os.utime(path)
        return abs(path.stat().st_mtime - owner_file(path).stat().st_mtime) < EXPIRY_S
    return False


def _start_keeper(path: Path, descriptor: int, pid: int) -> dict[str, Any]:
    """Start the process that keeps the lock, and return its handle."""
    source = f"import os\nimport select\n{inspect.getsource(hold)}\nhold({descriptor}, {pid}, {str(owner_file(path))!r}, {HEARTBEAT_S})\n"
    try:
        keeper = subprocess.Popen(  # pylint: disable=consider-using-with
            [sys.executable, "-I", "-S", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            close_fds=True,
            pass_fds=(descriptor,),
            start_new_session=True,
        )
        stdin = cast(Any, keeper.stdin)
        stdin.write(source.encode("utf-8"))
        stdin.close()
        start_time = handles.start_time(keeper.pid)
    except OSError as error:
        raise FileWriteError(explain(path, error)) from error
    # It outlives us on purpose.
    keeper.returncode = 0
    return {"pid": keeper.pid, "start_time": start_time}


def _stop_keeper(owner: dict[str, Any]) -> None:
    keeper = handles.process_of(owner.get("keeper"))
    if keeper is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(keeper.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_LIMIT_S
    while handles.process_of(owner.get("keeper")) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
