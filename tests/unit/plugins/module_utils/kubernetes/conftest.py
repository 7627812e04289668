# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the unit tests about clusters."""

from __future__ import annotations

import os

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import cluster as cluster_module
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from fakes.fake_api_server import FakeApiServer


@pytest.fixture(autouse=True)
def no_configuration_of_this_machine(monkeypatch, tmp_path):
    """Nothing here may reach a cluster that the machine knows."""
    for name in list(os.environ):
        if name.startswith(("K8S_AUTH_", "KUBERNETES_SERVICE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-kubeconfig"))


@pytest.fixture
def server():
    with FakeApiServer() as stand_in:
        yield stand_in


@pytest.fixture
def cluster(server):
    made = connect({"host": server.url, "api_key": "token-1"})
    yield made
    made.close()


@pytest.fixture
def pauses(monkeypatch):
    """The pauses a client would have made, none of which is waited for."""
    made: list[float] = []
    monkeypatch.setattr(cluster_module.time, "sleep", made.append)
    return made
