# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the unit tests about clusters."""

from __future__ import annotations

import os

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import http_client
from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes.connection import connect
from fakes.fake_api_server import FakeApiServer


@pytest.fixture(autouse=True)
def without_configuration_of_this_machine(monkeypatch, tmp_path):
    """No test here may reach a cluster for which the machine has a configuration."""
    for name in list(os.environ):
        if name.startswith(("K8S_AUTH_", "KUBERNETES_SERVICE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-kubeconfig"))


@pytest.fixture
def server():
    with FakeApiServer() as fake:
        yield fake


@pytest.fixture
def cluster(server):
    made = connect({"host": server.url, "api_key": "token-1"})
    yield made
    made.close()


@pytest.fixture
def pauses(monkeypatch):
    """The pauses of a client between its attempts, without the wait."""
    made: list[float] = []
    monkeypatch.setattr(http_client.time, "sleep", made.append)
    return made
