# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How tests are dealt out to processes that run side by side: whole files, and files that belong together one after another."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# What there is one of: in a cluster the operator's MLflow and Open Data Hub, here the finished run of the smoke matrix.
ONE_OPERATOR = {"tests/cluster/test_full_suite.py", "tests/cluster/test_mlflow_server.py", "tests/cluster/test_opendatahub.py"}
ONE_RUN = {"tests/local/test_full_suite.py", "tests/local/test_bad_inputs.py", "tests/local/test_ways_to_run.py"}
FOLLOWING = (ONE_OPERATOR, ONE_RUN)
GIVES_WAY = 5


class Groups(LoadScopeScheduling):
    """Deals out a file, or the files of a group as if they were one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((min(group) for group in FOLLOWING if file in group), file)


@pytest.fixture(scope="module", autouse=True)
def gives_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let other tests of the cluster give way to the files with its one operator: these take longer than two processes need for the rest."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    file = request.path.relative_to(request.config.rootpath).as_posix()
    if file.startswith("tests/cluster/") and file not in ONE_OPERATOR:
        os.setpriority(os.PRIO_PROCESS, 0, before + GIVES_WAY)
    yield
    # Without the rights of root it stays.
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, before)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    """The hook of pytest-xdist."""
    return Groups(config, log)
