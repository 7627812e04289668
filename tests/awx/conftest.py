# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller that launches jobs, each in a place of its own, and ends what is left of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from jobs import Job


@pytest.fixture(name="launch", scope="module")
def fixture_launch(tmp_path_factory):
    """Launch jobs; one that still runs at the end is cancelled."""
    jobs = []

    def launch(playbook, answers=None, **more):
        jobs.append(Job(tmp_path_factory.mktemp(f"job-{len(jobs) + 1}-"), playbook, answers or {}, **more))
        return jobs[-1]

    yield launch
    for job in jobs:
        if job.process.poll() is None:
            job.cancel()
