# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback plugin: the console of a run in a few dozen lines, stages with their times, messages, progress and errors."""

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
type: stdout
short_description: Print stages, messages, progress and errors instead of every task
version_added: 0.2.0
description:
  - Prints one line for each play with its time, what C(debug) and C(assert) tasks print, and each warning and error once, as a sentence.
  - On a terminal the last line shows the running task, or a load as a bar with the time left. Elsewhere progress is a line every ten seconds.
  - An error that a C(rescue) handles or that is ignored is not printed, since the tasks that handle it report it. R(run_log,perfscale.mlflow.run_log)
    writes every task to a file.
  - With C(-v) and more it prints exactly what P(ansible.builtin.default#callback) prints, with the same options.
author:
  - perfscale.mlflow contributors (@perfscale)
requirements:
  - C(stdout_callback = perfscale.mlflow.summary), as in the C(ansible.cfg) of this collection's repository.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  progress:
    description:
      - How progress is shown. V(auto) rewrites the last line of a terminal and prints lines elsewhere.
    type: str
    choices: [auto, lines]
    default: auto
    env:
      - name: PERFSCALE_PROGRESS
    ini:
      - section: callback_summary
        key: progress
"""

import functools
import os
import sys
import threading
import time

from ansible import constants as C
from ansible.playbook.block import Block
from ansible.plugins.callback.default import CallbackModule as DefaultCallback

from ansible_collections.perfscale.mlflow.plugins.module_utils.common.redaction import redact_text
from ansible_collections.perfscale.mlflow.plugins.module_utils.common.untrusted_text import printable
from ansible_collections.perfscale.mlflow.plugins.module_utils.console.progress import ProgressLine, StatusLine, encodes, is_terminal
from ansible_collections.perfscale.mlflow.plugins.module_utils.console.task_result import (
    LOG,
    error_lines,
    lines,
    run_directory,
    sentence,
    task_label,
    task_location,
    warning_text,
)
from ansible_collections.perfscale.mlflow.plugins.module_utils.matrix.duration import format_duration

REFRESH_S = 1.0
# The prefix of ansible-core's messages that belong to no task: an interruption, a file that cannot be read.
ERROR = "[ERROR]: "
WARNING = "[WARNING]: "
DEPRECATION = "[DEPRECATION WARNING]: "


def _condensed(method):
    """Wrap a handler: with `-v` the default callback's takes its place, and so it does when this one fails, so that no result is lost."""

    @functools.wraps(method)
    def handler(self, *args, **kwargs):
        default = getattr(super(CallbackModule, self), method.__name__)
        if self._display.verbosity:
            return default(*args, **kwargs)
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # of any kind: printing must not stop a run or hide a result
            cause = f"{method.__name__} of {CallbackModule.CALLBACK_NAME}: {type(error).__name__}: {error}"
            self._message_once(f"Warning: {cause}. The whole event follows.", C.COLOR_WARN)
            return default(*args, **kwargs)

    return handler


def is_rescued(task):
    """Return whether the failure of a task is handled by the `rescue` of a block around it."""
    child = task
    while child is not None:
        block = child._parent
        # The same task may be a copy here and there, its id stays.
        if isinstance(block, Block) and block.rescue and any(part._uuid == child._uuid for part in block.block):
            return True
        child = block
    return False


class CallbackModule(DefaultCallback):
    """Prints stages; everything else of a play belongs to its stage."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "perfscale.mlflow.summary"

    def __init__(self):
        super().__init__()
        self._display_all = self._display.display
        # From the beginning, also for a controller's own callback, which is a subclass of this one.
        self._display.display = self._print
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._status = None
        self._printed = set()
        self._run_directory = None
        self._unhandled = None
        self._stage = ""
        self._stage_began = 0.0
        self._has_heading = self._has_run = self._has_failed = False
        self._task = ""
        self._task_began = 0.0
        self._progress = None
        self._progress_at = 0.0

    def _print(self, msg, *args, **kwargs):
        """Print what goes to the console, without user information of URLs: with `-v` that is all arguments of all modules."""
        return self._display_all(redact_text(msg) if isinstance(msg, str) else msg, *args, **kwargs)

    # Events

    @_condensed
    def v2_playbook_on_start(self, playbook):
        """Take over the display."""
        # A controller's own callback, which is a subclass of this one, records what is printed: nothing is rewritten or held back there.
        if self.__class__ is not CallbackModule:
            return
        self._display.display = self._displayed
        if self.get_option("progress") == "auto" and is_terminal(sys.stdout):
            self._status = StatusLine(sys.stdout)
            threading.Thread(target=self._refresh_until_end, name="summary", daemon=True).start()

    @_condensed
    def v2_playbook_on_play_start(self, play):
        """End the stage before and begin the next."""
        self._end_stage()
        self._play = play
        with self._lock:
            self._stage, self._stage_began = play.get_name().strip(), time.monotonic()
            self._has_heading = self._has_run = False
            self._task = ""

    @_condensed
    def v2_playbook_on_task_start(self, task, is_conditional):
        """Print nothing: the status line shows a task while it runs on a host."""

    @_condensed
    def v2_playbook_on_handler_task_start(self, task):
        """Print nothing, as for any task."""

    @_condensed
    def v2_runner_on_start(self, host, task):
        """Show the task in the status line."""
        with self._lock:
            self._task, self._task_began, self._progress = task_label(task.get_name()), time.monotonic(), None

    @_condensed
    def v2_runner_on_ok(self, result):
        """Print the message of a task whose purpose is to print, and its warnings."""
        self._observe(result)
        self._has_run = True
        if "results" not in result.result:
            self._print_message(result)

    @_condensed
    def v2_runner_item_on_ok(self, result):
        """Print the message of such a task's item, and its warnings."""
        self._observe(result)
        self._print_message(result)

    @_condensed
    def v2_runner_on_failed(self, result, ignore_errors=False):
        """Print the error of a task that nothing handles."""
        self._observe(result)
        self._has_run = True
        if ignore_errors:
            return
        if is_rescued(result.task):
            # Printed at the end if nothing has been rescued.
            self._unhandled = result
            return
        self._print_error(result)

    @_condensed
    def v2_runner_on_unreachable(self, result):
        """Print that a host was not reached."""
        self._has_run = True
        if not result.task.ignore_unreachable:
            self._print_error(result)

    @_condensed
    def v2_runner_on_skipped(self, result):
        """Print the warnings of a task that was skipped."""
        self._observe(result)

    @_condensed
    def v2_runner_item_on_failed(self, result):
        """Print the warnings; the error is printed with those of the other items."""
        self._observe(result)

    @_condensed
    def v2_runner_item_on_skipped(self, result):
        """Print the warnings of an item that was skipped."""
        self._observe(result)

    @_condensed
    def v2_runner_retry(self, result):
        """Print nothing: waiting is not a failure."""

    @_condensed
    def v2_runner_on_async_poll(self, result):
        """Print nothing: waiting is not an event."""

    @_condensed
    def v2_runner_on_async_ok(self, result):
        """Print nothing: the task reports its end."""

    @_condensed
    def v2_runner_on_async_failed(self, result):
        """Print nothing: the task reports its end."""

    @_condensed
    def v2_playbook_on_include(self, included_file):
        """Print nothing: the included tasks are reported themselves."""
        self._has_run = True

    @_condensed
    def v2_playbook_on_notify(self, handler, host):
        """Print nothing: the handler reports when it runs."""

    @_condensed
    def v2_playbook_on_no_hosts_matched(self):
        """Warn that a play did nothing."""
        self._message_once(f"Warning: {self._stage}: no host matches the pattern of the play. Check the inventory (-i) and --limit.", C.COLOR_WARN)

    @_condensed
    def v2_playbook_on_no_hosts_remaining(self):
        """Print nothing: the error was printed."""

    @_condensed
    def v2_playbook_on_stats(self, stats):
        """End the last stage. Its time is not printed below its output: a verdict or an error remains at the end."""
        if self._unhandled is not None and not self._has_failed and any(stats.summarize(host)["failures"] for host in stats.processed):
            self._print_error(self._unhandled)
        self._end_stage(is_last=True)
        self._end_status()
        self._flush()

    # Results

    def _observe(self, result):
        """Store what a result contains about the run, and print its warnings. Deprecations concern developers and are only in the log."""
        self._run_directory = run_directory(result.task.action, result.result) or self._run_directory
        for warning in result.warnings:
            self._message_once(f"Warning: {warning_text(warning)}", C.COLOR_WARN)

    def _print_message(self, result):
        shown, action = result.result, result.task.action
        if "censored" in shown or shown.get("_ansible_no_log"):
            return
        if action in C._ACTION_DEBUG:
            self._clean_results(shown, action)
            message = shown["msg"] if "msg" in shown else {key: shown[key] for key in shown if not key.startswith("_")}
        elif shown.get("_ansible_verbose_always") and "success_msg" in result.task.args:
            message = shown.get("msg")
        else:
            return
        first, *more = lines(message) or [""]
        # Of a list, the first line is the heading of the others.
        indent = "  " if isinstance(message, list) else ""
        self._message_once("\n".join([first, *(indent + line for line in more)]))

    def _print_error(self, result):
        """Print an error, the task and where the log is. Of several lines (a verdict with its findings) the task comes first and the last stay last."""
        self._has_failed = True
        messages = error_lines(result.result)
        text = "\n".join(messages)
        if text in self._printed:
            return
        hosts = "" if result.host.get_name() == "localhost" else f" [{result.host.get_name()}]"
        task = f"{task_label(result.task_name)} ({task_location(result.task.get_path())}){hosts}"
        if f"{ERROR}{text}" in self._printed:
            # An inclusion that fails is reported twice by ansible-core.
            self._message_once(f"  Task: {task}", C.COLOR_ERROR)
            return
        self._printed.add(text)
        head = [f"Error: {messages[0]}", f"  Task: {task}"] if len(messages) == 1 else [f"Error: {task}", *(f"  {line}" for line in messages)]
        self._line("\n".join([*head, f"  Log: {self._log()}"]), C.COLOR_ERROR)

    def _print_error_of_no_task(self, messages):
        """Print an error that belongs to no task, such as an interruption."""
        self._has_failed = True
        first, *more = messages or ["unknown"]
        self._printed.add(ERROR + "\n".join(messages))
        self._line("\n".join([f"Error: {first}", *(f"  {line}" for line in more), f"  Log: {self._log()}"]), C.COLOR_ERROR, stderr=True)

    def _log(self):
        """Return where the log is."""
        path = os.path.join(self._run_directory, LOG) if self._run_directory else ""
        return path if os.path.isfile(path) else "none, since no run was begun; -v prints every task"

    def _message_once(self, text, color=None, stderr=False):
        """Print a message unless it was printed before: several plays show the plan, and many tasks cause the same warning."""
        if text and text not in self._printed:
            self._printed.add(text)
            self._line(text, color, stderr)

    # Lines

    def _end_stage(self, is_last=False):
        if not (self._stage and self._has_run) or (is_last and self._has_heading):
            return
        with self._lock:
            took = f"{self._ellipsis()} {format_duration(time.monotonic() - self._stage_began)}"
            text = f"  {took}" if self._has_heading else f"{self._stage} {took}"
            self._stage = ""
            self._write(text)

    def _line(self, text, color=None, stderr=False):
        """Print lines below the heading of their stage."""
        with self._lock:
            indent = ""
            if self._stage:
                indent = "  "
                if not self._has_heading:
                    self._has_heading = True
                    self._write(self._stage)
            self._write("\n".join(f"{indent}{line}" for line in text.split("\n")), color, stderr)

    def _write(self, text, color=None, stderr=False):
        if self._status:
            self._status.clear()
        self._print(printable(text), color=color, stderr=stderr)
        self._flush()

    def _flush(self):
        # Output to a file or a pipe would be buffered until the next task.
        try:
            sys.stdout.flush()
        except (OSError, ValueError):
            return

    def _end_status(self):
        self._ended.set()
        with self._lock:
            if self._status:
                self._status.clear()
            self._status = None

    def _ellipsis(self):
        return "…" if encodes(sys.stdout, "…") else "..."

    # Output that bypasses this callback: progress from workers, warnings of ansible-core

    def _displayed(self, msg, *args, **kwargs):
        """Replace Display.display: clear the status line, show progress as a bar, and flush every line."""
        if os.getpid() != self._process:
            return self._print(msg, *args, **kwargs)
        with self._lock:
            try:
                if isinstance(msg, ProgressLine) and not args and not kwargs:
                    return self._show_progress(msg)
                if self._status:
                    self._status.clear()
                if isinstance(msg, str) and msg.startswith(WARNING):
                    return self._message_once(f"Warning: {sentence(msg.removeprefix(WARNING))}", C.COLOR_WARN, stderr=True)
                if isinstance(msg, str) and msg.startswith(ERROR):
                    # Nothing may be drawn below an interruption: the program ends now.
                    self._end_status()
                    return self._print_error_of_no_task(lines(sentence(msg.removeprefix(ERROR))))
                if isinstance(msg, str) and msg.startswith(DEPRECATION):
                    msg = sentence(msg)
            except Exception:  # noqa: S110  # whatever goes wrong with an ornament, the message is printed
                pass
            self._print(msg, *args, **kwargs)
            self._flush()
        return None

    def _show_progress(self, line):
        if not self._status:
            self._line(str(line))
            return
        if line.label:
            self._progress, self._progress_at = line, time.monotonic()
        self._refresh()

    def _refresh_until_end(self):
        while not self._ended.wait(REFRESH_S):
            with self._lock:
                if self._status and not self._ended.is_set():
                    self._refresh()

    def _refresh(self):
        now = time.monotonic()
        if self._progress is not None:
            full, empty = ("█", "░") if encodes(sys.stdout, "█░") else ("#", "-")
            self._status.show(self._progress.drawn(now - self._progress_at, self._status.width(), full, empty))
        elif self._task:
            self._status.show(f"{self._stage}: {self._task} {self._ellipsis()} {format_duration(now - self._task_began)}")
