# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both k6 and a real MLflow for the tests of files/k6. A missing executable is an error, never a skip."""

from __future__ import annotations

import pytest

from programs.k6 import executable
from programs.mlflow import Mlflow, started_mlflow

TENANTS = 4


@pytest.fixture(params=["old", "new"], scope="session")
def k6(request) -> str:
    """Return the path of k6: the oldest supported one, then a current one."""
    if request.param == "old":
        return executable("k6", "PERFSCALE_K6")
    return executable("k6-new", "PERFSCALE_K6_NEW")


@pytest.fixture(params=["old", "of pod", "new"], scope="session")
def each_k6(request) -> str:
    """Return the path of k6: those of `k6`, and the version of the pod's image."""
    variables = {"old": ("k6", "PERFSCALE_K6"), "of pod": ("k6-of-pod", "PERFSCALE_K6_OF_POD"), "new": ("k6-new", "PERFSCALE_K6_NEW")}
    return executable(*variables[request.param])


@pytest.fixture(scope="session")
def any_k6() -> str:
    """Return the path of a k6, where the version makes no difference."""
    return executable("k6", "PERFSCALE_K6")


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory) -> Mlflow:
    """Yield a real MLflow on SQLite with workspaces tenant-1 … tenant-4."""
    with started_mlflow(tmp_path_factory.mktemp("mlflow"), TENANTS) as server:
        yield server
