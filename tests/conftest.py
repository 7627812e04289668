# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How tests are dealt out to processes that run side by side: whole files, and files that belong together one after another."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# What there is one of: in a cluster the operator's MLflow and Open Data Hub, here the finished run of the smoke matrix.
FOLLOWING = (
    {"tests/cluster/test_full_suite.py", "tests/cluster/test_mlflow_server.py", "tests/cluster/test_opendatahub.py"},
    {"tests/local/test_full_suite.py", "tests/local/test_bad_inputs.py", "tests/local/test_ways_to_run.py"},
)


class Groups(LoadScopeScheduling):
    """Deals out a file, or the files of a group as if they were one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((min(group) for group in FOLLOWING if file in group), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    """The hook of pytest-xdist."""
    return Groups(config, log)
