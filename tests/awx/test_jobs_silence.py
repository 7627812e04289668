# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller ends jobs that are silent for long: one that waits for a server that never responds, with and without its heartbeat."""

from __future__ import annotations

import re
import socket

import pytest

LIMIT_S = 15
WAITING = "Get the run from the first sink that has it"


@pytest.fixture(name="silent", scope="module")
def fixture_silent():
    """A server for results that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield {"publish_sinks": [{"name": "silent", "kind": "http", "url": f"http://127.0.0.1:{server.getsockname()[1]}"}], "run_id": "silent"}


def launched(launch, answers, heartbeat_s):
    return launch("deploy", answers, settings={"idle_timeout": LIMIT_S}, environment={"PERFSCALE_HEARTBEAT_S": str(heartbeat_s)})


def test_a_silent_job_is_ended(launch, silent):
    job = launched(launch, silent, heartbeat_s=600)
    assert job.end() == 254
    assert (job.status, job.tasks()[-1]) == ("timeout", WAITING)
    assert job.reap() == []


def test_a_job_that_prints_that_it_waits_is_not(launch, silent):
    job = launched(launch, silent, heartbeat_s=2)
    job.until("more time than silence gets", lambda: max(map(int, re.findall(rf"{WAITING}: still runs after (\d+) s", job.output)), default=0) > LIMIT_S + 3)
    assert job.cancel() == 254
    assert job.status == "canceled"
