# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detached processes of this machine: started once, watched, and stopped only when they are ours."""

from __future__ import annotations

import inspect
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, cast

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import process_handle as handles
from ansible_collections.perfscale.mlflow.plugins.module_utils.common import proxies
from ansible_collections.perfscale.mlflow.plugins.module_utils.local import commands, readiness, watcher

try:
    import psutil
except ImportError:
    psutil = None  # type: ignore[assignment]

# What a process inherits: where programs, temporary files and certificates are, and the time zone of its log. Everything else stays behind, above all
# tokens and the settings that programs take from the environment (K6_*, MLFLOW_*, PG*, GOGC, PYTHONPATH and so on).
INHERITED = ("PATH", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
LOCALE = {"LANG": "C.UTF-8"}
LOG_LINES = 15
PORT_ATTEMPTS = 5
POLL_S = 0.05
# What the watcher reports is one short line, as soon as the process was started; a command on a file system that hangs never starts.
REPORT_LIMIT_S = 60.0
ENDED = "it ended"


class ProcessError(Exception):
    """A process could not be started, did not become ready, or did not stop; the text is a sentence with its last log lines."""


class DetachedProcess:
    """One named process with its handle, log and exit record in a state directory.

    `command` has argv, env, chdir, user and nice (how much lower than ours its priority is); `{port}` in argv and env becomes the chosen port when
    `free_port` is set. With `machine_file` its watcher notes there each second what the machine and the process use (watcher.MACHINE_COLUMNS).
    """

    def __init__(
        self,
        name: str,
        state_dir: str,
        command: dict[str, Any] | None = None,
        log_file: str | None = None,
        free_port: bool = False,
        machine_file: Path | None = None,
    ) -> None:
        self.name = name
        self.directory = Path(os.path.abspath(state_dir))
        self.command = command or {}
        self.log_file = Path(os.path.abspath(log_file)) if log_file else self.directory / f"{name}.log"
        self.handle_file = self.directory / f"{name}.json"
        self.exit_file = self.directory / f"{name}.exit.json"
        self.free_port = free_port
        self.machine_file = machine_file

    def handle(self) -> dict[str, Any] | None:
        """Return the recorded handle, or None."""
        return handles.read(self.handle_file)

    def running(self) -> bool:
        """Return whether the recorded process runs (same pid, same start time)."""
        return handles.process_of(self.handle()) is not None

    def current(self) -> bool:
        """Return whether the process runs and was started by the same command."""
        handle = self.handle()
        return self.running() and handle is not None and handle.get("command") == self.command

    def describe(self) -> dict[str, Any]:
        """Return the module's `process` dictionary."""
        handle = self.handle() or {}
        running = self.running()
        return {
            "name": self.name,
            "pid": handle.get("pid"),
            "start_time": handle.get("start_time"),
            "port": handle.get("port"),
            "running": running,
            "handle_file": str(self.handle_file),
            "log_file": str(self.log_file),
            "exit_file": str(self.exit_file),
            "exit": None if running else handles.read(self.exit_file),
        }

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """Return the last lines of the log."""
        try:
            with open(self.log_file, "rb") as stream:
                stream.seek(0, os.SEEK_END)
                stream.seek(max(0, stream.tell() - 16384))
                text = stream.read().decode("utf-8", "replace")
        except OSError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:]) or "(empty log)"

    def start(
        self,
        ready: dict[str, Any] | None = None,
        stop_timeout_s: float = 20,
        number: int = signal.SIGTERM,
        may_end: bool = False,
        is_awaited: bool = True,
    ) -> bool:
        """Start the process unless it runs with the same command, and wait until it is ready, if it `is_awaited`; return whether it was started.

        A process of ours that runs with another command is stopped first. One that does not become ready is stopped.
        With `may_end` it is a job, which may have ended before it is checked; a server that ended was never ready.
        Raises ProcessError.
        """
        started = False
        if not self.current():
            self.stop(stop_timeout_s, number)
            started = True
        for attempt in range(PORT_ATTEMPTS):
            port = self._launch(attempt) if started else (self.handle() or {}).get("port")
            if not is_awaited:
                return started
            seen = self._wait(ready or {}, port)
            if not seen or (may_end and seen == ENDED):
                return started
            running = self.running()
            if started:
                self.stop(stop_timeout_s, number)
            if running or not (started and self.free_port and not readiness.is_free(int(port or 0))):
                break
        raise ProcessError(self._unready(seen, running, (ready or {}).get("timeout_s") or 60))

    def stop(self, timeout_s: float = 20, number: int = signal.SIGTERM) -> bool:
        """Stop the process, its descendants and its orphans; return whether anything was running.

        The signal is sent to all of them; those that still run after `timeout_s` seconds are killed. Raises ProcessError if one survives.
        """
        handle = self.handle()
        members = handles.family(handle, self.handle_file)
        if not members:
            self._settle(handle)
            return False
        for limit_s, sent in ((timeout_s, number), (5.0, signal.SIGKILL)):
            for process in members:
                try:
                    process.send_signal(sent)
                except psutil.NoSuchProcess:
                    continue
            psutil.wait_procs(members, timeout=limit_s)
            members = handles.family(handle, self.handle_file)
            if not members:
                self._settle(handle)
                return True
        pids = ", ".join(str(process.pid) for process in members)
        raise ProcessError(f"Process {self.name}: still running after SIGKILL (pid {pids}). Check its state with ps; it may wait for a device.")

    def _settle(self, handle: dict[str, Any] | None, limit_s: float = 5.0) -> None:
        """Wait until the watcher has written the exit record."""
        deadline = time.monotonic() + limit_s
        while handles.watcher_of(handle) is not None and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def _launch(self, attempt: int) -> int | None:
        previous = (self.handle() or {}).get("port") if attempt == 0 else None
        port = readiness.choose_port(previous) if self.free_port else None
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self.log_file.parent.mkdir(parents=True, exist_ok=True)
            self.exit_file.unlink(missing_ok=True)
        except OSError as error:
            raise ProcessError(f"Process {self.name}: cannot use {self.directory} ({error.strerror}). Choose a writable directory.") from error
        source = f"{inspect.getsource(watcher)}\nsupervise(json.loads({json.dumps(json.dumps(self._spec(port)))}))\n"
        with subprocess.Popen(
            [sys.executable, "-I", "-S", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_inherited(),
            close_fds=True,
            start_new_session=True,
        ) as parent:
            stdin, stdout = cast(IO[bytes], parent.stdin), cast(IO[bytes], parent.stdout)
            stdin.write(source.encode("utf-8"))
            stdin.close()
            is_reported = bool(select.select([stdout], [], [], REPORT_LIMIT_S)[0])
            line = stdout.readline() if is_reported else b""
            stdout.close()
            if not is_reported:
                parent.kill()
            report = json.loads(line) if line else {"error": "its watcher ended without a report" if is_reported else f"no report within {REPORT_LIMIT_S:g} s"}
            # The watcher outlives us on purpose: leaving the block must not wait for it.
            parent.returncode = 0
        if "error" in report:
            raise ProcessError(f"Process {self.name}: not started ({report['error']}). Check the command and the directory.")
        return port

    def _spec(self, port: int | None) -> dict[str, Any]:
        argv = [_with_port(text, port) for text in self.command["argv"]]
        env = {key: _with_port(value, port) for key, value in self.command["env"].items()}
        user = self.command.get("user")
        account = _account(self.name, user) if user else None
        # Programs read settings from the home directory too; and not every user has one.
        home = {"HOME": str(self.directory), **({"USER": user, "LOGNAME": user} if account else {})}
        return {
            "argv": argv,
            "env": {**_inherited(), **LOCALE, **home, **env, handles.MARK: str(self.handle_file)},
            "chdir": self.command.get("chdir") or str(self.directory),
            "identity": commands.identity(account),
            "log_file": str(self.log_file),
            "handle_file": str(self.handle_file),
            "exit_file": str(self.exit_file),
            "nice": self.command.get("nice") or 0,
            "machine_file": str(self.machine_file) if self.machine_file else None,
            "handle": {"name": self.name, "argv": argv, "port": port, "command": self.command},
        }

    def _wait(self, ready: dict[str, Any], port: int | None) -> str:
        wanted = {**ready, "url": _with_port(ready["url"], port) if ready.get("url") else None}
        if self.free_port and not ready.get("url") and not ready.get("port"):
            wanted["port"] = port
        seen = readiness.wait(wanted, self.running)
        if not seen and not self.running():
            return ENDED
        if not seen and self.free_port and not self._listens(port):
            # Another process has taken the port that we chose.
            self._settle_end()
            return "another process uses its port"
        return seen

    def _settle_end(self, limit_s: float = 10.0) -> None:
        deadline = time.monotonic() + limit_s
        while self.running() and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def _listens(self, port: int | None) -> bool:
        for process in handles.family(self.handle(), self.handle_file):
            try:
                sockets = process.net_connections(kind="tcp")
            except psutil.Error:
                continue
            if any(item.status == psutil.CONN_LISTEN and item.laddr.port == port for item in sockets):
                return True
        return False

    def _unready(self, seen: str, running: bool, timeout_s: float) -> str:
        if running:
            what = f"was not ready within {timeout_s:g} s (last seen: {seen})"
        else:
            ended = handles.read(self.exit_file) or {}
            how = f"signal {ended['signal']}" if ended.get("signal") else f"exit code {ended.get('exit_code', 'unknown')}"
            what = f"ended with {how} before it was ready"
        return f"Process {self.name}: {what}. The end of its log {self.log_file}:\n{self.log_tail()}"


def _with_port(text: str, port: int | None) -> str:
    return text if port is None else text.replace("{port}", str(port))


def _inherited() -> dict[str, str]:
    # Programs go the same way to servers as the controller; the variables are no part of a recorded command, since they may hold a password.
    return {key: os.environ[key] for key in (*INHERITED, *proxies.VARIABLES) if key in os.environ}


def _account(name: str, user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError as error:
        raise ProcessError(f"Process {name}: user {user} does not exist. Name an existing unprivileged user.") from error
