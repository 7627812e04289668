# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the MLflow unit tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stand_in_mlflow import StandInMlflow

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow import client as client_module
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient


@pytest.fixture
def server():
    with StandInMlflow() as stand_in:
        yield stand_in


@pytest.fixture
def client(server):
    made = MlflowClient(server.url, timeout_s=5, connections=4)
    yield made
    made.close()


@pytest.fixture
def pauses(monkeypatch):
    """The pauses a client would have made, none of which is waited for."""
    made: list[float] = []
    monkeypatch.setattr(client_module.time, "sleep", made.append)
    return made
