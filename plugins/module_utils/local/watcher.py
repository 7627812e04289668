# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher: parent of one detached process, which records how it ended.

process.py feeds this file's source to a bare interpreter (`python -I -S -`) with a clean environment, so it uses the standard
library only, imports nothing of the collection, and its own command line does not show what it watches.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

# How often the use of the machine is noted.
MACHINE_INTERVAL_S = 1.0
MACHINE_COLUMNS = ("time", "cores", "machine_cpu_s", "own_cpu_s", "own_wait_s")
# How long members of the process's group may take to end after their leader has ended.
GROUP_LIMIT_S = 10.0


def stat_fields(pid: int) -> list[bytes]:
    """Return the fields of /proc/<pid>/stat from the state on (field 3 of proc(5) is index 0)."""
    with open(f"/proc/{pid}/stat", "rb") as stream:
        return stream.read().rsplit(b") ", 1)[1].split()


def start_time(pid: int) -> float:
    """Return when a process started, in epoch seconds; the same number as psutil's create_time.

    It identifies a process, but is not exact: the boot time in it is a whole second.
    """
    with open("/proc/stat", "rb") as stream:
        boot = next(float(line.split()[1]) for line in stream if line.startswith(b"btime "))
    return float(stat_fields(pid)[19]) / os.sysconf("SC_CLK_TCK") + boot


def group_members(group: int) -> list[int]:
    """Return the pids of a process group without its leader."""
    members = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != group:
            try:
                if int(stat_fields(int(name))[2]) == group:
                    members.append(int(name))
            except (OSError, IndexError, ValueError):
                continue
    return members


def write_json(path: str, document: dict[str, Any]) -> None:
    """Write a JSON file through a temporary name."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(document, stream, indent=2)
        stream.write("\n")
    os.replace(temporary, path)


def machine_line(pid: int) -> str:
    """Return one line of MACHINE_COLUMNS: epoch seconds, processors, and the CPU seconds that the machine and a process have used so far.

    own_wait_s is how long its threads were ready to run and had no processor (/proc/<pid>/task/<tid>/schedstat), empty where the kernel does not say.
    Stolen time counts as used. Raises OSError when the process is gone.
    """
    ticks = os.sysconf("SC_CLK_TCK")
    with open("/proc/stat", "rb") as stream:
        user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = map(int, stream.read().split()[1:9])
    own = stat_fields(pid)
    machine_s = (user + nice + system + interrupts + soft_interrupts + stolen) / ticks
    own_s = (int(own[11]) + int(own[12])) / ticks
    return f"{time.time():.3f},{os.sysconf('SC_NPROCESSORS_ONLN')},{machine_s:.2f},{own_s:.2f},{wait_of(pid)}\n"


def wait_of(pid: int) -> str:
    """Return the seconds for which the threads of a process waited for a processor, empty where the kernel does not say."""
    waited = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as stream:
                waited.append(int(stream.read().split()[1]))
        except (OSError, IndexError, ValueError):
            continue
    return f"{sum(waited) / 1e9:.3f}" if waited else ""


def note_machine(pid: int, path: str, ended: threading.Event) -> None:
    """Write a line about the machine and the process each second until it has ended. A line that cannot be had or written ends the notes, nothing else."""
    try:
        with open(path, "w", encoding="utf-8", buffering=1) as stream:
            stream.write(",".join(MACHINE_COLUMNS) + "\n")
            while True:
                is_last = ended.is_set()
                stream.write(machine_line(pid))
                if is_last:
                    return
                ended.wait(MACHINE_INTERVAL_S)
    except (OSError, ValueError, IndexError):
        return


def end_group(group: int, limit_s: float = GROUP_LIMIT_S) -> None:
    """End the processes that the leader left behind. The leader is not reaped yet, so its pid cannot belong to another process."""
    deadline = time.monotonic() + limit_s
    if group_members(group):
        os.killpg(group, signal.SIGTERM)
    while group_members(group):
        if time.monotonic() > deadline:
            os.killpg(group, signal.SIGKILL)
            break
        time.sleep(0.05)


def launch(spec: dict[str, Any]) -> tuple[subprocess.Popen[bytes], float]:
    """Start the process in its own session and return it with its start time. Raises OSError."""
    with open(spec["log_file"], "ab") as log:
        child = subprocess.Popen(  # pylint: disable=consider-using-with
            spec["argv"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=spec["chdir"],
            env=spec["env"],
            close_fds=True,
            start_new_session=True,
            **spec["identity"],
        )
    return child, start_time(child.pid)


def report_line(report: dict[str, Any]) -> None:
    """Write one line for the process that started us."""
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


def supervise(spec: dict[str, Any]) -> None:
    """Start the process, report {handle} or {error} as one line on standard output, and wait until the process ends."""
    started = time.time()
    try:
        # The process inherits the lower priority.
        os.nice(spec.get("nice", 0))
        child, identity = launch(spec)
    except (OSError, subprocess.SubprocessError) as error:
        report_line({"error": str(error)})
        return
    handle = {
        **spec["handle"],
        "pid": child.pid,
        "start_time": identity,
        "watcher_pid": os.getpid(),
        "watcher_start_time": start_time(os.getpid()),
    }
    write_json(spec["handle_file"], handle)
    report_line({"handle": handle})
    with open(os.devnull, "r+b") as nothing:
        for descriptor in (0, 1, 2):
            os.dup2(nothing.fileno(), descriptor)
    is_ended = threading.Event()
    notes = threading.Thread(target=note_machine, args=(child.pid, spec["machine_file"], is_ended), daemon=True) if spec.get("machine_file") else None
    if notes:
        notes.start()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    ended = time.time()
    is_ended.set()
    if notes:
        notes.join(MACHINE_INTERVAL_S)
    end_group(child.pid)
    _pid, status, usage = os.wait4(child.pid, 0)
    write_json(
        spec["exit_file"],
        {
            "pid": child.pid,
            "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "started": started,
            "ended": ended,
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 6),
            "max_rss_bytes": usage.ru_maxrss * 1024,
        },
    )


if __name__ == "__main__" and len(sys.argv) > 1:
    supervise(json.loads(sys.argv[1]))
