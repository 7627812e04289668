# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback plugin: every task and its result in ansible.log of the run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_log
type: notification
short_description: Write every task and its result to the run's directory
version_added: 0.2.0
description:
  - Writes C(ansible.log) into the directory of the run, whatever the console shows. A second start of the same run appends.
  - Until the run is known, lines are held in memory, at most O(buffer_lines) of them. A playbook without a run, and one with C(--check), writes no log.
  - The file has mode 0600 and is never published. Results that C(no_log) hides stay hidden, and values of the environment and of files that the run
    knows to be secret are masked.
author:
  - perfscale.mlflow contributors (@perfscale)
requirements:
  - C(perfscale.mlflow.run_log) in C(callbacks_enabled), as in the C(ansible.cfg) of this collection's repository.
options:
  buffer_lines:
    description: Maximum number of lines held until the run is known; the oldest are dropped first.
    type: int
    default: 5000
    ini:
      - section: callback_run_log
        key: buffer_lines
  result_bytes:
    description: Maximum number of characters written per result; the rest is cut off.
    type: int
    default: 50000
    ini:
      - section: callback_run_log
        key: result_bytes
"""

import os
import stat
from collections import deque
from datetime import UTC, datetime

from ansible import context
from ansible.plugins.callback import CallbackBase

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import redact_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.console.task_result import (
    HIDDEN,
    LOG,
    error_lines,
    one_line,
    run_directory,
    task_location,
    warning_text,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.publish.secret_scan import secrets_of_run

MASK = "********"
# Shorter values would mask ordinary words.
SECRET_MINIMUM = 8


class CallbackModule(CallbackBase):
    """Writes from the process of ansible-playbook only, a few lines for each event."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "perfscale.mlflow.run_log"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._held = None
        self._dropped = 0
        self._directory = None
        self._stream = None
        self._secrets = ()

    # Events

    def v2_playbook_on_start(self, playbook):
        """Begin to hold lines."""
        self._held = deque(maxlen=max(1, self.get_option("buffer_lines")))
        self.disabled = bool(context.CLIARGS.get("check"))
        self._write(f"PLAYBOOK {os.path.basename(playbook._file_name)}")

    def v2_playbook_on_play_start(self, play):
        """Write the name of the play."""
        self._write(f"PLAY {play.get_name().strip()}")

    def v2_playbook_on_task_start(self, task, is_conditional):
        """Write the name and the location of the task."""
        self._write(f"TASK {task.get_name().strip()} ({task_location(task.get_path())})")

    def v2_playbook_on_handler_task_start(self, task):
        """Write the name and the location of the handler."""
        self._write(f"HANDLER {task.get_name().strip()} ({task_location(task.get_path())})")

    def v2_runner_on_ok(self, result):
        """Write the result."""
        self._write_result("changed" if result.result.get("changed") else "ok", result)

    def v2_runner_on_skipped(self, result):
        """Write that the task was skipped."""
        self._write_result("skipped", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """Write the error and the result."""
        self._write_result("failed, ignored" if ignore_errors else "failed", result, error_lines(result.result))

    def v2_runner_on_unreachable(self, result):
        """Write the error and the result."""
        self._write_result("unreachable", result, error_lines(result.result))

    def v2_runner_retry(self, result):
        """Write that the task is retried."""
        self._write(f"  retry {result.result.get('attempts', '')} of {result.result.get('retries', '')} [{result.host.get_name()}]")

    def v2_playbook_on_include(self, included_file):
        """Write what was included."""
        self._write(f"  included {included_file._filename}")

    def v2_playbook_on_stats(self, stats):
        """Write the numbers of each host and end the log."""
        for host in sorted(stats.processed):
            self._write(f"RECAP {host} {one_line(stats.summarize(host))}")
        if self._stream:
            self._stream.close()
            self._stream = None
        self.disabled = True

    # Lines

    def _write_result(self, status, result, errors=()):
        content = result.result
        self._find_directory(result.task.action, content)
        hidden = content.get("censored") or content.get("_ansible_no_log")
        shown = HIDDEN if hidden else one_line(content, self.get_option("result_bytes"))
        self._write(f"  {status} [{result.host.get_name()}] {shown}", *(f"    {line}" for line in errors))
        for warning in result.warnings:
            self._write(f"    warning: {warning_text(warning)}")

    def _write(self, *texts):
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        written = [f"{now} {text}" for text in texts]
        if self._stream is None:
            self._dropped += max(0, len(self._held) + len(written) - self._held.maxlen)
            self._held.extend(written)
            self._open()
        else:
            self._put(written)

    def _find_directory(self, action, content):
        if self._directory is None:
            self._directory = run_directory(action, content)

    def _open(self):
        """Open the log as soon as the run has a directory, which its roles create and this callback never does."""
        if self._directory is None or not os.path.isdir(self._directory):
            return
        try:
            descriptor = os.open(os.path.join(self._directory, LOG), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR)
            # Open for the whole playbook: it is written to with every event.
            self._stream = os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            self._give_up(error)
            return
        known = {value for value in secrets_of_run(self._directory) if len(value) >= SECRET_MINIMUM}
        self._secrets = sorted(known | {one_line(value)[1:-1] for value in known}, key=len, reverse=True)
        held = [f"({self._dropped} earlier lines were dropped.)"] if self._dropped else []
        self._put([*held, *self._held])
        self._held.clear()

    def _put(self, written):
        # Results were redacted as they became text; names of tasks and files were not.
        text = redact_text("\n".join(line.replace("\n", "\\n") for line in written))
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        try:
            self._stream.write(f"{text}\n")
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error):
        """Continue without a log: the run itself reports a full disk, and the log must not stop it."""
        self.disabled = True
        self._display.warning(f"Log {os.path.join(self._directory, LOG)}: not written any more ({error.strerror or error}). The run goes on.")
