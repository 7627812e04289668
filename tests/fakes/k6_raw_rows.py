# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the raw output of k6, for cases that no captured file holds."""

from __future__ import annotations

HEADER = "metric_name,timestamp,metric_value,error_code,name,scenario,status,extra_tags,metadata\n"


def request(
    end_ms=1_800_000_000_000, duration=5.0, waiting=4.5, operation="get_run", tenant="tenant-1", journey="browsing", status=200, error_code="",
    blocked=0.003, connecting=0.0, sending=0.04,
):  # fmt: skip
    """Return the rows of one request that are read; waiting None leaves its row out."""
    tags = f"{error_code},{operation},{journey},{status},,tenant={tenant}&journey={journey}"
    rows = {
        "http_reqs": 1, "http_req_duration": duration, "http_req_blocked": blocked, "http_req_connecting": connecting, "http_req_sending": sending,
        "http_req_waiting": waiting, "http_req_failed": int(not 200 <= status < 400),
    }  # fmt: skip
    return "".join(f"{name},{end_ms},{value:.6f},{tags}\n" for name, value in rows.items() if value is not None)


def journey(end_ms, duration, name="browsing", outcome="completed"):
    """Return the row of a journey that ended."""
    return f"journey_duration,{end_ms},{duration:.6f},,,{name},,outcome={outcome}&journey={name},tenant=tenant-1&journey={name}\n"


def value(metric, time_ms, number, scenario=""):
    """Return a row of any other metric."""
    return f"{metric},{time_ms},{number:.6f},,,{scenario},,,\n"


def wrong_answer(time_ms, duration, kind="type", operation="get_run", tenant="tenant-1", name="browsing"):
    """Return the row that the load script writes about a response that cannot be one of the operation."""
    return f"wrong_answers,{time_ms},1.000000,,{operation},{name},,,answer={kind}&duration_ms={duration:.6f}&journey={name}&tenant={tenant}\n"
