# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the MLflow unit tests."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.common import http_client
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from fakes.fake_mlflow import FakeMlflow


@pytest.fixture
def server():
    with FakeMlflow() as running:
        yield running


@pytest.fixture
def client(server):
    made = MlflowClient(server.url, timeout_s=5, connections=4)
    yield made
    made.close()


@pytest.fixture
def pauses(monkeypatch):
    """The pauses of a client, which are recorded and not waited for."""
    made: list[float] = []
    monkeypatch.setattr(http_client.time, "sleep", made.append)
    return made
