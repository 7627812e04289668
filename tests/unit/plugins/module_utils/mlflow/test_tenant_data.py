# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from tenants_in_memory import TenantsInMemory

from ansible_collections.perfscale.mlflow.plugins.module_utils.mlflow.tenant_data import TenantReader

WHOLE = {"experiments": 2, "runs": 4, "metrics": 4, "params": 8, "prompts": 2, "prompt_versions": 2, "surplus_runs": 0}


@pytest.fixture
def tenants():
    return TenantsInMemory(["t-1"])


def test_counts_over_pages(tenants):
    assert TenantReader(tenants, "t-1", tenants.digest).counts() == WHOLE
    asked = [path.split("/")[-2] for path, _workspace in tenants.calls]
    assert asked == ["experiments", "runs", "runs", "registered-models"]


def test_counts_to_the_bottom(tenants):
    assert TenantReader(tenants, "t-1", tenants.digest).counts(full=True) == {**WHOLE, "artifacts": 8, "readable_artifacts": 1}


def test_asks_no_runs_where_there_is_no_experiment(tenants):
    tenants.tenants["t-1"]["experiments"] = []
    found = TenantReader(tenants, "t-1", tenants.digest).counts()
    assert found["runs"] == 0 and not [path for path, _workspace in tenants.calls if path.endswith("runs/search")]


def test_runs_without_an_item_are_told_apart_by_their_id(tenants):
    for run in tenants.tenants["t-1"]["runs"]:
        run["data"]["tags"] = []
    assert TenantReader(tenants, "t-1", tenants.digest).counts()["runs"] == 4
