# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One program of the node: a detached process that is started once, waited for, and can be stopped and started again."""

from __future__ import annotations

import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.perfscale.mlflow.plugins.module_utils.local.process import DetachedProcess, ProcessError
from node import layout

POLL_S = 0.1
READY_LIMIT_S = 120.0


@dataclass
class Program:
    """A command line and the URL that responds with 200 once the program serves (none: it is ready once it runs)."""

    name: str
    argv: list[str]
    url: str = ""
    env: dict[str, str] = field(default_factory=dict)

    def process(self, places: layout.Layout) -> DetachedProcess:
        return DetachedProcess(self.name, str(places.processes), {"argv": self.argv, "env": self.env})

    def start(self, places: layout.Layout, limit_s: float = READY_LIMIT_S) -> bool:
        """Start it in this process' namespaces unless it runs, and wait until it serves; return whether it was started. Raises ProcessError."""
        process = self.process(places)
        started = process.start()
        authority = places.pki / "ca.crt"
        until(f"Program {self.name}", lambda: self._seen(process, authority), limit_s, process.log_tail)
        return started

    def kill(self, places: layout.Layout) -> bool:
        """End it as a crash would; return whether it ran. Raises ProcessError."""
        return self.process(places).stop(number=signal.SIGKILL)

    def _seen(self, process: DetachedProcess, authority: Path) -> str:
        if not process.running():
            raise ProcessError(f"Program {self.name}: it ended. The end of its log {process.log_file}:\n{process.log_tail()}")
        return answers(self.url, authority) if self.url else ""


def answers(url: str, authority: Path) -> str:
    """Return an empty text when a URL answers 200, else what was seen."""
    trust = ssl.create_default_context(cafile=str(authority)) if url.startswith("https:") and authority.exists() else None
    handlers = [urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=trust)] if trust else [])]
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=5) as answer:
            return "" if answer.status == 200 else f"status {answer.status}"
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except OSError as error:
        return str(getattr(error, "reason", error))


def until(what: str, seen: Callable[[], str], limit_s: float, details: Callable[[], str] = str) -> None:
    """Wait until `seen` returns an empty text, at most limit_s seconds. Raises ProcessError with the last such text."""
    deadline = time.monotonic() + limit_s
    while True:
        last = seen()
        if not last:
            return
        if time.monotonic() > deadline:
            raise ProcessError(f"{what}: not ready within {limit_s:g} s (last seen: {last}). {details()}")
        time.sleep(POLL_S)
