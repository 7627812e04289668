# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until a process that we started serves: a URL answers 200, or a port accepts connections."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from ansible_collections.perfscale.mlflow.plugins.module_utils.local import ports

POLL_S = 0.1
# Proxies of the user's environment are not for the loopback address.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def last_seen(ready: dict[str, Any]) -> str:
    """Probes once; returns an empty text when ready, else what was seen. `ready` has a url, a port, or neither."""
    if ready.get("url"):
        try:
            with _OPENER.open(ready["url"], timeout=5) as answer:
                return "" if answer.status == 200 else f"status {answer.status}"
        except urllib.error.HTTPError as error:
            return f"status {error.code}"
        except (OSError, ValueError) as error:
            return str(getattr(error, "reason", error))
    if ready.get("port"):
        return "" if ports.answers(ready["port"]) else "no connection"
    return ""


def wait(ready: dict[str, Any], alive: Callable[[], bool]) -> str:
    """Waits until ready, at most ready.timeout_s seconds, or until `alive` says no; returns an empty text or what was last seen."""
    deadline = time.monotonic() + float(ready.get("timeout_s") or 60)
    while True:
        seen = last_seen(ready)
        if not seen or not alive() or time.monotonic() > deadline:
            return seen
        time.sleep(POLL_S)
