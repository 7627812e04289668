# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on a real MLflow."""

from __future__ import annotations

import time

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.client import MlflowClient
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.errors import MlflowError
from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.workspaces import (
    OURS,
    ensure_workspaces,
    list_workspaces,
    tenant_names,
)

COUNT = 500


@pytest.fixture
def client(mlflow):
    made = MlflowClient(mlflow.url, connections=8)
    yield made
    made.close()


def test_five_hundred_tenants_in_one_call_and_none_in_the_second(client):
    names = tenant_names("many-", range(1, COUNT + 1))
    begun = time.monotonic()
    first = ensure_workspaces(client, names, parallelism=8, timeout_s=540)
    print(f"{COUNT} workspaces created and seen in {time.monotonic() - begun:.1f} s")
    assert first["created"] == names
    assert first["ready"]
    listed = list_workspaces(client)
    assert {listed[name] for name in names} == {OURS}

    second = ensure_workspaces(client, names, parallelism=8, timeout_s=540)
    print(f"{COUNT} workspaces found and seen in {second['seconds']:.1f} s")
    assert second["created"] == []
    assert second["existing"] == names
    assert second["ready"]


def test_another_ones_workspace_is_neither_used_nor_changed(client):
    client.document("POST", "/api/3.0/mlflow/workspaces", body={"name": "somebody-1", "description": "mine"})
    with pytest.raises(MlflowError, match="Workspace somebody-1: exists and is not managed by this collection"):
        ensure_workspaces(client, ["somebody-1"])
    assert list_workspaces(client)["somebody-1"] == "mine"


def test_a_duplicate_responds_as_the_module_expects(client):
    ensure_workspaces(client, ["twice-1"])
    with pytest.raises(MlflowError) as caught:
        client.document("POST", "/api/3.0/mlflow/workspaces", body={"name": "twice-1"})
    assert (caught.value.status, caught.value.code) == (400, "RESOURCE_ALREADY_EXISTS")
