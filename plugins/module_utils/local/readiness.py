# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports of the loopback address, and waiting until a process that we started serves: a URL responds with 200, or a port accepts connections."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

LOOPBACK = "127.0.0.1"
POLL_S = 0.1


def is_free(port: int) -> bool:
    """Return whether a port of the loopback address can be bound now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set this too: without it a port in TIME_WAIT after our own stop would count as in use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_port(preferred: int | None = None) -> int:
    """Return the preferred port when it is free, else one that the kernel picks."""
    if preferred and is_free(preferred):
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def accepts_connections(port: int, timeout_s: float = 1.0) -> bool:
    """Return whether something accepts connections on a port of the loopback address."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def last_seen(ready: dict[str, Any]) -> str:
    """Probe once; return an empty text when ready, else what was observed. `ready` has a url, a port, or neither."""
    if ready.get("url"):
        return _url_status(ready["url"])
    if ready.get("port"):
        return "" if accepts_connections(ready["port"]) else "no connection"
    return ""


def _url_status(url: str) -> str:
    # Most processes have no URL, and loading the HTTP client costs more than starting one.
    from ansible_collections.perfscale.mlflow.plugins.module_utils.common.http_client import HttpClient, HttpError, RetryPolicy

    client = HttpClient(timeout_s=5)
    try:
        status = client.request("GET", url, retry=RetryPolicy(0)).status
    except HttpError as error:
        return error.reason
    finally:
        client.close()
    return "" if status == 200 else f"status {status}"


def wait(ready: dict[str, Any], alive: Callable[[], bool]) -> str:
    """Wait until ready, at most ready.timeout_s seconds, or until `alive` is false; return an empty text or the last observation."""
    deadline = time.monotonic() + float(ready.get("timeout_s") or 60)
    while True:
        seen = last_seen(ready)
        if not seen or not alive() or time.monotonic() > deadline:
            return seen
        time.sleep(POLL_S)
