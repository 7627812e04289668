# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a request ended.

k6's error codes: https://grafana.com/docs/k6/latest/javascript-api/error-codes/ (1050 request timeout, 1100-1199
DNS, 1200-1299 TCP, 1300-1399 TLS, 1400-1599 the HTTP status itself).
"""

from __future__ import annotations

TIMEOUT = "1050"
DIAL_TIMEOUT = "1211"
DIAL_LIMIT_MS = 30000.0
"""How long k6 tries to open a connection (the dialer of its js/runner.go)."""


def failure(status: int, error_code: str) -> str | None:
    """Name the cause of a failed request, or None for a successful one.

    status is 0 when there was no answer; error_code is k6's, empty when all went well. A request with a good status
    and an error code lost its body on the way and has failed. So has one that was redirected, to a login page for example.
    Causes: http_<status>, timeout, connection, dns, tls, other.
    """
    if 200 <= status < 300:
        return None if not error_code else _transport(error_code)
    return f"http_{status}" if status else _transport(error_code)


def unmeasured_wait_ms(error_code: str, timeout_ms: float) -> float:
    """Return what a request that never got a connection had to wait (milliseconds); k6 writes 0 for it.

    timeout_ms is the request timeout of the load. A refused connection costs nothing.
    """
    if error_code == TIMEOUT:
        return timeout_ms
    return min(DIAL_LIMIT_MS, timeout_ms) if error_code == DIAL_TIMEOUT else 0.0


def _transport(error_code: str) -> str:
    if error_code == TIMEOUT:
        return "timeout"
    families = {"11": "dns", "12": "connection", "13": "tls"}
    return families.get(error_code[:2], "other") if len(error_code) == 4 else "other"
