# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions, read as the API conventions write them."""

from __future__ import annotations

import pytest

from ansible_collections.perfscale.mlflow.plugins.module_utils.kubernetes import conditions

READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False", "severity": "Info"}]}}
BROKEN = {"status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "Late", "message": "not yet"}]}}


@pytest.mark.parametrize(
    ("manifest", "status", "true"),
    [
        pytest.param(READY, "True", True, id="true"),
        pytest.param(BROKEN, "Unknown", False, id="unknown"),
        pytest.param({"status": {"conditions": None}}, "", False, id="no-conditions"),
        pytest.param({}, "", False, id="no-status"),
        pytest.param(None, "", False, id="no-object"),
    ],
)
def test_a_condition(manifest, status, true):
    assert conditions.status_of(manifest, "Ready") == status
    assert conditions.is_true(manifest, "Ready") is true


def test_what_is_not_well_without_mere_information():
    assert conditions.not_true(READY) == []
    assert conditions.not_true(BROKEN) == ["Ready=Unknown (Late: not yet)"]
    assert conditions.sentence({"type": "Ready", "status": "False"}) == "Ready=False"
