# Copyright: (c) 2026, perfscale.mlflow contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations and which of them lack samples."""

from __future__ import annotations

from ansible_collections.perfscale.mlflow.plugins.module_utils.k6.operations import CATEGORIES, OPERATIONS, undersampled


def test_each_operation_has_one_category():
    assert sorted(name for members in CATEGORIES.values() for name in members) == sorted(OPERATIONS)
    assert len(OPERATIONS) == 16


def test_undersampled_keeps_the_required_order():
    measured = {"get_run": {"n": 4}, "create_run": {"n": 5}, "list_artifacts": {"n": 0}}
    assert undersampled(measured, ("create_run", "search_runs", "get_run", "list_artifacts")) == ["search_runs", "get_run", "list_artifacts"]
    assert undersampled(measured, ("create_run",), minimum=6) == ["create_run"]
